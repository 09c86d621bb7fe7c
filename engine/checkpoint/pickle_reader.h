// Reads the pickle that torch.save writes for a state dict, and nothing else. The full pickle
// language is a program that may call anything; this reader knows numbers, strings, tuples, lists,
// dicts, and by name the few torch functions that stand for tensors. Nothing is ever called. Any
// other name is refused, and the refusal says which.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/tensor/data_type.h"
#include "engine/tensor/shape.h"

namespace attend {

// A tensor as the pickle describes it; nothing in it has been checked against a storage yet.
struct PickledTensor {
  std::string name;
  DataType type = DataType::kF32;
  std::string storage;           // key of the storage: its bytes lie elsewhere in the file
  int64_t storage_elements = 0;  // how many elements the pickle says that the storage has
  int64_t offset = 0;            // of the first element, in elements
  Shape shape;
  Shape strides;  // in elements, one per dimension
};

// No state dict comes near it: the largest models have a few thousand tensors, of some 150 bytes.
constexpr size_t kMaxPickleBytes = size_t{16} << 20;

// The tensors of a pickled dict from names to tensors, in its order. DATA_LOSS for malformed bytes,
// UNIMPLEMENTED for what is well formed and not a plain state dict. Time and memory are linear in
// the size of `bytes`, and bounded.
absl::StatusOr<std::vector<PickledTensor>> ParseStateDict(absl::Span<const uint8_t> bytes,
                                                          std::string_view file);

// Several pickles in a row, as torch wrote them before 1.6, taken one after the other. Each Take
// fails as ParseStateDict does, also when the next pickle is of another kind; after a failure there
// is nothing more to take.
class PickleStream {
 public:
  // Borrows the bytes.
  PickleStream(absl::Span<const uint8_t> bytes, std::string_view file)
      : bytes_(bytes), file_(file) {}

  absl::StatusOr<int64_t> TakeInt();
  // A dict in which `key` stands for a bool; that bool.
  absl::StatusOr<bool> TakeFlag(std::string_view key);
  absl::StatusOr<std::vector<std::string>> TakeStrings();  // a list of them
  absl::StatusOr<std::vector<PickledTensor>> TakeStateDict();
  // Where the next pickle begins.
  size_t position() const { return position_; }

 private:
  absl::Span<const uint8_t> bytes_;
  std::string file_;
  size_t position_ = 0;
};

}  // namespace attend
