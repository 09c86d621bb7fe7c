// A fixed beginning, a JSON header, and numbers of seven bits a byte. Sizes that the header claims
// are bounded by the bytes that are there before anything is made of them.
#include "engine/checkpoint/shortlist_file.h"

#include <limits>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/checkpoint/checkpoint_error.h"
#include "engine/checkpoint/json.h"
#include "engine/checkpoint/little_endian.h"

namespace attend {
namespace {

constexpr std::string_view kMagic = "ATTENDSL";
constexpr uint32_t kVersion = 1;
constexpr uint64_t kBeginningBytes = 24;  // magic, version, size of the header, checksum
constexpr uint64_t kMaxBytes = uint64_t{256} << 20;
constexpr uint64_t kMaxHeaderBytes = uint64_t{64} << 10;

// FNV-1a of 64 bits: against damage, not against malice.
uint64_t Checksum(std::string_view bytes) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : bytes) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3u;
  return hash;
}

class NumberReader {
 public:
  NumberReader(std::string_view bytes, std::string_view file) : bytes_(bytes), file_(file) {}

  absl::StatusOr<uint32_t> Next() {
    uint64_t value = 0;
    for (int shift = 0; shift < 35; shift += 7) {
      if (position_ == bytes_.size())
        return CorruptCheckpoint({file_, ""}, "its lists are cut off");
      const auto byte = static_cast<uint8_t>(bytes_[position_++]);
      value |= uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) {
        if (value > std::numeric_limits<int32_t>::max()) break;
        return static_cast<uint32_t>(value);
      }
    }
    return CorruptCheckpoint({file_, ""}, "a number is too large");
  }

  // `count` ascending ids below `limit`, each as the distance from the one before.
  absl::Status Ids(uint32_t count, int64_t limit, std::vector<int32_t>* out) {
    if (count > bytes_.size() - position_)
      return CorruptCheckpoint({file_, ""}, "a list is longer than the file");
    int64_t id = -1;
    for (uint32_t i = 0; i < count; ++i) {
      ATTEND_ASSIGN_OR_RETURN(const uint32_t distance, Next());
      id += distance;
      if (distance == 0 || id >= limit) {
        return CorruptCheckpoint(
            {file_, ""},
            absl::StrCat("token id ", id, " is out of order or outside the vocabulary of ", limit));
      }
      out->push_back(static_cast<int32_t>(id));
    }
    return absl::OkStatus();
  }

  uint64_t left() const { return bytes_.size() - position_; }

 private:
  std::string_view bytes_, file_;
  size_t position_ = 0;
};

absl::StatusOr<int64_t> VocabSize(const Json& header, std::string_view key, uint64_t most,
                                  const std::string& file) {
  absl::StatusOr<int64_t> size = header.GetInt(key);
  if (!size.ok()) return CorruptJson(file, size.status());
  if (*size > 0 && static_cast<uint64_t>(*size) <= most) return size;
  return CorruptCheckpoint({file, ""}, absl::StrCat(std::string(key), " cannot be ", *size));
}

absl::Status ReadHeader(const Json& header, uint64_t body_bytes, const std::string& file,
                        ShortlistFile* out) {
  if (!header.IsObject()) return CorruptCheckpoint({file, ""}, "the header is no JSON object");
  for (const auto& [key, value] :
       {std::pair<const char*, std::string*>{"model", &out->model}, {"revision", &out->revision}}) {
    absl::StatusOr<std::string> text = header.GetString(key);
    if (!text.ok()) return CorruptJson(file, text.status());
    *value = *std::move(text);
  }
  // Each source token has at least a byte.
  ATTEND_ASSIGN_OR_RETURN(out->source_vocab_size,
                          VocabSize(header, "source_vocab_size", body_bytes, file));
  ATTEND_ASSIGN_OR_RETURN(
      out->target_vocab_size,
      VocabSize(header, "target_vocab_size", std::numeric_limits<int32_t>::max(), file));
  return absl::OkStatus();
}

absl::Status ReadLists(std::string_view body, std::string_view file, ShortlistFile* out) {
  NumberReader numbers(body, file);
  ATTEND_ASSIGN_OR_RETURN(const uint32_t num_always, numbers.Next());
  ATTEND_RETURN_IF_ERROR(numbers.Ids(num_always, out->target_vocab_size, &out->always));
  out->begins.push_back(0);
  for (int64_t token = 0; token < out->source_vocab_size; ++token) {
    // 0: never seen; else one more than the length.
    ATTEND_ASSIGN_OR_RETURN(const uint32_t length, numbers.Next());
    out->is_known.push_back(length > 0);
    if (length > 1) {
      ATTEND_RETURN_IF_ERROR(numbers.Ids(length - 1, out->target_vocab_size, &out->tokens));
    }
    out->begins.push_back(static_cast<uint32_t>(out->tokens.size()));
  }
  if (numbers.left() == 0) return absl::OkStatus();
  return CorruptCheckpoint({file, ""},
                           absl::StrCat(numbers.left(), " bytes are left after the lists"));
}

}  // namespace

absl::StatusOr<ShortlistFile> ReadShortlist(const ByteSource& source) {
  const std::string& file = source.name();
  if (source.size() < kBeginningBytes || source.size() > kMaxBytes) {
    return CorruptCheckpoint({file, ""},
                             absl::StrCat("no shortlist has ", source.size(), " bytes"));
  }
  ATTEND_ASSIGN_OR_RETURN(const std::string bytes, source.ReadString(0, source.size()));
  const auto* raw = reinterpret_cast<const uint8_t*>(bytes.data());
  if (bytes.compare(0, kMagic.size(), kMagic) != 0)
    return CorruptCheckpoint({file, ""}, "it does not begin as a shortlist does");
  if (LoadU32(raw + 8) != kVersion) {
    return UnsupportedCheckpoint({file, ""},
                                 absl::StrCat("version ", LoadU32(raw + 8), " of the format"));
  }
  const std::string_view rest = std::string_view(bytes).substr(kBeginningBytes);
  const uint64_t header_bytes = LoadU32(raw + 12);
  if (header_bytes > kMaxHeaderBytes || header_bytes > rest.size())
    return CorruptCheckpoint({file, ""}, "its header is cut off");
  if (Checksum(rest) != LoadU64(raw + 16))
    return CorruptCheckpoint({file, ""}, "its checksum is wrong");
  const absl::StatusOr<Json> header = Json::Parse(rest.substr(0, header_bytes), file);
  if (!header.ok()) return CorruptJson(file, header.status());
  const std::string_view body = rest.substr(header_bytes);
  ShortlistFile out;
  ATTEND_RETURN_IF_ERROR(ReadHeader(*header, body.size(), file, &out));
  ATTEND_RETURN_IF_ERROR(ReadLists(body, file, &out));
  return out;
}

}  // namespace attend
