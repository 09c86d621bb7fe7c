#include "engine/tokenizers/vocabulary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace attend {
namespace {

absl::StatusOr<Vocabulary> Parse(const std::string& text, int64_t max_size = 10) {
  const auto json = Json::Parse(text, "vocab.json");
  EXPECT_TRUE(json.ok()) << json.status();
  return Vocabulary::FromJson(*json, "vocab.json", max_size);
}

TEST(Vocabulary, FindsBothWaysAndHasHoles) {
  const auto vocabulary = Parse(R"({"a": 0, "\u2581b": 3})");
  ASSERT_TRUE(vocabulary.ok()) << vocabulary.status();
  EXPECT_EQ(vocabulary->size(), 4);
  EXPECT_EQ(vocabulary->Find("a"), 0);
  EXPECT_EQ(vocabulary->Find("\u2581b"), 3);
  EXPECT_EQ(vocabulary->Find("c"), std::nullopt);
  EXPECT_EQ(vocabulary->Piece(3), "\u2581b");
  for (const int32_t id : {-1, 1, 4, 1000}) {
    EXPECT_EQ(vocabulary->Piece(id), "");
    EXPECT_FALSE(vocabulary->Has(id));
  }
}

TEST(Vocabulary, RefusesBadIdsByName) {
  const struct {
    const char* text;
    const char* message;
  } cases[] = {{R"({"a": 0, "b": 0})", "is also that of"},
               {R"({"a": -1})", "expected an id from 0, found -1"},
               {R"({"a": "0"})", "expected an integer"},
               {R"({"a": 0.5})", "expected an integer"},
               {R"(["a"])", "expected an object"}};
  for (const auto& c : cases) {
    const absl::Status status = Parse(c.text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
    EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr(c.message));
    // The file is named, once.
    const std::string message(status.message());
    EXPECT_EQ(message.find("vocab.json"), 0u) << message;
    EXPECT_EQ(message.find("vocab.json", 1), std::string::npos) << message;
  }
}

TEST(Vocabulary, LeavesOutWhatTheModelHasNoEmbeddingFor) {
  auto vocabulary = Parse(R"({"a": 0, "b": 10, "c": 4611686018427387904, "d": 9})");
  ASSERT_TRUE(vocabulary.ok()) << vocabulary.status();
  EXPECT_EQ(vocabulary->size(), 10);
  EXPECT_EQ(vocabulary->Find("b"), std::nullopt);
  EXPECT_TRUE(vocabulary->Add("e", 11, "x.json", 10).ok());
  EXPECT_THAT(
      vocabulary->left_out(),
      ::testing::ElementsAre(::testing::Pair("b", 10), ::testing::Pair("c", 4611686018427387904),
                             ::testing::Pair("e", 11)));
}

TEST(Vocabulary, AddsPiecesThatAgree) {
  auto vocabulary = Parse(R"({"a": 0})");
  ASSERT_TRUE(vocabulary.ok());
  EXPECT_TRUE(vocabulary->Add("a", 0, "x.json", 10).ok());
  EXPECT_TRUE(vocabulary->Add("b", 5, "x.json", 10).ok());
  EXPECT_EQ(vocabulary->Find("b"), 5);
  EXPECT_EQ(vocabulary->Add("a", 1, "x.json", 10).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(vocabulary->Add("c", 5, "x.json", 10).code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace attend
