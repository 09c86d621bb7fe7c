// The header is read first and every number in it is checked against the file's size before
// anything points anywhere: a view that leaves this file is good for its whole length.
#include "engine/checkpoint/safetensors.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/checkpoint/checkpoint_error.h"
#include "engine/checkpoint/json.h"

namespace attend {
namespace {

constexpr uint64_t kMaxHeaderBytes = 100000000;  // the reference implementation's limit
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
  uint64_t begin = 0, end = 0;  // within the tensors' bytes
};

class HeaderReader {
 public:
  HeaderReader(std::string_view file, absl::Span<const uint8_t> content)
      : file_(file), content_(content) {}

  absl::StatusOr<Entry> ReadEntry(const std::string& name, const Json& json) const {
    const CheckpointPlace place{file_, name};
    if (!json.IsObject()) return CorruptCheckpoint(place, "its header entry is not an object");
    Entry entry;
    entry.tensor.name = name;
    ATTEND_ASSIGN_OR_RETURN(entry.tensor.view.type, ReadType(place, json));
    ATTEND_ASSIGN_OR_RETURN(const std::vector<int64_t> dimensions, ReadInts(place, json, "shape"));
    ATTEND_ASSIGN_OR_RETURN(const std::vector<int64_t> offsets,
                            ReadInts(place, json, "data_offsets"));
    if (dimensions.size() > kMaxDimensions) {
      return CorruptCheckpoint(place, absl::StrCat("expected at most ", kMaxDimensions,
                                                   " dimensions, found ", dimensions.size()));
    }
    entry.tensor.view.shape.assign(dimensions.begin(), dimensions.end());
    if (offsets.size() != 2 || offsets[0] < 0 || offsets[1] < offsets[0] ||
        static_cast<uint64_t>(offsets[1]) > content_.size()) {
      return CorruptCheckpoint(
          place, absl::StrCat("expected data_offsets [begin, end] within ", content_.size(),
                              " bytes, found ", Print(offsets)));
    }
    entry.begin = static_cast<uint64_t>(offsets[0]);
    entry.end = static_cast<uint64_t>(offsets[1]);
    uint64_t num_bytes = 0;
    if (!ComputeTensorBytes(entry.tensor.view.type, entry.tensor.view.shape, content_.size(),
                            &num_bytes) ||
        num_bytes != entry.end - entry.begin) {
      return CorruptCheckpoint(
          place, absl::StrCat("shape ", ToString(entry.tensor.view.shape), " of ",
                              Name(entry.tensor.view.type), " does not take the ",
                              entry.end - entry.begin, " bytes of data_offsets ", Print(offsets)));
    }
    entry.tensor.view.data = content_.data() + entry.begin;
    entry.tensor.view.num_bytes = num_bytes;
    return entry;
  }

 private:
  absl::StatusOr<DataType> ReadType(const CheckpointPlace& place, const Json& json) const {
    const absl::StatusOr<std::string> name = json.GetString("dtype");
    if (!name.ok())
      return CorruptCheckpoint(place, "expected a string 'dtype' in its header entry");
    if (const std::optional<DataType> type = ParseType(*name); type.has_value()) return *type;
    if (IsOtherType(*name))
      return UnsupportedCheckpoint(place, absl::StrCat("type ", *name, " is not supported"));
    return CorruptCheckpoint(place, absl::StrCat("unknown dtype '", Printable(*name), "'"));
  }

  absl::StatusOr<std::vector<int64_t>> ReadInts(const CheckpointPlace& place, const Json& json,
                                                const char* key) const {
    if (const absl::StatusOr<Json> list = json.Get(key); list.ok()) {
      if (absl::StatusOr<std::vector<int64_t>> ints = list->AsInts(); ints.ok())
        return *std::move(ints);
    }
    return CorruptCheckpoint(
        place, absl::StrCat("expected an array of integers '", key, "' in its header entry"));
  }

