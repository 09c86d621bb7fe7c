// Hands a model its weights, one checked tensor at a time, and at the end says what was left over.
// Every load ends in a report: a missing tensor or a wrong shape is an error here and now; a tensor
// nobody asked for is an error too unless the family calls it ignorable. (Silent partial loading is
// the most expensive bug of this field.)
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "engine/checkpoint/checkpoint.h"
#include "engine/checkpoint/checkpoint_error.h"  // CheckpointPlace
#include "engine/checkpoint/load_report.h"
#include "engine/tensor/matrix.h"

namespace attend {

class WeightReader {
 public:
  // Borrows the checkpoint.
  explicit WeightReader(const Checkpoint& checkpoint)
      : checkpoint_(checkpoint), start_(absl::Now()) {}

  bool Has(std::string_view name) const { return checkpoint_.Find(name) != nullptr; }

  // The tensor as float32, converted from F32, F16, BF16 or F64. A vector [n] comes as a 1 x n
  // matrix, a tensor of more than two dimensions as its first dimension x the product of the
  // others. Errors name file, tensor, expected and found: NOT_FOUND / TENSOR_MISSING (naming every
  // alias tried), FAILED_PRECONDITION / MODEL_FAILED for another shape or type,
  // RESOURCE_EXHAUSTED / MODEL_FAILED when memory is short, DATA_LOSS / CHECKPOINT_CORRUPT when the
  // file has become shorter.
  absl::StatusOr<Matrix> Read(std::string_view name, const Shape& expected);
  // The first of several names that exists: tied weights are stored once, under any of their names,
  // or several times. Every other one that exists counts as read, must have the same shape and a
  // floating-point type, and is reported where its numbers differ.
  absl::StatusOr<Matrix> ReadAny(const std::vector<std::string>& names, const Shape& expected);
  // Marks a tensor as used without reading it: its contents are known from elsewhere. Checks and
  // reports what ReadAny does, but for the numbers.
  absl::Status Claim(const std::vector<std::string>& names, const Shape& expected);
  // For errors: the first of the names that exists and its file, or the first of all and the file
  // that should hold it. Points into the names and the checkpoint.
  CheckpointPlace PlaceOf(const std::vector<std::string>& names) const;

  // Marks a tensor as not needed, with the reason for the report.
  void Ignore(std::string_view name, std::string_view why);

  // FAILED_PRECONDITION when stored tensors were neither read nor ignored (names file and up to ten
  // of them); fills the report.
  absl::Status Finish(LoadReport* report);

 private:
  // The stored names among `names`, all marked as used; the first has the right shape and type.
  absl::StatusOr<std::vector<std::string>> Use(const std::vector<std::string>& names,
                                               const Shape& expected);
  void Report(std::string_view name, const StoredTensor& stored);
  // What is the case with another name of a tensor that has been read.
  absl::Status CheckAlias(const std::string& alias, std::string_view used_name, const Matrix& used);

  const Checkpoint& checkpoint_;
  const absl::Time start_;  // LoadReport::seconds counts from here
  std::set<std::string, std::less<>> used_;
  LoadReport report_;
  std::set<std::string> types_;
  std::set<std::string> files_;
};

}  // namespace attend
