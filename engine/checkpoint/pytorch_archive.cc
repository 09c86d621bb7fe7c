// The pickle describes each tensor as offset, sizes and strides within a storage, and the storage's
// bytes are the member NAME/data/KEY. Most tensors are row-major there and become views; a
// transposed or otherwise strided one is copied into row-major order, element by element.
#include "engine/checkpoint/pytorch_archive.h"

#include <cstring>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/checkpoint/checkpoint_error.h"
#include "engine/checkpoint/pickle_reader.h"
#include "engine/checkpoint/zip_archive.h"

namespace attend {
namespace {

constexpr std::string_view kPickleName = "/data.pkl";

// The format before 1.6 is a bare pickle that begins with a magic number; the one before 0.1.10 was
// a tar archive.
bool IsOldFormat(absl::Span<const uint8_t> bytes) {
  static constexpr uint8_t kMagic[] = {0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c,
                                       0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19};
  if (bytes.size() >= sizeof(kMagic) && std::memcmp(bytes.data(), kMagic, sizeof(kMagic)) == 0)
    return true;
  return bytes.size() >= 262 && std::memcmp(bytes.data() + 257, "ustar", 5) == 0;
}

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

// REQUIRES: every element lies in the storage; no dimension is zero; `out` has num_bytes bytes.
void CopyRowMajor(const PickledTensor& tensor, const uint8_t* storage, std::vector<uint8_t>* out) {
  const size_t element = ByteSize(tensor.type);
  Shape strides = tensor.strides;
  for (size_t d = 0; d < strides.size(); ++d) {
    // Where there is one element the stride means nothing, may be any number, and must not take
    // part in sums.
    if (tensor.shape[d] == 1) strides[d] = 0;
  }
  Shape index(tensor.shape.size(), 0);
  int64_t source = tensor.offset;
  for (size_t at = 0; at < out->size(); at += element) {
    std::memcpy(out->data() + at, storage + static_cast<size_t>(source) * element, element);
    for (size_t d = index.size(); d-- > 0;) {  // an odometer whose last dimension turns fastest
      source += strides[d];
      if (++index[d] < tensor.shape[d]) break;
      source -= tensor.shape[d] * strides[d];
      index[d] = 0;
    }
  }
}

class ArchiveReader {
 public:
  ArchiveReader(absl::Span<const uint8_t> bytes, std::string_view file)
      : file_(file), copy_budget_(2 * static_cast<uint64_t>(bytes.size())), bytes_(bytes) {}

  absl::StatusOr<PytorchTensors> Read() {
    ATTEND_ASSIGN_OR_RETURN(members_, ReadZipArchive(bytes_, file_));
    ATTEND_RETURN_IF_ERROR(FindFolder());
    ATTEND_RETURN_IF_ERROR(CheckByteOrder());
    const absl::Span<const uint8_t> pickle =
        members_.find(absl::StrCat(folder_, std::string(kPickleName)))->second;
    ATTEND_ASSIGN_OR_RETURN(const std::vector<PickledTensor> pickled,
                            ParseStateDict(pickle, file_));
    PytorchTensors result;
    for (const PickledTensor& tensor : pickled) {
      ATTEND_ASSIGN_OR_RETURN(TensorView view, MakeView(tensor, &result.copies));
      result.tensors.push_back({tensor.name, std::move(view)});
    }
    return result;
  }

 private:
  // All members lie in one folder, whose name is whatever the file was called when it was saved.
  absl::Status FindFolder() {
    for (const auto& [name, content] : members_) {
      if (!absl::EndsWith(name, std::string(kPickleName))) continue;
      const std::string folder = name.substr(0, name.size() - kPickleName.size());
      if (!IsPlainFileName(folder)) continue;
      if (!folder_.empty()) return CorruptCheckpoint({file_, ""}, "it holds two pickles");
      folder_ = folder;
    }
    if (folder_.empty())
      return CorruptCheckpoint({file_, ""}, "not written by torch.save: it holds no data.pkl");
    return absl::OkStatus();
  }

  absl::Status CheckByteOrder() const {
    const auto found = members_.find(folder_ + "/byteorder");
    if (found == members_.end()) return absl::OkStatus();  // torch before 2.1 wrote none
    const std::string_view order(reinterpret_cast<const char*>(found->second.data()),
                                 found->second.size());
    if (order == "little") return absl::OkStatus();
    return UnsupportedCheckpoint(
        {file_, ""}, absl::StrCat("expected byte order little, found ", Printable(order)));
  }

  absl::StatusOr<TensorView> MakeView(const PickledTensor& tensor,
                                      std::vector<std::vector<uint8_t>>* copies) {
    const CheckpointPlace place{file_, tensor.name};
    const auto storage = members_.find(absl::StrCat(folder_, "/data/", tensor.storage));
    if (storage == members_.end()) {
      return CorruptCheckpoint(
          place, absl::StrCat("its storage '", Printable(tensor.storage), "' is missing"));
    }
    const absl::Span<const uint8_t> bytes = storage->second;
    const uint64_t element = ByteSize(tensor.type);
    if (tensor.storage_elements < 0 || bytes.size() % element != 0 ||
        static_cast<uint64_t>(tensor.storage_elements) != bytes.size() / element) {
      return CorruptCheckpoint(
          place, absl::StrCat("expected a storage of ", tensor.storage_elements, " elements of ",
                              Name(tensor.type), ", found ", bytes.size(), " bytes"));
    }
    TensorView view;
    view.type = tensor.type;
    view.shape = tensor.shape;
    uint64_t num_bytes = 0;
    int64_t last = 0;
    const std::string described =
        absl::StrCat("shape ", ToString(tensor.shape), " with strides ", ToString(tensor.strides),
                     " and offset ", tensor.offset);
    if (!ComputeTensorBytes(tensor.type, tensor.shape, INT64_MAX, &num_bytes)) {
      return CorruptCheckpoint(place, absl::StrCat(described, " is not a tensor"));
    }
    view.data = bytes.data();
    view.num_bytes = num_bytes;
    if (num_bytes == 0) return view;
    if (!ComputeLastElement(tensor, &last) || last >= tensor.storage_elements) {
      return CorruptCheckpoint(place, absl::StrCat(described, " does not fit into its storage of ",
                                                   tensor.storage_elements, " elements"));
    }
    if (IsRowMajor(tensor)) {
      view.data = bytes.data() + static_cast<uint64_t>(tensor.offset) * element;
      return view;
    }
    if (num_bytes > copy_budget_) {
      return CorruptCheckpoint(
          place, absl::StrCat(described, " repeats its storage more often than is plausible"));
    }
    copy_budget_ -= num_bytes;
    copies->emplace_back(num_bytes);
    CopyRowMajor(tensor, bytes.data(), &copies->back());
    view.data = copies->back().data();
    return view;
  }

  std::string_view file_;
  uint64_t copy_budget_;  // strides of zero make large tensors of small storages: what copies may
                          // still take
  absl::Span<const uint8_t> bytes_;
  ZipMembers members_;
  std::string folder_;
};

}  // namespace

absl::StatusOr<PytorchTensors> ParsePytorchArchive(absl::Span<const uint8_t> bytes,
                                                   std::string_view file) {
  if (IsOldFormat(bytes)) {
    return UnsupportedCheckpoint(
        {file, ""},
        "written by torch before 1.6, or with _use_new_zipfile_serialization=False; convert it "
        "with a current torch: "
        "torch.save(torch.load(path, weights_only=True), path), or save it as safetensors");
  }
  return ArchiveReader(bytes, file).Read();
}

}  // namespace attend
