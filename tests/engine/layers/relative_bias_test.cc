// Buckets of distances against transformers' T5Attention._relative_position_bucket (4.48.3), and
// the bias by distance that is made of them.
#include "engine/layers/relative_bias.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "engine/checkpoint/checkpoint.h"
#include "tests/engine/checkpoint/checkpoint_files.h"
#include "tests/testing/temporary_folder.h"

namespace attend {
namespace {

constexpr AttentionKind kEncoder = AttentionKind::kEncoderSelf,
                        kDecoder = AttentionKind::kDecoderSelf;

struct BucketCase {
  AttentionKind kind;
  RelativeBiasSpec spec;
  // (first distance, bucket) of every run of distances with one bucket, from -300 to 300.
  std::vector<std::pair<int, int>> runs;
};

TEST(RelativeBucket, EqualsTransformers) {
  const BucketCase cases[] = {
      {kEncoder,
       {32, 128},
       {{-300, 15}, {-90, 14}, {-63, 13}, {-45, 12}, {-31, 11}, {-22, 10}, {-15, 9}, {-11, 8},
        {-7, 7},    {-6, 6},   {-5, 5},   {-4, 4},   {-3, 3},   {-2, 2},   {-1, 1},  {0, 0},
        {1, 17},    {2, 18},   {3, 19},   {4, 20},   {5, 21},   {6, 22},   {7, 23},  {8, 24},
        {12, 25},   {16, 26},  {23, 27},  {32, 28},  {46, 29},  {64, 30},  {91, 31}}},
      {kDecoder,
       {32, 128},
       {{-300, 31}, {-112, 30}, {-98, 29}, {-86, 28}, {-76, 27}, {-66, 26}, {-58, 25}, {-51, 24},
        {-45, 23},  {-39, 22},  {-34, 21}, {-30, 20}, {-26, 19}, {-23, 18}, {-20, 17}, {-18, 16},
        {-15, 15},  {-14, 14},  {-13, 13}, {-12, 12}, {-11, 11}, {-10, 10}, {-9, 9},   {-8, 8},
        {-7, 7},    {-6, 6},    {-5, 5},   {-4, 4},   {-3, 3},   {-2, 2},   {-1, 1},   {0, 0}}},
      {kDecoder,
       {12, 40},
       {{-300, 11},
        {-29, 10},
        {-21, 9},
        {-15, 8},
        {-11, 7},
        {-8, 6},
        {-5, 5},
        {-4, 4},
        {-3, 3},
        {-2, 2},
        {-1, 1},
        {0, 0}}},
      {kEncoder,
       {20, 77},
       {{-300, 9},
        {-44, 8},
        {-25, 7},
        {-14, 6},
        {-8, 5},
        {-4, 4},
        {-3, 3},
        {-2, 2},
        {-1, 1},
        {0, 0},
        {1, 11},
        {2, 12},
        {3, 13},
        {4, 14},
        {5, 15},
        {9, 16},
        {15, 17},
        {26, 18},
        {45, 19}}},
  };
  for (const BucketCase& c : cases) {
    size_t run = 0;
    for (int distance = -300; distance <= 300; ++distance) {
      if (run + 1 < c.runs.size() && c.runs[run + 1].first == distance) ++run;
      EXPECT_EQ(RelativeBucket(c.spec, c.kind, distance), c.runs[run].second)
          << Name(c.kind) << " " << c.spec.num_buckets << " " << distance;
    }
    EXPECT_EQ(run + 1, c.runs.size());
  }
}

TEST(RelativeBias, HoldsEveryDistanceOfEveryHead) {
  StackSpec spec;
  spec.position_encoding = PositionEncoding::kRelativeBias;
  spec.num_attention_heads = 2;
  spec.relative_bias = {4, 6};
  const TemporaryFolder folder;
  folder.Write("config.json", "{}");
  folder.Write("model.safetensors", SafetensorsFile({{"relative_bias.weight", "F32", "[4, 2]",
                                                      Floats({0, 10, 1, 11, 2, 12, 3, 13})}}));
  const ModelDirectory directory = ModelDirectory::Open(folder.path()).value();
  const std::unique_ptr<Checkpoint> checkpoint = Checkpoint::Open(directory).value();
  for (const AttentionKind kind : {kEncoder, kDecoder}) {
    WeightReader reader(*checkpoint);
    const WeightSource source(
        &reader, [](const std::string& name) { return std::vector<std::string>{name}; });
    const auto bias = RelativeBias::Load(source, spec, kind);
    ASSERT_TRUE(bias.ok()) << bias.status();
    const DistanceBias& view = *(*bias)->view();
    ASSERT_EQ(view.reach, 6);
    for (int64_t distance = -6; distance <= 6; ++distance) {
      const int bucket = RelativeBucket(spec.relative_bias, kind, distance);
      EXPECT_EQ(view.values[distance + 6], static_cast<float>(bucket));
      EXPECT_EQ(view.values[13 + distance + 6], static_cast<float>(bucket + 10));
    }
    spec.position_encoding = PositionEncoding::kLearned;
    EXPECT_EQ(RelativeBias::Load(source, spec, kind).value(), nullptr);
    spec.position_encoding = PositionEncoding::kRelativeBias;
  }
}

}  // namespace
}  // namespace attend