  static std::string Print(const std::vector<int64_t>& numbers) {
    return ToString(Shape(numbers.begin(), numbers.begin() + static_cast<int64_t>(std::min<size_t>(
                                                                 numbers.size(), 8))));
  }

  std::string_view file_;
  absl::Span<const uint8_t> content_;
};

absl::Status CheckCoverage(std::string_view file, const std::vector<Entry>& entries,
                           uint64_t content_size) {
  uint64_t position = 0;
  for (const Entry& entry : entries) {
    if (entry.begin != position) {
      return CorruptCheckpoint(
          {file, entry.tensor.name},
          absl::StrCat(entry.begin < position ? "overlaps the tensor before it" : "leaves a gap",
                       ": expected to begin at byte ", position, ", found ", entry.begin));
    }
    position = entry.end;
  }
  if (position != content_size) {
    return CorruptCheckpoint(
        {file, ""}, absl::StrCat("the header describes ", position, " bytes of tensors, found ",
                                 content_size, " (truncated or overlong)"));
  }
  return absl::OkStatus();
}

}  // namespace

bool ComputeTensorBytes(DataType type, const Shape& shape, uint64_t limit, uint64_t* num_bytes) {
  uint64_t total = ByteSize(type);
  bool is_empty = false;
  for (int64_t dimension : shape) {
    if (dimension < 0) return false;
    if (dimension == 0) is_empty = true;
  }
  // NumElements() of a view must not overflow either, not even on its way to a zero dimension.
  for (int64_t dimension : shape) {
    if (dimension != 0 &&
        total > static_cast<uint64_t>(INT64_MAX) / static_cast<uint64_t>(dimension))
      return false;
    if (dimension != 0) total *= static_cast<uint64_t>(dimension);
  }
  *num_bytes = is_empty ? 0 : total;
  return *num_bytes <= limit;
}

absl::StatusOr<std::vector<NamedTensor>> ParseSafetensors(absl::Span<const uint8_t> bytes,
                                                          std::string_view file) {
  if (bytes.size() < 8) {
    return CorruptCheckpoint({file, ""},
                             absl::StrCat("expected at least 8 bytes, found ", bytes.size()));
  }
  uint64_t header_size = 0;
  for (int i = 0; i < 8; ++i)
    header_size |= static_cast<uint64_t>(bytes[static_cast<size_t>(i)]) << (8 * i);
  if (header_size > kMaxHeaderBytes || header_size > bytes.size() - 8) {
    return CorruptCheckpoint(
        {file, ""}, absl::StrCat("expected a header of at most ",
                                 std::min<uint64_t>(kMaxHeaderBytes, bytes.size() - 8),
                                 " bytes, found a size of ", header_size, " (truncated?)"));
  }
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + 8, header_size);
  if (text.empty() || text[0] != '{')
    return CorruptCheckpoint({file, ""}, "the header is not a JSON object");
  const absl::StatusOr<Json> header = Json::Parse(text, file);
  if (!header.ok()) {
    return CorruptCheckpoint({file, ""},
                             absl::StrCat("header: ", std::string(header.status().message())));
  }
  const HeaderReader reader(file, bytes.subspan(8 + header_size));
  std::vector<Entry> entries;
  for (const std::string& name : header->Keys()) {
    const absl::StatusOr<Json> json = header->Get(name);
    if (!json.ok()) return CorruptCheckpoint({file, name}, "its header entry is null");
    if (name == "__metadata__") {
      if (!json->IsObject()) return CorruptCheckpoint({file, ""}, "__metadata__ is not an object");
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
  ATTEND_RETURN_IF_ERROR(CheckCoverage(file, entries, bytes.size() - 8 - header_size));
  std::vector<NamedTensor> tensors;
  tensors.reserve(entries.size());
  for (Entry& entry : entries) tensors.push_back(std::move(entry.tensor));
  return tensors;
}

}  // namespace attend
