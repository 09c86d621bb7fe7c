// torch.save files in both forms: tensors within storages, strides, and bounds. Real files of torch
// are in tests/golden/torch_bin.
#include "engine/checkpoint/pytorch_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/engine/checkpoint/checkpoint_files.h"

namespace attend {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kCorrupt[] = "DATA_LOSS CHECKPOINT_CORRUPT m.bin";
constexpr char kUnsupported[] = "UNIMPLEMENTED CHECKPOINT_UNSUPPORTED m.bin";

// The bytes of the first tensor, or the error.
absl::StatusOr<std::string> ReadFirst(const std::string& file) {
  const std::vector<uint8_t> bytes(file.begin(), file.end());
  const MemorySource source(bytes, "m.bin");
  const auto tensors = ParsePytorchFile(source);
  if (!tensors.ok()) return tensors.status();
  return tensors->empty() ? std::string() : BytesOf(source, (*tensors)[0].layout);
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

TEST(PytorchFileTest, RewritesStridesRowMajor) {
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

TEST(PytorchFileTest, BoundsAreChecked) {
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

TEST(PytorchFileTest, RepetitionByZeroStridesIsBounded) {
  const auto expanded = ReadTensor(Strided(1, 0, {1000000000}, {0}), Floats({1}));
  EXPECT_EQ(Describe(expanded.status()), "DATA_LOSS CHECKPOINT_CORRUPT m.bin w");
  EXPECT_THAT(std::string(expanded.status().message()),
              HasSubstr("more often repeated than is plausible"));
  // Many modest copies are as bad as a large one.
  PickleWriter pickle;
  pickle.Raw("}");
  for (int i = 0; i < 200; ++i) {
    pickle.String("w" + std::to_string(i)).Rebuild(Strided(4096, 0, {64, 64}, {1, 64})).Raw("s");
  }
  const std::string bytes =
      WriteZip(TorchArchive(pickle.Stop(), {std::string(4 * 4096, 'x')})).bytes;
  EXPECT_THAT(std::string(ReadFirst(bytes).status().message()),
              HasSubstr("more often repeated than is plausible"));
}

TEST(PytorchFileTest, StorageMustExist) {
  PickleWriter::Tensor tensor = Strided(1, 0, {1}, {1});
  tensor.key = "1";
  EXPECT_EQ(Describe(ReadTensor(tensor, Floats({1})).status()),
            "DATA_LOSS CHECKPOINT_CORRUPT m.bin w");
  tensor.key = "../data.pkl";
  EXPECT_EQ(Describe(ReadTensor(tensor, Floats({1})).status()),
            "DATA_LOSS CHECKPOINT_CORRUPT m.bin w");
}

// --- The form before torch 1.6 ---

PickleWriter::Tensor LegacyTensor(std::string key, std::vector<int64_t> shape,
                                  std::vector<int64_t> strides, int64_t elements) {
  PickleWriter::Tensor tensor = Strided(elements, 0, std::move(shape), std::move(strides));
  tensor.key = std::move(key);
  tensor.is_legacy = true;
  return tensor;
}

// Two tensors on one storage, a third on another one.
std::string LegacyState() {
  PickleWriter::Tensor half = LegacyTensor("9", {2}, {1}, 2);
  half.storage_type = "HalfStorage";
  PickleWriter::Tensor column = LegacyTensor("94103", {2}, {3}, 6);
  column.offset = 1;
  return PickleWriter()
      .Global("collections", "OrderedDict")
      .Raw(")R(")
      .String("transposed")
      .Rebuild(LegacyTensor("94103", {3, 2}, {1, 3}, 6))
      .String("column")
      .Rebuild(column)
      .String("half")
      .Rebuild(half)
      .Raw("u}")
      .String("_metadata")
      .Raw("}sb")
      .Stop();
}

std::vector<LegacyStorage> LegacyStorages() {
  return {{"9", 2, "abcd"}, {"94103", 6, Floats({0, 1, 2, 3, 4, 5})}};
}

TEST(PytorchFileTest, ReadsTheFormBeforeTorch16) {
  const std::string file = LegacyTorchFile(LegacyState(), LegacyStorages());
  const MemorySource source(AsBytes(file), "m.bin");
  const auto tensors = ParsePytorchFile(source);
  ASSERT_TRUE(tensors.ok()) << tensors.status();
  ASSERT_EQ(tensors->size(), 3u);
  EXPECT_EQ((*tensors)[0].name, "transposed");
  EXPECT_EQ(*BytesOf(source, (*tensors)[0].layout), Floats({0, 3, 1, 4, 2, 5}));
  EXPECT_EQ(*BytesOf(source, (*tensors)[1].layout), Floats({1, 4}));
  EXPECT_EQ((*tensors)[2].layout.type, DataType::kF16);
  EXPECT_EQ(*BytesOf(source, (*tensors)[2].layout), "abcd");
  EXPECT_TRUE(ReadFirst(LegacyTorchFile(PickleWriter().Raw("}").Stop(), {})).ok());
}

TEST(PytorchFileTest, EveryTruncationOfTheOldFormIsCorrupt) {
  const std::string ours = LegacyTorchFile(LegacyState(), LegacyStorages());
  const std::string theirs =
      ReadWholeFile(ATTEND_SOURCE_DIR "/tests/golden/torch_bin/before_1_6/pytorch_model.bin");
  for (const std::string& file : {ours, theirs}) {
    ASSERT_TRUE(ReadFirst(file).ok()) << ReadFirst(file).status();
    for (size_t size = 0; size < file.size(); ++size) {
      ASSERT_THAT(Describe(ReadFirst(file.substr(0, size)).status()), StartsWith(kCorrupt)) << size;
    }
    EXPECT_EQ(Describe(ReadFirst(file + "x").status()), kCorrupt);
  }
}

TEST(PytorchFileTest, StoragesOfTheOldFormThatLie) {
  const auto outcome = [](const std::vector<LegacyStorage>& storages) {
    return Describe(ReadFirst(LegacyTorchFile(LegacyState(), storages)).status());
  };
  ASSERT_EQ(outcome(LegacyStorages()), "OK");
  const LegacyStorage half = LegacyStorages()[0], floats = LegacyStorages()[1];
  EXPECT_EQ(outcome({half}), std::string(kCorrupt) + " transposed");
  EXPECT_EQ(outcome({half, floats, half}), std::string(kCorrupt) + " half");
  EXPECT_EQ(outcome({half, floats, {"7", 0, ""}}), kCorrupt);
  for (const int64_t count : {int64_t{-1}, int64_t{7}, INT64_MAX, INT64_MIN, int64_t{1} << 61}) {
    EXPECT_EQ(outcome({half, {"94103", count, floats.content}}),
              std::string(kCorrupt) + " transposed")
        << count;
  }
  // The count in front of the bytes is what the pickle says, too.
  EXPECT_EQ(outcome({half, {"94103", 5, floats.content.substr(0, 20)}}),
            std::string(kCorrupt) + " transposed");

  // Two types on one storage: its size in bytes would be anyone's guess.
  PickleWriter::Tensor doubles = LegacyTensor("0", {1}, {1}, 1);
  doubles.storage_type = "DoubleStorage";
  const std::string state = PickleWriter()
                                .Raw("}(")
                                .String("a")
                                .Rebuild(LegacyTensor("0", {1}, {1}, 1))
                                .String("b")
                                .Rebuild(doubles)
                                .Raw("u")
                                .Stop();
  const auto mixed = ReadFirst(LegacyTorchFile(state, {{"0", 1, Floats({1})}}));
  EXPECT_EQ(Describe(mixed.status()), std::string(kCorrupt) + " b");
  EXPECT_THAT(std::string(mixed.status().message()), HasSubstr("expected a storage of F32"));
}

TEST(PytorchFileTest, OldFormsThatAreNotRead) {
  const std::string file = LegacyTorchFile(LegacyState(), LegacyStorages());
  const size_t version = 15 + 4, little = file.find("little_endian") + 13;
  EXPECT_EQ(Describe(ReadFirst(WithBytes(file, version, LittleEndian(1002, 8))).status()),
            kUnsupported);
  EXPECT_EQ(Describe(ReadFirst(WithBytes(file, little, "\x89")).status()), kUnsupported);  // big
  EXPECT_EQ(Describe(ReadFirst(WithBytes(file, little, "N")).status()), kCorrupt);

  // A storage that is a view of another one, and the newer form's ids.
  std::string view = LegacyState();
  view.replace(view.find("NtQ"), 3, ")tQ");
  EXPECT_EQ(Describe(ReadFirst(LegacyTorchFile(view, LegacyStorages())).status()), kUnsupported);
  EXPECT_EQ(
      Describe(ReadFirst(LegacyTorchFile(PickleWriter::StateDict("w", Strided(1, 0, {1}, {1})),
                                         {{"0", 1, Floats({1})}}))
                   .status()),
      kCorrupt);

  std::string tar(600, '\0');
  tar.replace(257, 5, "ustar");
  const auto oldest = ReadFirst(tar);
  EXPECT_EQ(Describe(oldest.status()), kUnsupported);
  EXPECT_THAT(std::string(oldest.status().message()), HasSubstr("torch.save(torch.load("));
}

TEST(PytorchFileTest, ArchivesThatAreNoCheckpoint) {
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

TEST(PytorchFileTest, EveryTruncationIsCorrupt) {
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
