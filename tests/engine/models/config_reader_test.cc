// One error tells everything that is wrong with a file.
#include "engine/models/config_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/base/error.h"

namespace attend {
namespace {

using ::testing::HasSubstr;

TEST(ConfigReader, ReadsWhatIsThere) {
  ConfigReader reader(
      Json::Parse(R"({"a": 5, "b": true, "c": "swish", "d": "x", "e": null})", "config.json")
          .value());
  EXPECT_EQ(reader.Int("a", 1, 10), 5);
  EXPECT_EQ(reader.IntOr("z", 7, 1, 10), 7);
  EXPECT_EQ(reader.IntOr("e", 8, 1, 10), 8) << "null counts as absent";
  EXPECT_TRUE(reader.BoolOr("b", false));
  EXPECT_TRUE(reader.BoolOr("z", true));
  EXPECT_EQ(reader.ActivationFunction("c"), Activation::kSilu);
  EXPECT_EQ(reader.Word("d"), "x");
  EXPECT_TRUE(reader.status().ok()) << reader.status();
}

TEST(ConfigReader, CollectsEveryFault) {
  ConfigReader reader(
      Json::Parse(
          R"({"low": 0, "text": "5", "float": 1.5, "flag": 1, "act": "tanh", "list": [1], "huge": 1e300})",
          "config.json")
          .value());
  EXPECT_EQ(reader.Int("missing", 1, 9), 1);
  reader.Int("low", 1, 9);
  reader.Int("text", 1, 9);
  reader.Int("float", 1, 9);
  reader.IntOr("list", 3, 1, 9);
  reader.Int("huge", 1, 9);
  reader.BoolOr("flag", false);
  reader.ActivationFunction("act");
  reader.ActivationFunction("none");
  reader.Word("low");
  const absl::Status status = reader.status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  const std::string message(status.message());
  EXPECT_THAT(message,
              HasSubstr("key 'missing': expected an integer from 1 to 9, found no such key"));
  EXPECT_THAT(message, HasSubstr("key 'low': expected an integer from 1 to 9, found 0"));
  EXPECT_THAT(message, HasSubstr("key 'text': expected an integer from 1 to 9, found a string"));
  EXPECT_THAT(message, HasSubstr("key 'float'"));
  EXPECT_THAT(message, HasSubstr("key 'list': expected an integer from 1 to 9, found an array"));
  EXPECT_THAT(message, HasSubstr("key 'huge'"));
  EXPECT_THAT(message, HasSubstr("key 'flag': expected true or false, found"));
  EXPECT_THAT(
      message,
      HasSubstr("key 'act': expected one of relu, gelu, gelu_new, silu, swish, found 'tanh'"));
  EXPECT_THAT(message, HasSubstr("key 'none': expected a string, found no such key"));
  const auto detail = GetErrorDetail(status);
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(detail->reason, "MODEL_FAILED");
  EXPECT_EQ(detail->metadata[0], (std::pair<std::string, std::string>("file", "config.json")));
  EXPECT_EQ(detail->metadata[1], (std::pair<std::string, std::string>("key", "missing")));
}

TEST(Excerpt, IsShortAndPrintable) {
  EXPECT_EQ(Excerpt("plain"), "plain");
  EXPECT_EQ(Excerpt("a\nb\x80"), "a?b?");
  EXPECT_EQ(Excerpt(std::string(1000, 'x')).size(), 63u);
}

}  // namespace
}  // namespace attend
