// Which type a model runs in, and what is kept of its weights for the next load.
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <vector>

#include "engine/models/model.h"
#include "tests/testing/temporary_folder.h"

namespace attend {
namespace {

ModelSpec Marian() {
  ModelSpec spec;
  spec.architecture = "MarianMTModel";
  return spec;
}

ModelDirectory Tiny() {
  return ModelDirectory::Open(ATTEND_SOURCE_DIR "/tests/golden/marian_tiny/model").value();
}

TEST(ComputeTypeTest, NamesAndBack) {
  EXPECT_EQ(ParseComputeType("float32"), ComputeType::kFloat32);
  EXPECT_EQ(ParseComputeType("int8"), ComputeType::kInt8);
  for (const char* other : {"", "auto", "INT8", "float", "int8 "})
    EXPECT_EQ(ParseComputeType(other), std::nullopt) << other;
}

TEST(ComputeTypeTest, AutoAlwaysResolves) {
  const auto type = ResolveComputeType(Marian(), std::nullopt);
  ASSERT_TRUE(type.ok()) << type.status();
  EXPECT_EQ(ResolveComputeType(Marian(), *type).value(), *type) << "what auto is may be asked for";
  EXPECT_EQ(ResolveComputeType(Marian(), ComputeType::kFloat32).value(), ComputeType::kFloat32);
}

TEST(ComputeTypeTest, AModelKnowsItsOwn) {
  LoadReport report;
  const auto model = Model::Load(Tiny(), {}, &report);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ((*model)->compute_type(), ComputeType::kFloat32);
  EXPECT_EQ(report.weight_cache.use, WeightCacheReport::Use::kNone);
  EXPECT_EQ(report.weight_cache.why, "float32 weights are not kept");
}

// What two loads of one model hold, and what they compute.
struct Loaded {
  std::unique_ptr<Model> model;
  LoadReport report;
};

Loaded LoadInt8(const CacheFolder& cache) {
  ModelOptions options;
  options.compute_type = ComputeType::kInt8;
  options.cache = cache;
  options.revision = "0123456789abcdef";
  Loaded loaded;
  auto model = Model::Load(Tiny(), options, &loaded.report);
  EXPECT_TRUE(model.ok()) << model.status();
  loaded.model = std::move(*model);
  return loaded;
}

std::vector<float> Encoded(const Model& model) {
  RaggedBatch batch;
  batch.Add(std::vector<int32_t>{5, 9, 2, 0});
  const std::unique_ptr<Workspace> workspace = MakeWorkspace();
  Matrix hidden;
  model.Encode(batch, {}, workspace.get(), &hidden);
  return {hidden.data(), hidden.data() + hidden.rows() * hidden.cols()};
}

TEST(ComputeTypeTest, TheSecondLoadReadsWhatTheFirstKept) {
  TemporaryFolder folder;
  const CacheFolder cache({false, folder.path()}, "/some/model");
  const Loaded first = LoadInt8(cache);
  EXPECT_EQ(first.model->compute_type(), ComputeType::kInt8);
  EXPECT_EQ(first.report.weight_cache.use, WeightCacheReport::Use::kWritten)
      << first.report.weight_cache.why;
  const Loaded second = LoadInt8(cache);
  EXPECT_EQ(second.report.weight_cache.use, WeightCacheReport::Use::kRead)
      << second.report.weight_cache.why;
  EXPECT_EQ(Encoded(*first.model), Encoded(*second.model));
  // The report says the same of the checkpoint but for what was read of it.
  EXPECT_EQ(first.report.num_tensors, second.report.num_tensors);
  EXPECT_EQ(first.report.num_parameters, second.report.num_parameters);
  EXPECT_EQ(first.report.weight_bytes, second.report.weight_bytes);
  EXPECT_LT(second.report.stored_bytes, first.report.stored_bytes / 2);
}

TEST(ComputeTypeTest, WithoutAPlaceToKeepThemWeightsAreQuantisedAnew) {
  const Loaded loaded = LoadInt8(CacheFolder());
  EXPECT_EQ(loaded.report.weight_cache.use, WeightCacheReport::Use::kNone);
  EXPECT_FALSE(Encoded(*loaded.model).empty());
}

TEST(ComputeTypeTest, Int8IsCloseToFloat32AndSmaller) {
  LoadReport report;
  const auto floats = Model::Load(Tiny(), {}, &report);
  ASSERT_TRUE(floats.ok()) << floats.status();
  const Loaded int8 = LoadInt8(CacheFolder());
  const std::vector<float> a = Encoded(**floats), b = Encoded(*int8.model);
  ASSERT_EQ(a.size(), b.size());
  double dot = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    dot += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    aa += static_cast<double>(a[i]) * static_cast<double>(a[i]);
    bb += static_cast<double>(b[i]) * static_cast<double>(b[i]);
  }
  EXPECT_GT(dot / std::sqrt(aa * bb), 0.999);
  EXPECT_LT(int8.report.weight_bytes, report.weight_bytes);
}

}  // namespace
}  // namespace attend
