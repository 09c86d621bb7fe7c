// The safetensors reader: values of good files, and every way in which a file can lie.
#include "engine/checkpoint/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/engine/checkpoint/checkpoint_files.h"

namespace attend {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

absl::StatusOr<std::vector<NamedTensor>> Parse(const std::string& file) {
  // An exact copy on the heap, so that a sanitizer sees every read beyond the end.
  const std::vector<uint8_t> bytes(file.begin(), file.end());
  return ParseSafetensors(MemorySource(bytes, "m.safetensors"));
}

std::string Entry(const std::string& name, const std::string& shape, const std::string& offsets) {
  return absl::StrCat("{\"", name, "\":{\"dtype\":\"F32\",\"shape\":", shape,
                      ",\"data_offsets\":", offsets, "}}");
}

TEST(SafetensorsTest, ReadsTensorsInFileOrder) {
  const std::string file = SafetensorsFile({{"b", "F32", "[2, 2]", Floats({1, 2, 3, 4})},
                                            {"a", "I64", "[]", LittleEndian(7, 8)},
                                            {"none", "F16", "[0, 5]", ""},
                                            {"flags", "BOOL", "[3]", std::string("\1\0\1", 3)}});
  const MemorySource source(AsBytes(file), "m.safetensors");
  const auto tensors = ParseSafetensors(source);
  ASSERT_TRUE(tensors.ok()) << tensors.status();
  ASSERT_EQ(tensors->size(), 4u);
  EXPECT_EQ((*tensors)[0].name, "b");
  EXPECT_EQ((*tensors)[0].layout.shape, Shape({2, 2}));
  EXPECT_EQ((*tensors)[0].layout.type, DataType::kF32);
  EXPECT_EQ(*BytesOf(source, (*tensors)[0].layout), Floats({1, 2, 3, 4}));
  EXPECT_EQ((*tensors)[1].name, "a");
  EXPECT_TRUE((*tensors)[1].layout.shape.empty());
  EXPECT_EQ((*tensors)[1].layout.num_bytes, 8u);
  EXPECT_EQ((*tensors)[2].layout.num_bytes, 0u);
  EXPECT_EQ((*tensors)[3].layout.type, DataType::kBool);
}

TEST(SafetensorsTest, AcceptsMetadataPaddingAndNoTensors) {
  EXPECT_TRUE(Parse(SafetensorsFile("{}", "")).ok());
  EXPECT_TRUE(Parse(SafetensorsFile(R"({"__metadata__":{"format":"pt"}}      )", "")).ok());
}

TEST(SafetensorsTest, ReadsEveryType) {
  for (const auto& [name, type] :
       std::vector<std::pair<std::string, DataType>>{{"F64", DataType::kF64},
                                                     {"F32", DataType::kF32},
                                                     {"F16", DataType::kF16},
                                                     {"BF16", DataType::kBF16},
                                                     {"I64", DataType::kI64},
                                                     {"I32", DataType::kI32},
                                                     {"I16", DataType::kI16},
                                                     {"I8", DataType::kI8},
                                                     {"U8", DataType::kU8},
                                                     {"BOOL", DataType::kBool}}) {
    const auto tensors =
        Parse(SafetensorsFile({{"x", name, "[3]", std::string(3 * ByteSize(type), '\0')}}));
    ASSERT_TRUE(tensors.ok()) << name << tensors.status();
    EXPECT_EQ((*tensors)[0].layout.type, type);
  }
}

TEST(SafetensorsTest, EveryTruncationIsCorrupt) {
  const std::string file = SafetensorsFile(
      {{"a", "F32", "[2]", Floats({1, 2})}, {"b", "F16", "[1, 3]", std::string(6, 'x')}});
  ASSERT_TRUE(Parse(file).ok());
  for (size_t size = 0; size < file.size(); ++size) {
    EXPECT_THAT(Describe(Parse(file.substr(0, size)).status()),
                StartsWith("DATA_LOSS CHECKPOINT_CORRUPT m.safetensors"))
        << size;
  }
  EXPECT_EQ(Describe(Parse(file + "x").status()), "DATA_LOSS CHECKPOINT_CORRUPT m.safetensors");
}

TEST(SafetensorsTest, HeaderSizesThatLie) {
  for (uint64_t size :
       {uint64_t{0}, uint64_t{1}, uint64_t{3}, uint64_t{100000001}, uint64_t{1} << 32,
        uint64_t{INT64_MAX}, UINT64_MAX, UINT64_MAX - 7, UINT64_MAX - 8}) {
    EXPECT_EQ(Describe(Parse(LittleEndian(size, 8) + "{}").status()),
              "DATA_LOSS CHECKPOINT_CORRUPT m.safetensors")
        << size;
  }
}

TEST(SafetensorsTest, HeadersThatAreNoHeader) {
  for (const char* header :
       {"", "[]", "null", "7", " {}", "{\"a\":1}", "{\"a\":null}", "{\"a\":[]}", "{\"a\":{}}",
        "{\"__metadata__\":7}", "{\"a\":{\"dtype\":NaN}}", "\xff\xff", "{}{}"}) {
    const auto tensors = Parse(SafetensorsFile(header, ""));
    EXPECT_EQ(tensors.status().code(), absl::StatusCode::kDataLoss) << header;
  }
  std::string deep = "{\"a\":";
  for (int i = 0; i < 100000; ++i) deep += '[';
  EXPECT_EQ(Parse(SafetensorsFile(deep, "")).status().code(), absl::StatusCode::kDataLoss);
}

TEST(SafetensorsTest, ErrorsNameFileTensorExpectedAndFound) {
  const auto tensors = Parse(SafetensorsFile(Entry("w", "[3]", "[0, 8]"), std::string(8, '\0')));
  EXPECT_EQ(Describe(tensors.status()), "DATA_LOSS CHECKPOINT_CORRUPT m.safetensors w");
  EXPECT_EQ(
      std::string(tensors.status().message()),
      "m.safetensors: tensor 'w': expected the bytes of shape [3] of F32, found the 8 bytes of "
      "data_offsets [0, 8]");
}

TEST(SafetensorsTest, DimensionsThatLie) {
  for (const char* shape :
       {"[-1]", "[-2, -1]", "[1]", "[3]", "[2.0]", "[\"2\"]", "2", "null", "{}", "[null]", "[[2]]",
        "[4611686018427387904, 4]", "[4611686018427387904, 2, 2]",
        "[9223372036854775807, 9223372036854775807]", "[4294967296, 4294967296]",
        "[18446744073709551615]", "[1073741825, 4]", "[0, 4611686018427387904, 8]",
        "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,2]"}) {
    const auto tensors = Parse(SafetensorsFile(Entry("w", shape, "[0, 8]"), std::string(8, '\0')));
    EXPECT_EQ(Describe(tensors.status()), "DATA_LOSS CHECKPOINT_CORRUPT m.safetensors w") << shape;
  }
  // A product that overflows is refused even where a zero makes it nothing.
  EXPECT_FALSE(
      Parse(SafetensorsFile(Entry("w", "[4611686018427387904, 8, 0]", "[0, 0]"), "")).ok());
}

TEST(SafetensorsTest, OffsetsThatLie) {
  for (const char* offsets :
       {"[0, 9]", "[8, 0]", "[-8, 0]", "[0]", "[0, 8, 8]", "[]", "8", "null", "[0, 1e3]",
        "[0.0, 8.0]", "[4, 12]", "[9223372036854775800, 9223372036854775807]",
        "[0, 18446744073709551615]"}) {
    const auto tensors = Parse(SafetensorsFile(Entry("w", "[2]", offsets), std::string(8, '\0')));
    EXPECT_EQ(Describe(tensors.status()), "DATA_LOSS CHECKPOINT_CORRUPT m.safetensors w")
        << offsets;
  }
}

TEST(SafetensorsTest, OverlapsAndGapsAreCorrupt) {
  const auto two = [](const char* first, const char* second) {
    return SafetensorsFile(
        absl::StrCat("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":", first,
                     "},\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":", second, "}}"),
        std::string(16, '\0'));
  };
  EXPECT_TRUE(Parse(two("[0, 8]", "[8, 16]")).ok());
  EXPECT_TRUE(Parse(two("[8, 16]", "[0, 8]")).ok());
  EXPECT_THAT(std::string(Parse(two("[0, 8]", "[4, 12]")).status().message()),
              HasSubstr("overlaps"));
  EXPECT_THAT(std::string(Parse(two("[0, 8]", "[0, 8]")).status().message()),
              HasSubstr("overlaps"));
  EXPECT_EQ(
      Parse(SafetensorsFile(Entry("w", "[1]", "[4, 8]"), std::string(8, '\0'))).status().code(),
      absl::StatusCode::kDataLoss);
}

