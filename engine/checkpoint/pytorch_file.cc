// The pickle describes each tensor as offset, sizes and strides within a storage. All of these
// numbers are checked against the storage's bytes, so that a layout which leaves here lies within
// the file.
#include "engine/checkpoint/pytorch_file.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/checkpoint/checkpoint_error.h"
#include "engine/checkpoint/pytorch_storages.h"

namespace attend {
namespace {

// Before 0.1.10 torch wrote tar archives.
constexpr std::string_view kTarMark = "ustar";
constexpr uint64_t kTarMarkOffset = 257;

// offset + sum of (dimension - 1) * stride: the last element that the tensor touches. False when a
// number is negative or the sum does not fit. REQUIRES: no dimension is zero.
bool ComputeLastElement(const PickledTensor& tensor, int64_t* last) {
  *last = tensor.offset;
  for (size_t i = 0; i < tensor.shape.size(); ++i) {
    int64_t span = 0;
    if (tensor.strides[i] < 0 ||
        __builtin_mul_overflow(tensor.shape[i] - 1, tensor.strides[i], &span) ||
        __builtin_add_overflow(*last, span, last)) {
      return false;
    }
  }
  return tensor.offset >= 0;
}

bool IsRowMajor(const PickledTensor& tensor) {
  int64_t expected = 1;
  for (size_t i = tensor.shape.size(); i-- > 0;) {
    if (tensor.shape[i] == 1) continue;  // its stride is never used
    if (tensor.strides[i] != expected) return false;
    expected *= tensor.shape[i];
  }
  return true;
}

class LayoutMaker {
 public:
  LayoutMaker(const PytorchStorages& stored, const ByteSource& source)
      : stored_(stored), file_(source.name()), strided_budget_(2 * source.size()) {}

  absl::StatusOr<TensorLayout> Make(const PickledTensor& tensor) {
    const CheckpointPlace place{file_, tensor.name};
    const auto storage = stored_.storages.find(tensor.storage);
    if (storage == stored_.storages.end()) {
      return CorruptTensor(
          place, absl::StrCat("its storage '", Printable(tensor.storage), "' in the file"), "none");
    }
    const ByteRange& range = storage->second;
    const uint64_t element = ByteSize(tensor.type);
    if (tensor.storage_elements < 0 || range.size % element != 0 ||
        static_cast<uint64_t>(tensor.storage_elements) != range.size / element) {
      return CorruptTensor(place,
                           absl::StrCat("a storage of ", tensor.storage_elements, " elements of ",
                                        Name(tensor.type)),
                           absl::StrCat(range.size, " bytes"));
    }
    const std::string described =
        absl::StrCat("shape ", ToString(tensor.shape), " with strides ", ToString(tensor.strides),
                     " and offset ", tensor.offset);
    TensorLayout layout;
    layout.type = tensor.type;
    layout.shape = tensor.shape;
    if (!ComputeTensorBytes(tensor.type, tensor.shape, INT64_MAX, &layout.num_bytes)) {
      return CorruptTensor(place, "dimensions of a tensor", described);
    }
    layout.begin = range.begin;
    if (layout.num_bytes == 0) return layout;
    int64_t last = 0;
    if (!ComputeLastElement(tensor, &last) || last >= tensor.storage_elements) {
      return CorruptTensor(
          place, absl::StrCat("a window on its storage of ", tensor.storage_elements, " elements"),
          described);
    }
    layout.begin += static_cast<uint64_t>(tensor.offset) * element;
    if (IsRowMajor(tensor)) return layout;
    // Strides of zero make large tensors of small storages.
    if (layout.num_bytes > strided_budget_) {
      return CorruptTensor(place, "as many elements as its storage has, more or less",
                           absl::StrCat(described, ": more often repeated than is plausible"));
    }
    strided_budget_ -= layout.num_bytes;
    layout.strides = tensor.strides;
    return layout;
  }

 private:
  const PytorchStorages& stored_;
  std::string_view file_;
  uint64_t strided_budget_;  // bytes that tensors which are not row-major may still have
};

absl::StatusOr<PytorchStorages> ReadStorages(const ByteSource& source) {
  const uint64_t head_size = std::min<uint64_t>(source.size(), kTarMarkOffset + kTarMark.size());
  ATTEND_ASSIGN_OR_RETURN(const std::string head, source.ReadString(0, head_size));
  if (absl::StartsWith(head, std::string(kPytorchMagic))) {
    return ReadPytorchPickles(source, kPytorchMagic.size());
  }
  if (head_size == kTarMarkOffset + kTarMark.size() &&
      std::string_view(head).substr(kTarMarkOffset) == kTarMark) {
    return UnsupportedCheckpoint(
        {source.name(), ""},
        "a tar archive, as torch before 0.1.10 wrote it; convert it with a current torch: "
        "torch.save(torch.load(path), path), or save it as safetensors");
  }
  return ReadPytorchZip(source);
}

}  // namespace

absl::StatusOr<std::vector<NamedTensor>> ParsePytorchFile(const ByteSource& source) {
  ATTEND_ASSIGN_OR_RETURN(const PytorchStorages stored, ReadStorages(source));
  LayoutMaker maker(stored, source);
  std::vector<NamedTensor> tensors;
  tensors.reserve(stored.tensors.size());
  for (const PickledTensor& tensor : stored.tensors) {
    ATTEND_ASSIGN_OR_RETURN(TensorLayout layout, maker.Make(tensor));
    tensors.push_back({tensor.name, std::move(layout)});
  }
  return tensors;
}

}  // namespace attend
