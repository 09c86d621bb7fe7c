// The weight reader: conversion of every stored type, exact messages, and nothing left over unseen.
#include "engine/checkpoint/weight_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "engine/base/error.h"
#include "tests/engine/checkpoint/checkpoint_files.h"
#include "tests/testing/temporary_folder.h"

namespace attend {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

std::unique_ptr<Checkpoint> Stored(const std::vector<TensorToWrite>& tensors) {
  const TemporaryFolder folder;  // a mapping outlives its file's name
  folder.Write("config.json", "{}");
  folder.Write("model.safetensors", SafetensorsFile(tensors));
  auto checkpoint = Checkpoint::Open(*ModelDirectory::Open(folder.path()));
  EXPECT_TRUE(checkpoint.ok()) << checkpoint.status();
  return *std::move(checkpoint);
}

std::string Message(const absl::Status& status) { return std::string(status.message()); }

TEST(WeightReaderTest, ReadsShapes) {
  const auto checkpoint = Stored({{"m", "F32", "[2, 3]", Floats({1, 2, 3, 4, 5, 6})},
                                  {"v", "F32", "[3]", Floats({7, 8, 9})},
                                  {"s", "F32", "[]", Floats({10})},
                                  {"conv", "F32", "[2, 1, 2]", Floats({1, 2, 3, 4})},
                                  {"none", "F32", "[0, 3]", ""},
                                  {"odd", "F32", "[1]", Floats({11})}});
  WeightReader reader(*checkpoint);
  const auto expect = [&reader](const char* name, const Shape& shape, int64_t rows, int64_t cols) {
    const auto matrix = reader.Read(name, shape);
    ASSERT_TRUE(matrix.ok()) << matrix.status();
    EXPECT_EQ(matrix->rows(), rows) << name;
    EXPECT_EQ(matrix->cols(), cols) << name;
  };
  expect("m", {2, 3}, 2, 3);
  expect("v", {3}, 1, 3);
  expect("s", {}, 1, 1);
  expect("conv", {2, 1, 2}, 2, 2);
  expect("none", {0, 3}, 0, 0);
  const auto matrix = reader.Read("m", {2, 3});
  EXPECT_EQ(matrix->row(1)[2], 6.0f);
  LoadReport report;
  EXPECT_THAT(
      Message(reader.Finish(&report)),
      HasSubstr("expected only tensors that belong to this model, found 1 that do not: odd"));
}

TEST(WeightReaderTest, ConvertsEveryHalf) {
  std::string all;
  for (uint32_t bits = 0; bits < 0x10000; ++bits) all += LittleEndian(bits, 2);
  const auto checkpoint =
      Stored({{"f16", "F16", "[65536]", all}, {"bf16", "BF16", "[65536]", all}});
  WeightReader reader(*checkpoint);
  const Matrix f16 = *reader.Read("f16", {65536});
  const Matrix bf16 = *reader.Read("bf16", {65536});
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    // From the definitions: (-1)^s * 2^(e - bias) * 1.m, subnormals 0.m.
    const double sign = (bits & 0x8000) != 0 ? -1 : 1;
    const int half_exponent = static_cast<int>(bits >> 10 & 31),
              half_mantissa = static_cast<int>(bits & 1023);
    const int brain_exponent = static_cast<int>(bits >> 7 & 255),
              brain_mantissa = static_cast<int>(bits & 127);
    const auto value = [sign](int exponent, int mantissa, int mantissa_bits, int bias,
                              int highest) {
      if (exponent == highest)
        return mantissa == 0 ? sign * std::numeric_limits<double>::infinity() : std::nan("");
      if (exponent == 0) return sign * std::ldexp(mantissa, 1 - bias - mantissa_bits);
      return sign * std::ldexp(mantissa + (1 << mantissa_bits), exponent - bias - mantissa_bits);
    };
    const double want_f16 = value(half_exponent, half_mantissa, 10, 15, 31);
    const double want_bf16 = value(brain_exponent, brain_mantissa, 7, 127, 255);
    const double got_f16 = f16.data()[bits], got_bf16 = bf16.data()[bits];
    ASSERT_TRUE(std::isnan(want_f16) ? std::isnan(got_f16) : got_f16 == want_f16) << bits;
    ASSERT_TRUE(std::isnan(want_bf16) ? std::isnan(got_bf16) : got_bf16 == want_bf16) << bits;
    ASSERT_EQ(std::signbit(got_f16), sign < 0) << bits;
  }
}

