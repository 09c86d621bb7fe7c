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
#include "engine/tensor/matrix.h"

namespace attend {

struct LoadReport {
  int64_t num_tensors = 0;           // read
  int64_t num_parameters = 0;        // elements read
  int64_t weight_bytes = 0;          // bytes held in memory for them after loading
  std::string stored_type;           // "F16", or "F16+F32" when mixed
  std::vector<std::string> files;    // files that tensors came from
  std::vector<std::string> ignored;  // stored tensors that were not needed, and why that is fine
  double seconds = 0;                // wall time of the load
};

class WeightReader {
 public:
  // Borrows the checkpoint.
  explicit WeightReader(const Checkpoint& checkpoint)
      : checkpoint_(checkpoint), start_(absl::Now()) {}

  bool Has(std::string_view name) const { return checkpoint_.Find(name) != nullptr; }

  // The tensor as float32, converted from F32, F16, BF16 or F64. A vector [n] comes as a 1 x n
  // matrix, a tensor of more than two dimensions as its first dimension x the product of the
  // others. NOT_FOUND / TENSOR_MISSING (naming every alias tried), FAILED_PRECONDITION /
  // MODEL_FAILED (file, tensor, expected and found shape or type).
  absl::StatusOr<Matrix> Read(std::string_view name, const Shape& expected);
  // The first of several names that exists: tied weights are stored once, under any of their names.
  // Marks every alias that exists as read.
  absl::StatusOr<Matrix> ReadAny(const std::vector<std::string>& names, const Shape& expected);

  // Marks a tensor as not needed, with the reason for the report.
  void Ignore(std::string_view name, std::string_view why);

  // FAILED_PRECONDITION when stored tensors were neither read nor ignored (names up to ten); fills
  // the report.
  absl::Status Finish(LoadReport* report);

 private:
  const Checkpoint& checkpoint_;
  const absl::Time start_;  // LoadReport::seconds counts from here
  std::set<std::string, std::less<>> used_;
  LoadReport report_;
  std::set<std::string> types_;
  std::set<std::string> files_;
};

}  // namespace attend
