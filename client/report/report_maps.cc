// Pages of usual sentences are written with 16 bits and all maps. What grows is the square of the
// length: 512 x 512 words of 80 heads would take 28 MB with 8 bits, more than a browser or a mail
// likes.
#include "client/report/report_maps.h"

#include <algorithm>
#include <cmath>
#include <string_view>

namespace attend::client {
namespace {

constexpr float kLargestCode = 65534;

std::string Base64(std::string_view bytes) {
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      group = group << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    }
    for (std::size_t k = 0; k < 4; ++k)
      text += i + k > bytes.size() ? '=' : kDigits[group >> (18 - 6 * k) & 63];
  }
  return text;
}

// How many maps of each kind fit when each may keep `limit` at most.
int64_t BytesWith(const std::vector<ReportKind>& kinds, std::size_t limit) {
  int64_t bytes = 0;
  for (const ReportKind& kind : kinds) {
    for (std::size_t i = 0; i < std::min(limit, kind.maps.size()); ++i)
      bytes += WrittenMapBytes(kind.maps[i], 8);
  }
  return bytes;
}

}  // namespace

std::vector<uint16_t> PackWeights(const std::vector<float>& weights) {
  std::vector<uint16_t> packed;
  packed.reserve(weights.size());
  for (const float weight : weights) {
    packed.push_back(std::isnan(weight) ? kReportNotKept
                                        : static_cast<uint16_t>(std::lround(
                                              std::clamp(weight, 0.0f, 1.0f) * kLargestCode)));
  }
  return packed;
}

int64_t WrittenMapBytes(const ReportMap& map, int bits) {
  return (static_cast<int64_t>(map.weights.size()) * bits / 8 + 2) / 3 * 4;
}

std::string EncodeMap(const ReportMap& map, int bits) {
  std::string bytes;
  bytes.reserve(map.weights.size() * static_cast<std::size_t>(bits) / 8);
  for (const uint16_t weight : map.weights) {
    if (bits == 16) {
      bytes += static_cast<char>(weight & 255);
      bytes += static_cast<char>(weight >> 8);
    } else {
      bytes += static_cast<char>(
          weight == kReportNotKept
              ? 255
              : std::lround(254 * std::sqrt(static_cast<float>(weight) / kLargestCode)));
    }
  }
  return Base64(bytes);
}

int FitMaps(int64_t map_bytes, std::vector<ReportKind>* kinds) {
  int64_t bytes = 0;
  std::size_t most = 0;
  for (const ReportKind& kind : *kinds) {
    most = std::max(most, kind.maps.size());
    for (const ReportMap& map : kind.maps) bytes += WrittenMapBytes(map, 16);
  }
  if (bytes <= map_bytes) return 16;
  std::size_t limit = most;
  while (limit > 1 && BytesWith(*kinds, limit) > map_bytes) --limit;
  for (ReportKind& kind : *kinds) {
    if (kind.maps.size() <= limit) continue;
    kind.num_left_out += kind.maps.size() - limit;
    kind.maps.resize(limit);
  }
  return 8;
}

}  // namespace attend::client