TEST(WeightReaderTest, ConvertsDoubles) {
  std::string bytes;
  for (double value : {0.1, -2.5, 1e300, -1e300, std::numeric_limits<double>::infinity()}) {
    uint64_t bits;
    std::memcpy(&bits, &value, 8);
    bytes += LittleEndian(bits, 8);
  }
  const auto checkpoint = Stored({{"d", "F64", "[5]", bytes}});
  const Matrix matrix = *WeightReader(*checkpoint).Read("d", {5});
  const float inf = std::numeric_limits<float>::infinity();
  EXPECT_THAT(std::vector<float>(matrix.data(), matrix.data() + 5),
              ElementsAre(0.1f, -2.5f, inf, -inf, inf));
}

TEST(WeightReaderTest, MismatchesNameFileTensorExpectedAndFound) {
  const auto checkpoint =
      Stored({{"w", "F32", "[1, 2]", Floats({1, 2})}, {"ids", "I64", "[1]", std::string(8, '\0')}});
  WeightReader reader(*checkpoint);
  const auto shape = reader.Read("w", {2, 1});
  EXPECT_EQ(Describe(shape.status()), "FAILED_PRECONDITION MODEL_FAILED model.safetensors w");
  EXPECT_EQ(Message(shape.status()),
            "model.safetensors: tensor 'w': expected shape [2, 1], found [1, 2]");
  for (const Shape& wrong :
       {Shape{2}, Shape{1, 2, 1}, Shape{}, Shape{-1, -2}, Shape{INT64_MAX, INT64_MAX}}) {
    EXPECT_EQ(reader.Read("w", wrong).status().code(), absl::StatusCode::kFailedPrecondition);
  }
  EXPECT_EQ(Message(reader.Read("ids", {1}).status()),
            "model.safetensors: tensor 'ids': expected a floating-point type, found I64");
  const auto missing = reader.ReadAny({"x", "y"}, {1});
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(
      Message(missing.status()),
      "model.safetensors: tensor 'x': expected shape [1] under this name or 'y', found no such "
      "tensor");
  EXPECT_EQ(Describe(missing.status()), "NOT_FOUND TENSOR_MISSING model.safetensors x");
  EXPECT_THAT(GetErrorDetail(reader.Read("x", {1}).status())->metadata,
              ElementsAre(Pair("file", "model.safetensors"), Pair("tensor", "x"),
                          Pair("expected", "shape [1]"), Pair("found", "no such tensor")));
}

TEST(WeightReaderTest, FirstAliasThatExistsAndAllAreUsed) {
  const auto checkpoint =
      Stored({{"lm_head", "F32", "[1]", Floats({2})}, {"shared", "F32", "[1]", Floats({1})}});
  WeightReader reader(*checkpoint);
  EXPECT_TRUE(reader.Has("shared"));
  EXPECT_FALSE(reader.Has("embed"));
  EXPECT_EQ(reader.ReadAny({"embed", "shared", "lm_head"}, {1})->data()[0], 1.0f);
  LoadReport report;
  EXPECT_TRUE(reader.Finish(&report).ok());
  EXPECT_EQ(report.num_tensors, 1);
}

// What a report says of tied weights, and what becomes of ones that disagree.
TEST(WeightReaderTest, AliasesAreChecked) {
  const auto checkpoint = Stored({{"used", "F32", "[2]", Floats({1, 2})},
                                  {"same", "BF16", "[2]", LittleEndian(0x40003f80, 4)},
                                  {"other", "F32", "[2]", Floats({1, 3})},
                                  {"long", "F32", "[3]", Floats({1, 2, 3})},
                                  {"ids", "I32", "[2]", std::string(8, '\0')}});
  WeightReader reader(*checkpoint);
  ASSERT_TRUE(reader.ReadAny({"used", "same", "other"}, {2}).ok());
  const auto mis_shaped = reader.ReadAny({"used", "long"}, {2});
  EXPECT_EQ(Message(mis_shaped.status()),
            "model.safetensors: tensor 'long': expected shape [2], found [3]");
  const auto mis_typed = reader.ReadAny({"used", "ids"}, {2});
  EXPECT_EQ(Message(mis_typed.status()),
            "model.safetensors: tensor 'ids': expected a floating-point type, found I32");
  LoadReport report;
  ASSERT_TRUE(reader.Finish(&report).ok());
  EXPECT_THAT(report.tied, ElementsAre("same = used"));
  EXPECT_THAT(report.ignored, ElementsAre("other: differs from used, which is used"));
}

