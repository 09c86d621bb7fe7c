// The tiny checkpoints of tests/golden, one of every family, loaded once for a test program.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/checkpoint/json.h"
#include "engine/checkpoint/model_directory.h"
#include "engine/models/model.h"
#include "gtest/gtest.h"

namespace attend {

// Encoder-decoders. minilm_tiny, an encoder alone, has a test of its own.
inline const std::vector<std::string>& GoldenSeq2Seq() {
  static const auto* const names =
      new std::vector<std::string>{"marian_tiny",  "t5_tiny",      "flan_t5_tiny", "bart_tiny",
                                   "mbart50_tiny", "pegasus_tiny", "m2m100_tiny",  "nllb_tiny"};
  return *names;
}

inline std::string GoldenFolder(const std::string& name) {
  return std::string(ATTEND_SOURCE_DIR) + "/tests/golden/" + name;
}

inline const Model& GoldenModel(const std::string& name,
                                ComputeType compute_type = ComputeType::kFloat32) {
  static auto* const loaded =
      new std::map<std::pair<std::string, ComputeType>, std::unique_ptr<Model>>;
  std::unique_ptr<Model>& model = (*loaded)[{name, compute_type}];
  if (model == nullptr) {
    ModelOptions options;
    options.compute_type = compute_type;
    LoadReport report;
    model =
        Model::Load(ModelDirectory::Open(GoldenFolder(name) + "/model").value(), options, &report)
            .value();
  }
  return *model;
}

inline double Number(const Json& json, const char* key) { return json.GetNumber(key).value(); }
inline std::vector<Json> List(const Json& json, const char* key) {
  return json.Get(key).value().Elements();
}
inline std::vector<int32_t> Ids(const Json& json) {
  const std::vector<int64_t> wide = json.AsInts().value();
  return {wide.begin(), wide.end()};
}
inline std::vector<int32_t> Ids(const Json& json, const char* key) {
  return Ids(json.Get(key).value());
}

// Golden files have seven digits; torch's own fp32 rounding on these weights is up to 2e-5.
constexpr double kRelative = 1e-4, kAbsolute = 1e-5;

// How far the figures of one kind were off, for the table in docs/numerics.md.
class LargestError {
 public:
  explicit LargestError(std::string what) : what_(std::move(what)) {}
  ~LargestError() { ::testing::Test::RecordProperty(what_, absl::StrCat(largest_)); }
  void Expect(double expected, double found, const std::string& where) {
    const double error = std::abs(found - expected);
    largest_ = std::max(largest_, error);
    EXPECT_LE(error, kAbsolute + kRelative * std::abs(expected))
        << what_ << ", " << where << ": expected " << expected << ", found " << found;
  }
  double value() const { return largest_; }

 private:
  std::string what_;
  double largest_ = 0;
};

}  // namespace attend
