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
#include "engine/tensor/tensor_view.h"

namespace attend {

// A tensor as the pickle describes it; nothing in it has been checked against a storage yet.
struct PickledTensor {
  std::string name;
  DataType type = DataType::kF32;
  std::string storage;           // key of the storage: its bytes are another member of the archive
  int64_t storage_elements = 0;  // how many elements the pickle says that the storage has
  int64_t offset = 0;            // of the first element, in elements
  Shape shape;
  Shape strides;  // in elements, one per dimension
};

// The tensors of a pickled dict from names to tensors, in its order. DATA_LOSS for malformed bytes,
// UNIMPLEMENTED for what is well formed and not a plain state dict. Time and memory are linear in
// the size of `bytes`, and bounded.
absl::StatusOr<std::vector<PickledTensor>> ParseStateDict(absl::Span<const uint8_t> bytes,
                                                          std::string_view file);

}  // namespace attend
