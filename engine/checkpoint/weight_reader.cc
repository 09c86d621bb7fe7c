// Every element becomes a float32 on its way in; half-precision formats widen exactly, float64
// rounds. Bookkeeping is by stored name: what was never asked for is still in the difference at the
// end.
#include "engine/checkpoint/weight_reader.h"

#include <cstring>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/status_macros.h"
#include "engine/checkpoint/checkpoint_error.h"

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

// REQUIRES: tensor.type is a floating-point type and out has room for all elements.
void ConvertToFloat(const TensorView& tensor, float* out) {
  const size_t n = tensor.num_bytes / ByteSize(tensor.type);
  const uint8_t* in = tensor.data;
  switch (tensor.type) {
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

absl::Status MismatchError(std::string_view name, const StoredTensor& stored,
                           const std::string& expected, const std::string& found) {
  ErrorDetail detail;
  detail.reason = "MODEL_FAILED";
  detail.metadata = {
      {"file", stored.file}, {"tensor", Printable(name)}, {"expected", expected}, {"found", found}};
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   absl::StrCat(stored.file, ": tensor '", Printable(name), "': expected ",
                                expected, ", found ", found),
                   std::move(detail));
}

}  // namespace

absl::StatusOr<Matrix> WeightReader::Read(std::string_view name, const Shape& expected) {
  return ReadAny({std::string(name)}, expected);
}

absl::StatusOr<Matrix> WeightReader::ReadAny(const std::vector<std::string>& names,
                                             const Shape& expected) {
  const StoredTensor* stored = nullptr;
  std::string_view stored_name;
  for (const std::string& name : names) {
    const StoredTensor* found = checkpoint_.Find(name);
    if (found == nullptr) continue;
    used_.insert(name);
    if (stored == nullptr) {
      stored = found;
      stored_name = name;
    }
  }
  if (stored == nullptr) {
    ErrorDetail detail;
    detail.reason = "TENSOR_MISSING";
    detail.resource_type = "tensor";
    detail.resource_name = absl::StrJoin(names, ", ");
    detail.metadata.emplace_back("tensor", detail.resource_name);
    return MakeError(absl::StatusCode::kNotFound,
                     absl::StrCat("the checkpoint has no tensor ",
                                  names.size() > 1 ? "of any of the names " : "", "'",
                                  absl::StrJoin(names, "', '"), "'"),
                     std::move(detail));
  }
  const TensorView& view = stored->view;
  if (view.shape != expected) {
    return MismatchError(stored_name, *stored, absl::StrCat("shape ", ToString(expected)),
                         ToString(view.shape));
  }
  if (!IsFloatingPoint(view.type)) {
    return MismatchError(stored_name, *stored, "a floating-point type", Name(view.type));
  }
  // The shape is the stored one, so its element count is bounded by the file's size.
  const int64_t count = static_cast<int64_t>(view.num_bytes / ByteSize(view.type));
  const int64_t rows = view.shape.size() >= 2 ? view.shape[0] : 1;
  Matrix matrix(rows, rows > 0 ? count / rows : 0);
  ConvertToFloat(view, matrix.data());
  ++report_.num_tensors;
  report_.num_parameters += count;
  report_.weight_bytes += static_cast<int64_t>(matrix.allocated_bytes());
  types_.insert(Name(view.type));
  files_.insert(stored->file);
  return matrix;
}

void WeightReader::Ignore(std::string_view name, std::string_view why) {
  if (checkpoint_.Find(name) == nullptr) return;
  if (!used_.insert(std::string(name)).second) return;
  report_.ignored.push_back(absl::StrCat(Printable(name), ": ", std::string(why)));
}

absl::Status WeightReader::Finish(LoadReport* report) {
  std::vector<std::string> unused;
  size_t num_unused = 0;
  std::string first_file;
  for (const auto& [name, stored] : checkpoint_.tensors()) {
    if (used_.find(name) != used_.end()) continue;
    if (num_unused++ == 0) first_file = stored.file;
    if (unused.size() < kMaxNamesInMessage) unused.push_back(Printable(name));
  }
  report_.stored_type = absl::StrJoin(types_, "+");
  report_.files.assign(files_.begin(), files_.end());
  report_.seconds = absl::ToDoubleSeconds(absl::Now() - start_);
  *report = report_;
  if (num_unused == 0) return absl::OkStatus();
  ErrorDetail detail;
  detail.reason = "MODEL_FAILED";
  detail.metadata = {{"file", first_file}, {"tensor", unused.front()}};
  return MakeError(
      absl::StatusCode::kFailedPrecondition,
      absl::StrCat(num_unused, " stored tensors do not belong to this model: ",
                   absl::StrJoin(unused, ", "), num_unused > unused.size() ? ", ..." : ""),
      std::move(detail));
}

}  // namespace attend