TEST(SafetensorsTest, RepeatedTensorIsCorrupt) {
  const auto tensors = Parse(SafetensorsFile({{"w", "F32", "[1]", Floats({1})},
                                              {"v", "F32", "[1]", Floats({2})},
                                              {"w", "F32", "[1]", Floats({3})}}));
  EXPECT_EQ(tensors.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(tensors.status().message()), HasSubstr("'w' occurs twice"));
}

TEST(SafetensorsTest, UnknownAndUnsupportedTypes) {
  EXPECT_EQ(Describe(Parse(SafetensorsFile({{"w", "F8_E4M3", "[1]", "x"}})).status()),
            "UNIMPLEMENTED CHECKPOINT_UNSUPPORTED m.safetensors w");
  for (const char* type : {"f32", "F33", "", "FLOAT"}) {
    EXPECT_EQ(Describe(Parse(SafetensorsFile({{"w", type, "[1]", "xxxx"}})).status()),
              "DATA_LOSS CHECKPOINT_CORRUPT m.safetensors w")
        << type;
  }
}

TEST(SafetensorsTest, ComputesSizesWithoutOverflow) {
  uint64_t size = 0;
  EXPECT_TRUE(ComputeTensorBytes(DataType::kF32, {}, 4, &size));
  EXPECT_EQ(size, 4u);
  EXPECT_TRUE(ComputeTensorBytes(DataType::kF16, {3, 5}, 30, &size));
  EXPECT_EQ(size, 30u);
  EXPECT_FALSE(ComputeTensorBytes(DataType::kF16, {3, 5}, 29, &size));
  EXPECT_TRUE(ComputeTensorBytes(DataType::kF16, {3, 0}, 0, &size));
  EXPECT_FALSE(ComputeTensorBytes(DataType::kF16, {0, -1}, 100, &size));
  EXPECT_FALSE(ComputeTensorBytes(DataType::kF64, {INT64_MAX}, UINT64_MAX, &size));
  EXPECT_FALSE(ComputeTensorBytes(DataType::kU8, {INT64_MAX, 2}, UINT64_MAX, &size));
}

}  // namespace
}  // namespace attend
