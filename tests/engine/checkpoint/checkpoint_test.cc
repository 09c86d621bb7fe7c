// Whole folders: which file is read, shards, and real checkpoints of torch and safetensors against
// known values.
#include "engine/checkpoint/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <string>

#include "engine/checkpoint/weight_reader.h"
#include "tests/engine/checkpoint/checkpoint_files.h"
#include "tests/testing/temporary_folder.h"

namespace attend {
namespace {

using ::testing::HasSubstr;

const std::string kTorchFixtures = ATTEND_SOURCE_DIR "/tests/golden/torch_bin/";
const std::string kMarianTiny = ATTEND_SOURCE_DIR "/tests/golden/marian_tiny/model";

absl::StatusOr<std::unique_ptr<Checkpoint>> OpenFolder(const std::string& path) {
  const auto directory = ModelDirectory::Open(path);
  if (!directory.ok()) return directory.status();
  return Checkpoint::Open(*directory);
}

std::string Outcome(const std::string& path) { return Describe(OpenFolder(path).status()); }

std::string OneTensor(const std::string& name, float value) {
  return SafetensorsFile({{name, "F32", "[1]", Floats({value})}});
}

std::string OneTorchTensor(const std::string& name, float value) {
  PickleWriter::Tensor tensor;
  tensor.elements = 1;
  tensor.shape = tensor.strides = {1};
  return WriteZip(TorchArchive(PickleWriter::StateDict(name, tensor), {Floats({value})})).bytes;
}

class CheckpointTest : public ::testing::Test {
 protected:
  CheckpointTest() { folder_.Write("config.json", "{}"); }
  TemporaryFolder folder_;
};

double ElementAt(const StoredTensor& stored, size_t i) {
  const std::string bytes = BytesOf(stored);
  const auto load = [&bytes, i](auto value) {
    std::memcpy(&value, bytes.data() + i * sizeof(value), sizeof(value));
    return static_cast<double>(value);
  };
  switch (stored.layout.type) {
    case DataType::kF32:
      return load(float{});
    case DataType::kF64:
      return load(double{});
    case DataType::kI64:
      return load(int64_t{});
    case DataType::kI32:
      return load(int32_t{});
    case DataType::kI16:
      return load(int16_t{});
    case DataType::kI8:
      return load(int8_t{});
    case DataType::kU8:
    case DataType::kBool:
      return load(uint8_t{});
    case DataType::kF16:
    case DataType::kBF16:
      break;  // through WeightReader below
  }
  return std::nan("");
}

std::string TorchName(DataType type) {
  switch (type) {
    case DataType::kF32:
      return "float32";
    case DataType::kF16:
      return "float16";
    case DataType::kBF16:
      return "bfloat16";
    case DataType::kF64:
      return "float64";
    case DataType::kI64:
      return "int64";
    case DataType::kI32:
      return "int32";
    case DataType::kI16:
      return "int16";
    case DataType::kI8:
      return "int8";
    case DataType::kU8:
      return "uint8";
    case DataType::kBool:
      return "bool";
  }
  return "";
}

TEST(CheckpointGoldenTest, TorchFileHoldsWhatTorchSaved) {
  const auto checkpoint = OpenFolder(kTorchFixtures + "mixed");
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  const auto expected = Json::ReadFile(kTorchFixtures + "mixed/expected.json");
  ASSERT_TRUE(expected.ok()) << expected.status();
  EXPECT_EQ((*checkpoint)->tensors().size(), expected->Keys().size());
  WeightReader reader(**checkpoint);
  for (const std::string& name : expected->Keys()) {
    SCOPED_TRACE(name);
    const Json entry = *expected->Get(name);
    const StoredTensor* stored = (*checkpoint)->Find(name);
    ASSERT_NE(stored, nullptr);
    const std::vector<int64_t> shape = *entry.Get("shape")->AsInts();
    EXPECT_EQ(stored->layout.shape, Shape(shape.begin(), shape.end()));
    EXPECT_EQ(TorchName(stored->layout.type), *entry.GetString("dtype"));
    EXPECT_EQ(stored->file(), "pytorch_model.bin");
    const std::vector<Json> values = entry.Get("values")->Elements();
    ASSERT_EQ(stored->layout.num_bytes, values.size() * ByteSize(stored->layout.type));
    const bool is_half =
        stored->layout.type == DataType::kF16 || stored->layout.type == DataType::kBF16;
    Matrix matrix;
    if (is_half) matrix = *reader.Read(name, stored->layout.shape);
    for (size_t i = 0; i < values.size(); ++i) {
      const double want =
          values[i].IsString() ? std::stod(*values[i].AsString()) : *values[i].AsNumber();
      EXPECT_EQ(is_half ? static_cast<double>(matrix.data()[i]) : ElementAt(*stored, i), want) << i;
    }
  }
  // Tied tensors share their bytes.
  EXPECT_EQ((*checkpoint)->Find("shared.weight")->layout.begin,
            (*checkpoint)->Find("lm_head.weight")->layout.begin);
}

TEST(CheckpointGoldenTest, TorchAndSafetensorsAgree) {
  const auto torch = OpenFolder(kTorchFixtures + "marian_tiny");
  const auto safetensors = OpenFolder(kMarianTiny);
  ASSERT_TRUE(torch.ok()) << torch.status();
  ASSERT_TRUE(safetensors.ok()) << safetensors.status();
  ASSERT_EQ((*torch)->tensors().size(), (*safetensors)->tensors().size());
  EXPECT_GT((*torch)->tensors().size(), 50u);
  for (const auto& [name, stored] : (*safetensors)->tensors()) {
    SCOPED_TRACE(name);
    const StoredTensor* other = (*torch)->Find(name);
    ASSERT_NE(other, nullptr);
    EXPECT_EQ(other->layout.type, stored.layout.type);
    EXPECT_EQ(other->layout.shape, stored.layout.shape);
    EXPECT_EQ(BytesOf(*other), BytesOf(stored));
  }
}

TEST(CheckpointGoldenTest, ShardedTorchFiles) {
  const auto checkpoint = OpenFolder(kTorchFixtures + "sharded");
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_EQ((*checkpoint)->tensors().size(), 3u);
  EXPECT_EQ((*checkpoint)->Find("a")->file(), "pytorch_model-00001-of-00002.bin");
  EXPECT_EQ((*checkpoint)->Find("c")->file(), "pytorch_model-00002-of-00002.bin");
  EXPECT_EQ(ElementAt(*(*checkpoint)->Find("b"), 0), 3.0);
}

TEST(CheckpointGoldenTest, FormatBeforeTorch16) {
  const auto checkpoint = OpenFolder(kTorchFixtures + "before_1_6");
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  ASSERT_EQ((*checkpoint)->tensors().size(), 1u);
  const StoredTensor* stored = (*checkpoint)->Find("a");
  ASSERT_NE(stored, nullptr);
  EXPECT_EQ(stored->layout.shape, Shape({1}));
  EXPECT_EQ(ElementAt(*stored, 0), 1.0);
}

TEST(CheckpointGoldenTest, TrainingCheckpointIsRefused) {
  EXPECT_EQ(Outcome(kTorchFixtures + "training_checkpoint"),
            "UNIMPLEMENTED CHECKPOINT_UNSUPPORTED pytorch_model.bin model");
}

TEST_F(CheckpointTest, NoWeightsFile) {
  const auto checkpoint = OpenFolder(folder_.path());
  EXPECT_EQ(checkpoint.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(checkpoint.status().message()), HasSubstr("pytorch_model.bin"));
}

TEST_F(CheckpointTest, SafetensorsWins) {
  folder_.Write("pytorch_model.bin", OneTorchTensor("w", 2));
  EXPECT_EQ(ElementAt(*(*OpenFolder(folder_.path()))->Find("w"), 0), 2.0);
  folder_.Write("model.safetensors", OneTensor("w", 1));
  EXPECT_EQ(ElementAt(*(*OpenFolder(folder_.path()))->Find("w"), 0), 1.0);
  EXPECT_EQ((*OpenFolder(folder_.path()))->Find("v"), nullptr);
}

TEST_F(CheckpointTest, EmptyFilesAreCorrupt) {
  folder_.Write("pytorch_model.bin", "");
  EXPECT_EQ(Outcome(folder_.path()), "DATA_LOSS CHECKPOINT_CORRUPT pytorch_model.bin");
  folder_.Write("model.safetensors", "");
  EXPECT_EQ(Outcome(folder_.path()), "DATA_LOSS CHECKPOINT_CORRUPT model.safetensors");
}

TEST_F(CheckpointTest, GitLfsPointersHaveTheirOwnMessage) {
  const std::string pointer =
      "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
  for (const char* name : {"pytorch_model.bin", "model.safetensors"}) {
    folder_.Write(name, pointer);
    EXPECT_EQ(Outcome(folder_.path()), std::string("DATA_LOSS CHECKPOINT_CORRUPT ") + name);
    EXPECT_EQ(std::string(OpenFolder(folder_.path()).status().message()),
              std::string(name) + ": is a Git LFS pointer, not the file itself: run git lfs pull");
  }
  folder_.Write("config.json", pointer);
  EXPECT_EQ(Outcome(folder_.path()), "DATA_LOSS CHECKPOINT_CORRUPT config.json");
}

TEST_F(CheckpointTest, Shards) {
  folder_.Write("m-1.safetensors", OneTensor("a", 1));
  folder_.Write("m-2.safetensors", OneTensor("b", 2));
  folder_.Write(
      "model.safetensors.index.json",
      R"({"metadata": {"total_size": 8}, "weight_map": {"a": "m-1.safetensors", "b": "m-2.safetensors"}})");
  const auto checkpoint = OpenFolder(folder_.path());
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_EQ(ElementAt(*(*checkpoint)->Find("a"), 0), 1.0);
  EXPECT_EQ(ElementAt(*(*checkpoint)->Find("b"), 0), 2.0);
  EXPECT_EQ((*checkpoint)->Find("b")->file(), "m-2.safetensors");

  // Both shards are read, and a is not where the index says.
  folder_.Write(
      "model.safetensors.index.json",
      R"({"weight_map": {"a": "m-2.safetensors", "b": "m-2.safetensors", "c": "m-1.safetensors"}})");
  EXPECT_EQ(Outcome(folder_.path()), "DATA_LOSS CHECKPOINT_CORRUPT m-2.safetensors a");
}

TEST_F(CheckpointTest, ShardsThatDisagreeWithTheIndex) {
  folder_.Write("m-1.safetensors", OneTensor("a", 1));
  folder_.Write("model.safetensors.index.json",
                R"({"weight_map": {"a": "m-1.safetensors", "b": "m-2.safetensors"}})");
  EXPECT_EQ(Outcome(folder_.path()), "DATA_LOSS CHECKPOINT_CORRUPT model.safetensors.index.json b");
  folder_.Write("m-2.safetensors", OneTensor("c", 2));
  EXPECT_EQ(Outcome(folder_.path()), "DATA_LOSS CHECKPOINT_CORRUPT m-2.safetensors b");
  folder_.Write("m-2.safetensors", SafetensorsFile({{"a", "F32", "[1]", Floats({5})},
                                                    {"b", "F32", "[1]", Floats({2})}}));
  const auto twice = OpenFolder(folder_.path());
  EXPECT_EQ(Describe(twice.status()), "DATA_LOSS CHECKPOINT_CORRUPT m-2.safetensors a");
  EXPECT_THAT(std::string(twice.status().message()),
              HasSubstr("expected one tensor of this name, found another one in m-1.safetensors"));
}

TEST_F(CheckpointTest, IndexStaysInsideTheFolder) {
  std::filesystem::create_directory(folder_.path() + "/model");
  folder_.Write("model/config.json", "{}");
  folder_.Write("secret.safetensors", OneTensor("a", 1));
  std::filesystem::create_directory(folder_.path() + "/model/sub");
  folder_.Write("model/sub/s.safetensors", OneTensor("a", 1));
  for (const std::string& name :
       {std::string("../secret.safetensors"), folder_.path() + "/secret.safetensors",
        std::string("sub/s.safetensors"), std::string("./config.json"), std::string(".."),
        std::string("."), std::string(), std::string("\\u0000"), std::string("sub")}) {
    folder_.Write("model/model.safetensors.index.json",
                  R"({"weight_map": {"a": ")" + name + "\"}}");
    const absl::Status status = OpenFolder(folder_.path() + "/model").status();
    EXPECT_EQ(Describe(status), "DATA_LOSS CHECKPOINT_CORRUPT model.safetensors.index.json a")
        << name;
    if (name != "sub") {
      EXPECT_THAT(std::string(status.message()), HasSubstr("expected a plain file name as shard"))
          << name;
    }
  }
}

TEST_F(CheckpointTest, IndexThatIsNone) {
  for (const char* text : {"", "{", "[]", "{}", R"({"weight_map": null})", R"({"weight_map": []})",
                           R"({"weight_map": {}})", R"({"weight_map": {"a": "x", "a": "y"}})"}) {
    folder_.Write("model.safetensors.index.json", text);
    EXPECT_EQ(Outcome(folder_.path()), "DATA_LOSS CHECKPOINT_CORRUPT model.safetensors.index.json")
        << text;
  }
  folder_.Write("model.safetensors.index.json", R"({"weight_map": {"a": 7}})");
  EXPECT_EQ(Outcome(folder_.path()), "DATA_LOSS CHECKPOINT_CORRUPT model.safetensors.index.json a");
  // The file is named once, and the types are.
  folder_.Write("model.safetensors.index.json", R"({"weight_map": []})");
  EXPECT_EQ(std::string(OpenFolder(folder_.path()).status().message()),
            "model.safetensors.index.json: key 'weight_map': expected an object, found an array");
}

TEST_F(CheckpointTest, HubCacheLayout) {
  std::filesystem::create_directories(folder_.path() + "/blobs");
  std::filesystem::create_directories(folder_.path() + "/snapshots/abc");
  folder_.Write("blobs/01", "{}");
  folder_.Write("blobs/02", OneTensor("a", 3));
  std::filesystem::create_symlink("../../blobs/01", folder_.path() + "/snapshots/abc/config.json");
  std::filesystem::create_symlink("../../blobs/02",
                                  folder_.path() + "/snapshots/abc/model.safetensors");
  const auto checkpoint = OpenFolder(folder_.path() + "/snapshots/abc");
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_EQ(ElementAt(*(*checkpoint)->Find("a"), 0), 3.0);
  EXPECT_EQ((*checkpoint)->Find("a")->file(), "model.safetensors");
}

TEST_F(CheckpointTest, StridedTensors) {
  PickleWriter::Tensor tensor;
  tensor.elements = 6;
  tensor.shape = {3, 2};
  tensor.strides = {1, 3};
  folder_.Write("pytorch_model.bin", WriteZip(TorchArchive(PickleWriter::StateDict("t", tensor),
                                                           {Floats({0, 1, 2, 3, 4, 5})}))
                                         .bytes);
  const auto checkpoint = OpenFolder(folder_.path());
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  const std::vector<double> expected = {0, 3, 1, 4, 2, 5};
  for (size_t i = 0; i < 6; ++i) EXPECT_EQ(ElementAt(*(*checkpoint)->Find("t"), i), expected[i]);
}

}  // namespace
}  // namespace attend
