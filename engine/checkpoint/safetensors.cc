// Every number of the header is checked against the file's size before anything is made of it: a
// layout that leaves here lies within the file for its whole length.
#include "engine/checkpoint/safetensors.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/checkpoint/checkpoint_error.h"
#include "engine/checkpoint/json.h"
#include "engine/checkpoint/little_endian.h"

namespace attend {
namespace {

// The reference implementation allows 100 MB; the largest models need less than one, and what a
// header becomes in memory is many times its size.
constexpr uint64_t kMaxHeaderBytes = uint64_t{16} << 20;
constexpr size_t kMaxDimensions = 16;

std::optional<DataType> ParseType(std::string_view name) {
  for (DataType type :
       {DataType::kF32, DataType::kF16, DataType::kBF16, DataType::kF64, DataType::kI64,
        DataType::kI32, DataType::kI16, DataType::kI8, DataType::kU8, DataType::kBool}) {
    if (name == Name(type)) return type;
  }
  return std::nullopt;
}

// Types that the format has and Attend has no use for.
bool IsOtherType(std::string_view name) {
  for (const char* other :
       {"U16", "U32", "U64", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F4", "F6_E2M3", "F6_E3M2", "C64"}) {
    if (name == other) return true;
  }
  return false;
}

struct Entry {
  NamedTensor tensor;
  uint64_t begin = 0, end = 0;  // behind the header
};

std::string Print(const std::vector<int64_t>& numbers) {
  constexpr size_t kMostPrinted = 8;
  const size_t count = std::min(numbers.size(), kMostPrinted);
  return ToString(Shape(numbers.begin(), numbers.begin() + static_cast<int64_t>(count)));
}

std::string TypeOf(const Json& json, const char* key) {
  const absl::StatusOr<Json> value = json.Get(key);
  if (!value.ok()) return "none";
  return value->IsArray() ? "an array of something else" : value->TypeName();
}

class HeaderReader {
 public:
  // `content_bytes` follow the header, from byte `content_begin` on.
  HeaderReader(std::string_view file, uint64_t content_begin, uint64_t content_bytes)
      : file_(file), content_begin_(content_begin), content_bytes_(content_bytes) {}

  absl::StatusOr<Entry> ReadEntry(const std::string& name, const Json& json) const {
    const CheckpointPlace place{file_, name};
    if (!json.IsObject()) {
      return CorruptTensor(place, "an object as its header entry", json.TypeName());
    }
    Entry entry;
    entry.tensor.name = name;
    TensorLayout& layout = entry.tensor.layout;
    ATTEND_ASSIGN_OR_RETURN(layout.type, ReadType(place, json));
    ATTEND_ASSIGN_OR_RETURN(const std::vector<int64_t> dimensions, ReadInts(place, json, "shape"));
    ATTEND_ASSIGN_OR_RETURN(const std::vector<int64_t> offsets,
                            ReadInts(place, json, "data_offsets"));
    if (dimensions.size() > kMaxDimensions) {
      return CorruptTensor(place, absl::StrCat("at most ", kMaxDimensions, " dimensions"),
                           absl::StrCat(dimensions.size()));
    }
    layout.shape.assign(dimensions.begin(), dimensions.end());
    if (offsets.size() != 2 || offsets[0] < 0 || offsets[1] < offsets[0] ||
        static_cast<uint64_t>(offsets[1]) > content_bytes_) {
      return CorruptTensor(
          place, absl::StrCat("data_offsets [begin, end] within ", content_bytes_, " bytes"),
          Print(offsets));
    }
    entry.begin = static_cast<uint64_t>(offsets[0]);
    entry.end = static_cast<uint64_t>(offsets[1]);
    uint64_t num_bytes = 0;
    if (!ComputeTensorBytes(layout.type, layout.shape, content_bytes_, &num_bytes) ||
        num_bytes != entry.end - entry.begin) {
      return CorruptTensor(
          place,
          absl::StrCat("the bytes of shape ", ToString(layout.shape), " of ", Name(layout.type)),
          absl::StrCat("the ", entry.end - entry.begin, " bytes of data_offsets ", Print(offsets)));
    }
    layout.begin = content_begin_ + entry.begin;
    layout.num_bytes = num_bytes;
    return entry;
  }

 private:
  absl::StatusOr<DataType> ReadType(const CheckpointPlace& place, const Json& json) const {
    const absl::StatusOr<std::string> name = json.GetString("dtype");
    if (!name.ok()) {
      return CorruptTensor(place, "a string 'dtype' in its header entry", TypeOf(json, "dtype"));
    }
    if (const std::optional<DataType> type = ParseType(*name); type.has_value()) return *type;
    if (IsOtherType(*name))
      return UnsupportedCheckpoint(place, absl::StrCat("type ", *name, " is not supported"));
    return CorruptTensor(place, "a known dtype", absl::StrCat("'", Printable(*name), "'"));
  }

  absl::StatusOr<std::vector<int64_t>> ReadInts(const CheckpointPlace& place, const Json& json,
                                                const char* key) const {
    if (const absl::StatusOr<Json> list = json.Get(key); list.ok()) {
      if (absl::StatusOr<std::vector<int64_t>> ints = list->AsInts(); ints.ok())
        return *std::move(ints);
    }
    return CorruptTensor(place,
                         absl::StrCat("an array of integers '", key, "' in its header entry"),
                         TypeOf(json, key));
  }

  std::string_view file_;
  uint64_t content_begin_, content_bytes_;
};

absl::Status CheckCoverage(std::string_view file, const std::vector<Entry>& entries,
                           uint64_t content_size) {
  uint64_t position = 0;
  for (const Entry& entry : entries) {
    if (entry.begin != position) {
      return CorruptTensor(
          {file, entry.tensor.name},
          absl::StrCat("its beginning at byte ", position, " of the tensors"),
          absl::StrCat(entry.begin, entry.begin < position ? ": it overlaps the tensor before it"
                                                           : ": it leaves a gap"));
    }
    position = entry.end;
  }
  if (position != content_size) {
    return CorruptTensor({file, ""},
                         absl::StrCat("the ", position, " bytes of its header's tensors"),
                         absl::StrCat(content_size, " (truncated or overlong)"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<NamedTensor>> ParseSafetensors(const ByteSource& source) {
  const std::string& file = source.name();
  if (source.size() < 8) {
    return CorruptTensor({file, ""}, "at least 8 bytes", absl::StrCat(source.size()));
  }
  uint8_t size_bytes[8];
  ATTEND_RETURN_IF_ERROR(source.Read(0, size_bytes));
  const uint64_t header_size = LoadU64(size_bytes);
  const uint64_t most = std::min(kMaxHeaderBytes, source.size() - 8);
  if (header_size > most) {
    return CorruptTensor({file, ""}, absl::StrCat("a header of at most ", most, " bytes"),
                         absl::StrCat("a size of ", header_size, " (truncated?)"));
  }
  ATTEND_ASSIGN_OR_RETURN(const std::string text, source.ReadString(8, header_size));
  if (text.empty() || text[0] != '{') {
    return CorruptTensor({file, ""}, "a JSON object as header", "something else");
  }
  const absl::StatusOr<Json> header = Json::Parse(text, "header");
  if (!header.ok()) {
    if (header.status().code() != absl::StatusCode::kInvalidArgument) return header.status();
    return CorruptCheckpoint({file, ""}, std::string(header.status().message()));
  }
  const uint64_t content_begin = 8 + header_size, content_bytes = source.size() - content_begin;
  const HeaderReader reader(file, content_begin, content_bytes);
  std::vector<Entry> entries;
  for (const std::string& name : header->Keys()) {
    const absl::StatusOr<Json> json = header->Get(name);
    if (!json.ok()) return CorruptTensor({file, name}, "an object as its header entry", "null");
    if (name == "__metadata__") {
      if (!json->IsObject()) {
        return CorruptTensor({file, ""}, "an object '__metadata__' in the header",
                             json->TypeName());
      }
      continue;
    }
    if (name.empty()) return CorruptCheckpoint({file, ""}, "a tensor has an empty name");
    ATTEND_ASSIGN_OR_RETURN(Entry entry, reader.ReadEntry(name, *json));
    entries.push_back(std::move(entry));
  }
  // Empty tensors sort before the tensor that begins where they lie.
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::make_pair(a.begin, a.end) < std::make_pair(b.begin, b.end);
  });
  ATTEND_RETURN_IF_ERROR(CheckCoverage(file, entries, content_bytes));
  std::vector<NamedTensor> tensors;
  tensors.reserve(entries.size());
  for (Entry& entry : entries) tensors.push_back(std::move(entry.tensor));
  return tensors;
}

}  // namespace attend
