// torch.save archives: tensors within storages, strides, and bounds. Real files of torch are in
// tests/golden/torch_bin.
#include "engine/checkpoint/pytorch_archive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/engine/checkpoint/checkpoint_files.h"

namespace attend {
namespace {

using ::testing::HasSubstr;

constexpr char kCorrupt[] = "DATA_LOSS CHECKPOINT_CORRUPT m.bin";
constexpr char kUnsupported[] = "UNIMPLEMENTED CHECKPOINT_UNSUPPORTED m.bin";

// The bytes of the first tensor, or the error.
absl::StatusOr<std::string> ReadFirst(const std::string& file) {
  const std::vector<uint8_t> bytes(file.begin(), file.end());
  const auto result = ParsePytorchArchive(bytes, "m.bin");
  if (!result.ok()) return result.status();
  if (result->tensors.empty()) return std::string();
  const TensorView& view = result->tensors[0].view;
  return std::string(reinterpret_cast<const char*>(view.data), view.num_bytes);
}

absl::StatusOr<std::string> ReadTensor(const PickleWriter::Tensor& tensor,
                                       const std::string& storage) {
  return ReadFirst(WriteZip(TorchArchive(PickleWriter::StateDict("w", tensor), {storage})).bytes);
}

PickleWriter::Tensor Strided(int64_t elements, int64_t offset, std::vector<int64_t> shape,
                             std::vector<int64_t> strides) {
  PickleWriter::Tensor tensor;
  tensor.elements = elements;
  tensor.offset = offset;
  tensor.shape = std::move(shape);
  tensor.strides = std::move(strides);
  return tensor;
}

TEST(PytorchArchiveTest, RewritesStridesRowMajor) {
  const std::string six = Floats({0, 1, 2, 3, 4, 5});
  EXPECT_EQ(*ReadTensor(Strided(6, 0, {2, 3}, {3, 1}), six), six);
  EXPECT_EQ(*ReadTensor(Strided(6, 0, {3, 2}, {1, 3}), six), Floats({0, 3, 1, 4, 2, 5}));
  EXPECT_EQ(*ReadTensor(Strided(6, 1, {2}, {3}), six), Floats({1, 4}));
  EXPECT_EQ(*ReadTensor(Strided(6, 2, {4}, {1}), six), Floats({2, 3, 4, 5}));
  EXPECT_EQ(*ReadTensor(Strided(6, 5, {}, {}), six), Floats({5}));
  EXPECT_EQ(*ReadTensor(Strided(6, 1, {2, 2}, {0, 1}), six), Floats({1, 2, 1, 2}));
  EXPECT_EQ(*ReadTensor(Strided(6, 4, {1, 2, 1}, {77, 1, 99}), six), Floats({4, 5}));
  EXPECT_EQ(*ReadTensor(Strided(6, 0, {3, 1, 2}, {2, 5, 1}), six), six);
  EXPECT_EQ(*ReadTensor(Strided(6, 1, {2, 1}, {3, INT64_MAX}), six), Floats({1, 4}));
  EXPECT_EQ(*ReadTensor(Strided(6, 6, {0, 4}, {4, 1}), six), "");
}

TEST(PytorchArchiveTest, BoundsAreChecked) {
  const std::string six = Floats({0, 1, 2, 3, 4, 5});
  constexpr int64_t kHuge = int64_t{1} << 62;
  for (const PickleWriter::Tensor& tensor : {Strided(6, 1, {2, 3}, {3, 1}),
                                             Strided(6, 0, {7}, {1}),
                                             Strided(6, -1, {2}, {1}),
                                             Strided(6, 0, {-1}, {1}),
                                             Strided(6, 0, {2}, {-1}),
                                             Strided(6, 5, {2}, {-1}),
                                             Strided(6, 0, {2}, {kHuge}),
                                             Strided(6, 0, {3}, {kHuge}),
                                             Strided(6, 0, {5}, {kHuge}),
                                             Strided(6, INT64_MAX, {2}, {1}),
                                             Strided(6, INT64_MAX, {2}, {INT64_MAX}),
                                             Strided(6, 6, {}, {}),
                                             Strided(6, 0, {kHuge, 4}, {0, 0}),
                                             Strided(6, 0, {kHuge, kHuge, 4}, {0, 0, 0}),
                                             Strided(6, 0, {INT64_MAX}, {0}),
                                             Strided(6, INT64_MIN, {1}, {1}),
                                             Strided(6, 0, {INT64_MIN}, {1}),
                                             Strided(7, 0, {7}, {1}),
                                             Strided(5, 0, {5}, {1}),
                                             Strided(-6, 0, {1}, {1}),
                                             Strided(kHuge, 0, {1}, {1})}) {
    EXPECT_EQ(Describe(ReadTensor(tensor, six).status()), "DATA_LOSS CHECKPOINT_CORRUPT m.bin w")
        << tensor.offset << ToString(Shape(tensor.shape.begin(), tensor.shape.end()))
        << ToString(Shape(tensor.strides.begin(), tensor.strides.end()));
  }
  EXPECT_EQ(Describe(ReadTensor(Strided(6, 0, {6}, {1}), six + "x").status()),
            "DATA_LOSS CHECKPOINT_CORRUPT m.bin w");
}

TEST(PytorchArchiveTest, RepetitionByZeroStridesIsBounded) {
  const auto expanded = ReadTensor(Strided(1, 0, {1000000000}, {0}), Floats({1}));
  EXPECT_EQ(Describe(expanded.status()), "DATA_LOSS CHECKPOINT_CORRUPT m.bin w");
  EXPECT_THAT(std::string(expanded.status().message()), HasSubstr("more often than is plausible"));
  // Many modest copies are as bad as a large one.
  PickleWriter pickle;
  pickle.Raw("}");
  for (int i = 0; i < 200; ++i) {
    pickle.String("w" + std::to_string(i)).Rebuild(Strided(4096, 0, {64, 64}, {1, 64})).Raw("s");
  }
  const std::string bytes =
      WriteZip(TorchArchive(pickle.Stop(), {std::string(4 * 4096, 'x')})).bytes;
  EXPECT_THAT(std::string(ReadFirst(bytes).status().message()),
              HasSubstr("more often than is plausible"));
}

TEST(PytorchArchiveTest, StorageMustExist) {
  PickleWriter::Tensor tensor = Strided(1, 0, {1}, {1});
  tensor.key = "1";
  EXPECT_EQ(Describe(ReadTensor(tensor, Floats({1})).status()),
            "DATA_LOSS CHECKPOINT_CORRUPT m.bin w");
  tensor.key = "../data.pkl";
  EXPECT_EQ(Describe(ReadTensor(tensor, Floats({1})).status()),
            "DATA_LOSS CHECKPOINT_CORRUPT m.bin w");
}

TEST(PytorchArchiveTest, ArchivesThatAreNoCheckpoint) {
  EXPECT_EQ(Describe(ReadFirst("").status()), kCorrupt);
  EXPECT_EQ(Describe(ReadFirst("PK").status()), kCorrupt);
  EXPECT_EQ(Describe(ReadFirst(WriteZip({}).bytes).status()), kCorrupt);
  ZipToWrite zip = TorchArchive(PickleWriter().Raw("}").Stop(), {});
  EXPECT_TRUE(ReadFirst(WriteZip(zip).bytes).ok());
  zip.members[1].content = "big";
  EXPECT_EQ(Describe(ReadFirst(WriteZip(zip).bytes).status()), kUnsupported);
  zip.members[1] = {"other/data.pkl", "", 0, 0};
  EXPECT_EQ(Describe(ReadFirst(WriteZip(zip).bytes).status()), kCorrupt);
  zip.members.erase(zip.members.begin() + 1);
  zip.members[0].name = "/data.pkl";
  EXPECT_EQ(Describe(ReadFirst(WriteZip(zip).bytes).status()), kCorrupt);
  zip.members[0] = {"archive/data.pkl",
                    PickleWriter().Global("os", "system").String("true").Raw("\x85R").Stop(), 0, 0};
  EXPECT_EQ(Describe(ReadFirst(WriteZip(zip).bytes).status()), kUnsupported);
  zip.members[0].content = "";
  EXPECT_EQ(Describe(ReadFirst(WriteZip(zip).bytes).status()), kCorrupt);
}

TEST(PytorchArchiveTest, EveryTruncationIsCorrupt) {
  const std::string ours =
      WriteZip(
          TorchArchive(PickleWriter::StateDict("w", Strided(2, 0, {2}, {1})), {Floats({1, 2})}))
          .bytes;
  const std::string theirs =
      ReadWholeFile(ATTEND_SOURCE_DIR "/tests/golden/torch_bin/mixed/pytorch_model.bin");
  for (const std::string& file : {ours, theirs}) {
    ASSERT_TRUE(ReadFirst(file).ok());
    for (size_t size = 0; size < file.size(); ++size) {
      ASSERT_EQ(Describe(ReadFirst(file.substr(0, size)).status()), kCorrupt) << size;
    }
  }
}

}  // namespace
}  // namespace attend