TEST(WeightReaderTest, AFileCutShortAfterItWasOpened) {
  const TemporaryFolder folder;
  folder.Write("config.json", "{}");
  const std::string path = folder.Write(
      "model.safetensors", SafetensorsFile({{"w", "F32", "[50000]", std::string(200000, '\0')}}));
  const auto checkpoint = Checkpoint::Open(*ModelDirectory::Open(folder.path()));
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  std::filesystem::resize_file(path, 100000);
  WeightReader reader(**checkpoint);
  const auto read = reader.Read("w", {50000});
  EXPECT_EQ(Describe(read.status()), "DATA_LOSS CHECKPOINT_CORRUPT model.safetensors w");
  EXPECT_THAT(Message(read.status()), HasSubstr("truncated"));
}

TEST(WeightReaderTest, ATensorThatMemoryCannotHold) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers need more address space than any limit leaves";
#endif
  // A file of holes: 16 GiB that take no room on the disk.
  constexpr uint64_t kBytes = uint64_t{16} << 30;
  const TemporaryFolder folder;
  folder.Write("config.json", "{}");
  const std::string head = SafetensorsFile(
      "{\"w\":{\"dtype\":\"F32\",\"shape\":[4294967296],\"data_offsets\":[0,17179869184]}}", "");
  const std::string path = folder.Write("model.safetensors", head);
  std::filesystem::resize_file(path, head.size() + kBytes);
  const auto checkpoint = Checkpoint::Open(*ModelDirectory::Open(folder.path()));
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  WeightReader reader(**checkpoint);
  struct rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_AS, &before), 0);
  struct rlimit tight = before;
  tight.rlim_cur = rlim_t{8} << 30;
  ASSERT_EQ(setrlimit(RLIMIT_AS, &tight), 0);
  const auto read = reader.Read("w", {int64_t{1} << 32});
  ASSERT_EQ(setrlimit(RLIMIT_AS, &before), 0);
  EXPECT_EQ(Describe(read.status()), "RESOURCE_EXHAUSTED MODEL_FAILED model.safetensors w");
  EXPECT_THAT(Message(read.status()), HasSubstr("17179869184 bytes"));
}

TEST(WeightReaderTest, ReportsWhatWasLoaded) {
  const auto checkpoint = Stored({{"a", "F32", "[2, 2]", Floats({1, 2, 3, 4})},
                                  {"b", "F16", "[2]", std::string(4, '\0')},
                                  {"position_ids", "I64", "[1]", std::string(8, '\0')}});
  WeightReader reader(*checkpoint);
  ASSERT_TRUE(reader.Read("a", {2, 2}).ok());
  ASSERT_TRUE(reader.Read("b", {2}).ok());
  reader.Ignore("position_ids", "counted, not learned");
  reader.Ignore("position_ids", "again");
  reader.Ignore("none", "not there");
  LoadReport report;
  ASSERT_TRUE(reader.Finish(&report).ok());
  EXPECT_EQ(report.num_tensors, 2);
  EXPECT_EQ(report.num_parameters, 6);
  EXPECT_EQ(report.weight_bytes, 24);
  EXPECT_EQ(report.stored_bytes, 20);
  ASSERT_EQ(report.used.size(), 2u);
  EXPECT_EQ(report.used[1].name, "b");
  EXPECT_EQ(report.used[1].file, "model.safetensors");
  EXPECT_EQ(report.used[1].type, "F16");
  EXPECT_EQ(report.used[1].stored_bytes, 4);
  EXPECT_TRUE(report.tied.empty());
  EXPECT_EQ(report.stored_type, "F16+F32");
  EXPECT_THAT(report.files, ElementsAre("model.safetensors"));
  EXPECT_THAT(report.ignored, ElementsAre("position_ids: counted, not learned"));
  EXPECT_GE(report.seconds, 0);
}

TEST(WeightReaderTest, NamesAtMostTenLeftovers) {
  std::vector<TensorToWrite> tensors;
  for (int i = 0; i < 12; ++i)
    tensors.push_back({absl::StrCat("t", 10 + i), "F32", "[1]", Floats({1})});
  const auto checkpoint = Stored(tensors);
  WeightReader reader(*checkpoint);
  LoadReport report;
  const absl::Status status = reader.Finish(&report);
  EXPECT_EQ(Describe(status), "FAILED_PRECONDITION MODEL_FAILED model.safetensors t10");
  EXPECT_THAT(Message(status), HasSubstr("found 12 that do not"));
  EXPECT_THAT(Message(status), HasSubstr("t19, ..."));
  EXPECT_THAT(Message(status), Not(HasSubstr("t20")));
}

}  // namespace
}  // namespace attend
