// The bytes of a shortlist file, well formed or nearly so: what engine/checkpoint/shortlist_file.h
// reads.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace attend {

struct ShortlistParts {
  std::string header =
      R"({"model":"m","revision":"r","source_vocab_size":4,"target_vocab_size":200})";
  // Numbers of the body: always (count, distances), then each source token's 1 + count, distances.
  std::vector<uint64_t> numbers = {2, 1, 5, 0, 1, 3, 1, 199, 2, 151};
  std::string magic = "ATTENDSL";
  uint32_t version = 1;
  uint64_t checksum_flip = 0;
};

inline std::string FixedBytes(uint64_t number, int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out.push_back(static_cast<char>(number >> (8 * i)));
  return out;
}

inline std::string VarintBytes(uint64_t number) {
  std::string out;
  for (; number >= 0x80; number >>= 7) out.push_back(static_cast<char>(number | 0x80));
  return out + static_cast<char>(number);
}

inline std::string ShortlistBytes(const ShortlistParts& parts) {
  std::string content = parts.header;
  for (const uint64_t number : parts.numbers) content += VarintBytes(number);
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : content) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3u;
  return parts.magic + FixedBytes(parts.version, 4) + FixedBytes(parts.header.size(), 4) +
         FixedBytes(hash ^ parts.checksum_flip, 8) + content;
}

// lists[i]: source token i's targets, ascending; empty means never seen.
inline std::string ShortlistBytes(int64_t target_vocab_size, const std::vector<int32_t>& always,
                                  const std::vector<std::vector<int32_t>>& lists) {
  ShortlistParts parts;
  parts.header = R"({"model":"m","revision":"r","source_vocab_size":)" +
                 std::to_string(lists.size()) + R"(,"target_vocab_size":)" +
                 std::to_string(target_vocab_size) + "}";
  parts.numbers = {always.size()};
  const auto add = [&](const std::vector<int32_t>& ids) {
    int64_t last = -1;
    for (const int32_t id : ids) {
      parts.numbers.push_back(static_cast<uint64_t>(id - last));
      last = id;
    }
  };
  add(always);
  for (const std::vector<int32_t>& list : lists) {
    parts.numbers.push_back(list.empty() ? 0 : list.size() + 1);
    add(list);
  }
  return ShortlistBytes(parts);
}

}  // namespace attend
