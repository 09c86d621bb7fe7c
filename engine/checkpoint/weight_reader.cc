// Every element becomes a float32 on its way in; half-precision formats widen exactly, float64
// rounds. Bookkeeping is by stored name: what was never asked for is still in the difference at the
// end.
#include "engine/checkpoint/weight_reader.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/status_macros.h"

namespace attend {
namespace {

constexpr size_t kMaxNamesInMessage = 10;

template <typename T>
T LoadUnaligned(const uint8_t* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(T));
  return value;
}

float FloatFromBits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

// IEEE binary16: moves sign, exponent and mantissa into binary32 and scales by 2^112 to mend the
// exponent's bias, which also normalises subnormals. Infinity and NaN keep the highest exponent.
float FloatFromHalf(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16;
  const uint32_t magnitude = static_cast<uint32_t>(half & 0x7fffu) << 13;
  if (magnitude >= 0x0f800000u) return FloatFromBits(sign | 0x70000000u | magnitude);
  const float scaled = FloatFromBits(magnitude) * FloatFromBits(0x77800000u);  // 2^112
  return sign != 0 ? -scaled : scaled;
}

// Beyond float32's range C++ leaves the conversion undefined; IEEE rounds to infinity.
float FloatFromDouble(double value) {
  constexpr double kMax = std::numeric_limits<float>::max();
  if (value > kMax) return std::numeric_limits<float>::infinity();
  if (value < -kMax) return -std::numeric_limits<float>::infinity();
  return static_cast<float>(value);
}

// REQUIRES: a floating-point type, and `out` has room for all elements.
void ConvertToFloat(DataType type, absl::Span<const uint8_t> bytes, float* out) {
  const size_t n = bytes.size() / ByteSize(type);
  const uint8_t* in = bytes.data();
  switch (type) {
    case DataType::kF32:
      if (n > 0) std::memcpy(out, in, n * sizeof(float));
      return;
    case DataType::kF16:
      for (size_t i = 0; i < n; ++i) out[i] = FloatFromHalf(LoadUnaligned<uint16_t>(in + 2 * i));
      return;
    case DataType::kBF16:
      for (size_t i = 0; i < n; ++i) {
        out[i] = FloatFromBits(static_cast<uint32_t>(LoadUnaligned<uint16_t>(in + 2 * i)) << 16);
      }
      return;
    case DataType::kF64:
      for (size_t i = 0; i < n; ++i) out[i] = FloatFromDouble(LoadUnaligned<double>(in + 8 * i));
      return;
    case DataType::kI64:
    case DataType::kI32:
    case DataType::kI16:
    case DataType::kI8:
    case DataType::kU8:
    case DataType::kBool:
      break;
  }
  ATTEND_CHECK(false, "only floating-point tensors are converted");
}

bool IsFloatingPoint(DataType type) {
  return type == DataType::kF32 || type == DataType::kF16 || type == DataType::kBF16 ||
         type == DataType::kF64;
}

absl::Status CheckShapeAndType(const StoredTensor& stored, std::string_view name,
                               const Shape& expected) {
  const CheckpointPlace place{stored.file(), name};
  if (stored.layout.shape != expected) {
    return MismatchedTensor(place, absl::StrCat("shape ", ToString(expected)),
                            ToString(stored.layout.shape));
  }
  if (!IsFloatingPoint(stored.layout.type)) {
    return MismatchedTensor(place, "a floating-point type", Name(stored.layout.type));
  }
  return absl::OkStatus();
}

bool LieInOnePlace(const StoredTensor& a, const StoredTensor& b) {
  return a.source == b.source && a.layout.begin == b.layout.begin &&
         a.layout.type == b.layout.type && a.layout.strides == b.layout.strides;
}

}  // namespace

absl::StatusOr<Matrix> WeightReader::Read(std::string_view name, const Shape& expected) {
  return ReadAny({std::string(name)}, expected);
}

CheckpointPlace WeightReader::PlaceOf(const std::vector<std::string>& names) const {
  for (const std::string& name : names) {
    if (const StoredTensor* stored = checkpoint_.Find(name)) return {stored->file(), name};
  }
  return {checkpoint_.name(), names.front()};
}

absl::StatusOr<std::vector<std::string>> WeightReader::Use(const std::vector<std::string>& names,
                                                           const Shape& expected) {
  std::vector<std::string> present;
  for (const std::string& name : names) {
    if (checkpoint_.Find(name) != nullptr) present.push_back(name);
  }
  if (present.empty()) {
    std::string what = absl::StrCat("shape ", ToString(expected));
    if (names.size() > 1) {
      absl::StrAppend(&what, " under this name or '",
                      absl::StrJoin(names.begin() + 1, names.end(), "', '"), "'");
    }
    return MissingTensor(PlaceOf(names), what);
  }
  used_.insert(present.begin(), present.end());
  const std::string& name = present.front();
  ATTEND_RETURN_IF_ERROR(CheckShapeAndType(*checkpoint_.Find(name), name, expected));
  return present;
}

