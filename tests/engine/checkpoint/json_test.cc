// Json: what is accepted, what errors say, and that hostile text costs an error and nothing more.
#include "engine/checkpoint/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "engine/base/error.h"
#include "tests/engine/checkpoint/checkpoint_files.h"
#include "tests/testing/temporary_folder.h"

namespace attend {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

Json Parsed(std::string_view text) {
  auto json = Json::Parse(text, "config.json");
  EXPECT_TRUE(json.ok()) << json.status();
  return json.ok() ? *json : Json();
}

std::string Message(const absl::Status& status) { return std::string(status.message()); }

TEST(JsonTest, ReadsEveryType) {
  const Json json = Parsed(
      R"({"i": -3, "f": 1.5, "b": true, "s": "\u00e9", "a": [1, 2], "o": {"k": "v"}, "n": null})");
  EXPECT_EQ(*json.GetInt("i"), -3);
  EXPECT_EQ(*json.GetNumber("i"), -3.0);
  EXPECT_EQ(*json.GetNumber("f"), 1.5);
  EXPECT_TRUE(*json.GetBool("b"));
  EXPECT_EQ(*json.GetString("s"), "\xc3\xa9");
  EXPECT_THAT(*json.Get("a")->AsInts(), ElementsAre(1, 2));
  EXPECT_EQ(*json.Get("o")->GetString("k"), "v");
  EXPECT_THAT(json.Keys(), ElementsAre("i", "f", "b", "s", "a", "o", "n"));
  EXPECT_TRUE(json.IsObject());
  EXPECT_TRUE(json.Get("a")->IsArray());
  EXPECT_TRUE(json.Get("s")->IsString());
  EXPECT_TRUE(json.Get("i")->IsInt());
  EXPECT_FALSE(json.Get("f")->IsInt());
  EXPECT_TRUE(Parsed("null").IsNull());
  EXPECT_EQ(*Parsed("7").AsInt(), 7);
  EXPECT_EQ(*Parsed("7.5").AsNumber(), 7.5);
  EXPECT_EQ(*Parsed("\"x\"").AsString(), "x");
}

TEST(JsonTest, NullCountsAsAbsent) {
  const Json json = Parsed(R"({"max_length": null})");
  EXPECT_FALSE(json.Has("max_length"));
  EXPECT_EQ(*json.GetIntOr("max_length", 20), 20);
  EXPECT_EQ(json.GetInt("max_length").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(JsonTest, DefaultsStandInForAbsentKeysOnly) {
  const Json json = Parsed(R"({"i": 1, "s": "x", "b": false, "f": 2.5})");
  EXPECT_EQ(*json.GetIntOr("i", 9), 1);
  EXPECT_EQ(*json.GetIntOr("none", 9), 9);
  EXPECT_EQ(*json.GetNumberOr("f", 9), 2.5);
  EXPECT_EQ(*json.GetNumberOr("none", 9), 9);
  EXPECT_EQ(*json.GetBoolOr("b", true), false);
  EXPECT_EQ(*json.GetBoolOr("none", true), true);
  EXPECT_EQ(*json.GetStringOr("s", "y"), "x");
  EXPECT_EQ(*json.GetStringOr("none", "y"), "y");
  EXPECT_FALSE(json.GetIntOr("s", 9).ok());
  EXPECT_FALSE(json.GetNumberOr("s", 9).ok());
  EXPECT_FALSE(json.GetBoolOr("i", true).ok());
  EXPECT_FALSE(json.GetStringOr("i", "y").ok());
}

TEST(JsonTest, ErrorsNameFileKeyAndTypes) {
  const Json json = Parsed(R"({"d_model": "big", "list": [{"x": 1}, {"x": true}], "size": 3.5})");
  EXPECT_EQ(Message(json.GetInt("d_model").status()),
            "config.json: key 'd_model': expected an integer, found a string");
  EXPECT_EQ(Message(json.GetInt("vocab_size").status()), "config.json: key 'vocab_size': missing");
  EXPECT_EQ(Message(json.GetInt("size").status()),
            "config.json: key 'size': expected an integer, found a number");
  const std::vector<Json> list = json.Get("list")->Elements();
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(Message(list[1].GetInt("x").status()),
            "config.json: key 'list[1].x': expected an integer, found a boolean");
  EXPECT_EQ(list[0].origin(), "config.json: key 'list[0]'");
  EXPECT_EQ(Message(list[0].Get("x")->GetInt("y").status()),
            "config.json: key 'list[0].x': expected an object, found an integer");
  const auto detail = GetErrorDetail(json.GetInt("vocab_size").status());
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(detail->reason, "JSON_INVALID");
  EXPECT_THAT(detail->metadata,
              ElementsAre(Pair("file", "config.json"), Pair("key", "vocab_size")));
  EXPECT_EQ(Message(json.RequireArray()), "config.json: expected an array, found an object");
  EXPECT_EQ(Message(json.Get("list")->RequireObject()),
            "config.json: key 'list': expected an object, found an array");
  EXPECT_TRUE(json.RequireObject().ok());
  EXPECT_TRUE(json.Get("list")->RequireArray().ok());
}

TEST(JsonTest, IntMapKeepsFileOrder) {
  const auto map = Parsed(R"({"z": 2, "a": 0, "m": 1})").AsIntMap();
  ASSERT_TRUE(map.ok());
  EXPECT_THAT(*map, ElementsAre(Pair("z", 2), Pair("a", 0), Pair("m", 1)));
  EXPECT_THAT(Message(Parsed(R"({"a": 0, "b": "1"})").AsIntMap().status()), HasSubstr("key 'b'"));
  EXPECT_FALSE(Parsed("[1]").AsIntMap().ok());
  EXPECT_FALSE(Parsed("[1, 2.5]").AsInts().ok());
  EXPECT_FALSE(Parsed("{}").AsInts().ok());
  EXPECT_TRUE(Parsed("{}").Elements().empty());
}

TEST(JsonTest, EmptyObjectByDefault) {
  const Json json;
  EXPECT_TRUE(json.IsObject());
  EXPECT_FALSE(json.Has("x"));
  EXPECT_EQ(*json.GetIntOr("x", 4), 4);
  EXPECT_TRUE(json.Keys().empty());
}

TEST(JsonTest, CopiesOutliveTheDocument) {
  std::optional<Json> inner;
  {
    const Json json = Parsed(R"({"a": {"b": [5]}})");
    inner = *json.Get("a");
  }
  EXPECT_THAT(*inner->Get("b")->AsInts(), ElementsAre(5));
}

TEST(JsonTest, RefusesBadText) {
  for (const char* text :
       {"",           " ",           "{",       "}",        "{]",          "[1,]",
        "{\"a\":}",   "{\"a\" 1}",   "{a: 1}",  "NaN",      "[NaN]",       "{\"a\": NaN}",
        "[Infinity]", "[-Infinity]", "[1e999]", "[-1e999]", "nul",         "[1] 2",
        "[01]",       "[1.]",        "[+1]",    "// x\n[]", "\"\\ud800\"", "\"\xff\"",
        "\"\n\"",     "[\"\\x\"]",   "'a'"}) {
    const auto json = Json::Parse(text, "config.json");
    EXPECT_EQ(json.status().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(Message(json.status()), HasSubstr("config.json: ")) << text;
    EXPECT_EQ(Describe(json.status()), "INVALID_ARGUMENT JSON_INVALID config.json") << text;
  }
}

TEST(JsonTest, RefusesRepeatedKeys) {
  const auto json = Json::Parse(R"({"a": 1, "b": 2, "a": 3})", "config.json");
  EXPECT_THAT(Message(json.status()), HasSubstr("key 'a' occurs twice"));
  EXPECT_TRUE(Json::Parse(R"({"a": {"a": 1}, "b": {"a": 1}})", "x").ok());
}

TEST(JsonTest, LargeNumbers) {
  EXPECT_EQ(*Parsed("9223372036854775807").AsInt(), INT64_MAX);
  EXPECT_EQ(*Parsed("-9223372036854775808").AsInt(), INT64_MIN);
  EXPECT_FALSE(Parsed("9223372036854775808").AsInt().ok());
  EXPECT_EQ(*Parsed("18446744073709551615").AsNumber(), 18446744073709551615.0);
}

TEST(JsonTest, DepthIsLimited) {
  EXPECT_TRUE(Json::Parse(std::string(100, '[') + std::string(100, ']'), "x").ok());
  for (const std::string& open : {std::string("["), std::string("{\"a\":")}) {
    std::string text;
    for (int i = 0; i < 1000000; ++i) text += open;
    EXPECT_THAT(Message(Json::Parse(text, "x").status()),
                HasSubstr("nested deeper than 100 levels"));
  }
}

TEST(JsonTest, NumberOfValuesIsLimited) {
  std::string text = "[0";
  text.reserve(40 << 20);
  while (text.size() < size_t{18} << 20) text += ",0";
  text += "]";
  EXPECT_THAT(Message(Json::Parse(text, "x").status()), HasSubstr("more than 2097152 values"));
}

TEST(JsonTest, EveryTruncationIsRefused) {
  const std::string text = R"({"a": [1, 2.5, "x\u00e9"], "b": {"c": null, "d": true}})";
  ASSERT_TRUE(Json::Parse(text, "x").ok());
  for (size_t size = 0; size < text.size(); ++size) {
    EXPECT_FALSE(Json::Parse(std::string_view(text).substr(0, size), "x").ok()) << size;
  }
}

TEST(JsonTest, MessagesAreBoundedAndPrintable) {
  const std::string key(100000, '\x01');
  const Json json = Parsed("{}");
  const std::string message = Message(json.GetInt(key).status());
  EXPECT_LT(message.size(), 1000u);
  EXPECT_EQ(message.find('\x01'), std::string::npos);
}

TEST(JsonTest, ReadsFiles) {
  const TemporaryFolder folder;
  const std::string path =
      folder.Write("config.json", "\xef\xbb\xbf{\"a\": 1}");  // with a byte order mark
  const auto json = Json::ReadFile(path);
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_EQ(*json->GetInt("a"), 1);
  EXPECT_EQ(json->origin(), "config.json");
  EXPECT_EQ(Json::ReadFile(folder.path() + "/none.json").status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(Json::ReadFile(folder.Write("empty.json", "")).status().code(),
            absl::StatusCode::kInvalidArgument);
  // The limit is on the file, before any of it is read.
  const std::string large = folder.Write("large.json", "");
  std::filesystem::resize_file(large, Json::kMaxConfigBytes + 1);
  EXPECT_THAT(Message(Json::ReadFile(large).status()),
              HasSubstr("large.json: expected at most 4194304 bytes, found 4194305"));
}

}  // namespace
}  // namespace attend
