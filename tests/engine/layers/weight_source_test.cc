// Canonical names, translated; and numbers that no model may have.
#include "engine/layers/weight_source.h"

#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/error.h"
#include "engine/checkpoint/checkpoint.h"
#include "engine/checkpoint/model_directory.h"
#include "tests/engine/checkpoint/checkpoint_files.h"
#include "tests/testing/temporary_folder.h"

namespace attend {
namespace {

std::vector<std::string> Shout(const std::string& name) {
  return {"first." + name, "second." + name};
}

TEST(WeightSource, AsksForTheTranslatedNameBelowItsPrefix) {
  TemporaryFolder folder;
  folder.Write("config.json", "{}");
  folder.Write("model.safetensors",
               SafetensorsFile({{"second.a.b.weight", "F32", "[2, 3]", Floats({1, 2, 3, 4, 5, 6})},
                                {"first.a.bias", "F32", "[2]", Floats({7, 8})}}));
  const ModelDirectory directory = ModelDirectory::Open(folder.path()).value();
  const std::unique_ptr<Checkpoint> checkpoint = Checkpoint::Open(directory).value();
  WeightReader reader(*checkpoint);
  const WeightSource source(&reader, Shout);
  EXPECT_TRUE(source.Sub("a").Sub("b").Has("weight"));
  EXPECT_FALSE(source.Has("weight"));
  const auto weight = source.Sub("a").Sub("b").ReadMatrix("weight", 2, 3);
  ASSERT_TRUE(weight.ok()) << weight.status();
  EXPECT_EQ(weight->row(1)[2], 6);
  const auto bias = source.Sub("a").ReadVector("bias", 2);
  ASSERT_TRUE(bias.ok()) << bias.status();
  EXPECT_EQ(bias->data()[1], 8);
  const auto missing = source.Sub("a").ReadVector("weight", 2);
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  EXPECT_NE(std::string(missing.status().message()).find("second.a.weight"), std::string::npos);
  // More than any machine has.
  const auto large = source.Sub("a").Allocate("bias", int64_t{1} << 30, int64_t{1} << 24);
  EXPECT_EQ(Describe(large.status()),
            "RESOURCE_EXHAUSTED MODEL_FAILED model.safetensors first.a.bias");
  EXPECT_NE(std::string(large.status().message()).find("72057594037927936 bytes"),
            std::string::npos);
}

TEST(WeightSource, RefusesWhatIsNotFinite) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
        -std::numeric_limits<float>::infinity()}) {
    TemporaryFolder folder;
    folder.Write("config.json", "{}");
    folder.Write("model.safetensors",
                 SafetensorsFile({{"second.weight", "F32", "[3]", Floats({1, bad, 3})}}));
    const ModelDirectory directory = ModelDirectory::Open(folder.path()).value();
    const std::unique_ptr<Checkpoint> checkpoint = Checkpoint::Open(directory).value();
    WeightReader reader(*checkpoint);
    const auto read = WeightSource(&reader, Shout).ReadVector("weight", 3);
    EXPECT_EQ(read.status().code(), absl::StatusCode::kDataLoss);
    EXPECT_EQ(GetErrorDetail(read.status())->reason, "CHECKPOINT_CORRUPT");
    EXPECT_EQ(std::string(read.status().message()),
              std::string("model.safetensors: tensor 'second.weight': expected finite numbers, "
                          "found ") +
                  (bad != bad ? "NaN" : "infinity") + " at element 1");
  }
}

}  // namespace
}  // namespace attend