void WeightReader::Report(std::string_view name, const StoredTensor& stored) {
  const TensorLayout& layout = stored.layout;
  ++report_.num_tensors;
  report_.num_parameters += static_cast<int64_t>(layout.num_bytes / ByteSize(layout.type));
  report_.used.push_back(
      {Printable(name), stored.file(), Name(layout.type), static_cast<int64_t>(layout.num_bytes)});
  types_.insert(Name(layout.type));
  files_.insert(stored.file());
}

absl::Status WeightReader::Claim(const std::vector<std::string>& names, const Shape& expected) {
  ATTEND_ASSIGN_OR_RETURN(const std::vector<std::string> present, Use(names, expected));
  Report(present.front(), *checkpoint_.Find(present.front()));
  return absl::OkStatus();
}

absl::StatusOr<Matrix> WeightReader::ReadAny(const std::vector<std::string>& names,
                                             const Shape& expected) {
  ATTEND_ASSIGN_OR_RETURN(const std::vector<std::string> present, Use(names, expected));
  const std::string& name = present.front();
  const StoredTensor& stored = *checkpoint_.Find(name);
  // The shape is the stored one, so its element count is bounded by the file's size.
  const TensorLayout& layout = stored.layout;
  const int64_t count = static_cast<int64_t>(layout.num_bytes / ByteSize(layout.type));
  const int64_t rows = layout.shape.size() >= 2 ? layout.shape[0] : 1;
  std::optional<Matrix> matrix = Matrix::TryCreate(rows, rows > 0 ? count / rows : 0);
  if (!matrix) {
    return NoMemoryFor({stored.file(), name}, static_cast<uint64_t>(count) * sizeof(float));
  }
  float* out = matrix->data();
  ATTEND_RETURN_IF_ERROR(
      ReadElements(*stored.source, layout, name, [&out, &layout](absl::Span<const uint8_t> bytes) {
        ConvertToFloat(layout.type, bytes, out);
        out += bytes.size() / ByteSize(layout.type);
      }));
  for (size_t i = 1; i < present.size(); ++i) {
    ATTEND_RETURN_IF_ERROR(CheckAlias(present[i], name, *matrix));
  }
  Report(name, stored);
  report_.stored_bytes += static_cast<int64_t>(layout.num_bytes);
  report_.weight_bytes += static_cast<int64_t>(matrix->allocated_bytes());
  return *std::move(matrix);
}

absl::Status WeightReader::CheckAlias(const std::string& alias, std::string_view used_name,
                                      const Matrix& used) {
  const StoredTensor &stored = *checkpoint_.Find(alias),
                     &used_stored = *checkpoint_.Find(used_name);
  ATTEND_RETURN_IF_ERROR(CheckShapeAndType(stored, alias, used_stored.layout.shape));
  const auto tied = [&] {
    report_.tied.push_back(absl::StrCat(Printable(alias), " = ", Printable(used_name)));
    return absl::OkStatus();
  };
  if (LieInOnePlace(stored, used_stored)) return tied();
  const DataType type = stored.layout.type;
  const float* expected = used.data();
  bool differs = false;
  ATTEND_RETURN_IF_ERROR(
      ReadElements(*stored.source, stored.layout, alias, [&](absl::Span<const uint8_t> bytes) {
        std::array<float, 1024> numbers;
        const size_t n = bytes.size() / ByteSize(type);
        for (size_t done = 0; done < n && !differs;) {
          const size_t part = std::min(numbers.size(), n - done);
          ConvertToFloat(type, bytes.subspan(done * ByteSize(type), part * ByteSize(type)),
                         numbers.data());
          differs = std::memcmp(numbers.data(), expected + done, part * sizeof(float)) != 0;
          done += part;
        }
        expected += n;
      }));
  if (!differs) return tied();
  report_.ignored.push_back(
      absl::StrCat(Printable(alias), ": differs from ", Printable(used_name), ", which is used"));
  return absl::OkStatus();
}

void WeightReader::Ignore(std::string_view name, std::string_view why) {
  if (checkpoint_.Find(name) == nullptr) return;
  if (!used_.insert(std::string(name)).second) return;
  report_.ignored.push_back(absl::StrCat(Printable(name), ": ", std::string(why)));
}

absl::Status WeightReader::Finish(LoadReport* report) {
  std::vector<std::string> unused;
  size_t num_unused = 0;
  std::string first_file, first_name;
  for (const auto& [name, stored] : checkpoint_.tensors()) {
    if (used_.find(name) != used_.end()) continue;
    if (num_unused++ == 0) {
      first_file = stored.file();
      first_name = name;
    }
    if (unused.size() < kMaxNamesInMessage) unused.push_back(Printable(name));
  }
  report_.stored_type = absl::StrJoin(types_, "+");
  report_.files.assign(files_.begin(), files_.end());
  report_.seconds = absl::ToDoubleSeconds(absl::Now() - start_);
  *report = report_;
  if (num_unused == 0) return absl::OkStatus();
  return MismatchedTensor({first_file, first_name}, "only tensors that belong to this model",
                          absl::StrCat(num_unused, " that do not: ", absl::StrJoin(unused, ", "),
                                       num_unused > unused.size() ? ", ..." : ""));
}

}  // namespace attend
