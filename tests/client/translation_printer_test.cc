#include "client/translation_printer.h"

#include <gtest/gtest.h>

namespace attend::client {
namespace {

const CallCost kCost{attend::v1::Usage::default_instance(), 1};

attend::v1::Translation TwoHypotheses() {
  attend::v1::Translation translation;
  translation.set_text("Bonjour\nle monde");
  for (const char* text : {"Bonjour\nle monde", "Salut"}) {
    auto* hypothesis = translation.add_hypotheses();
    hypothesis->set_text(text);
    hypothesis->set_score(-0.25f);
  }
  return translation;
}

TEST(FormatTranslation, ALineStaysALine) {
  const std::string source = "Hello world";
  EXPECT_EQ(
      FormatTranslation({3, source}, TwoHypotheses(), kCost, TranslationFormat::kPlain, Terminal()),
      "Bonjour le monde\n");
  EXPECT_EQ(
      FormatTranslation({0, source}, TwoHypotheses(), kCost, TranslationFormat::kPlain, Terminal()),
      "Bonjour\nle monde\n");
}

TEST(FormatTranslation, NBestHasScoresAndLineNumbers) {
  const std::string source = "Hello world";
  EXPECT_EQ(
      FormatTranslation({3, source}, TwoHypotheses(), kCost, TranslationFormat::kNBest, Terminal()),
      "3\t-0.2500\tBonjour le monde\n3\t-0.2500\tSalut\n");
  EXPECT_EQ(
      FormatTranslation({0, source}, TwoHypotheses(), kCost, TranslationFormat::kNBest, Terminal()),
      "-0.2500\tBonjour le monde\n-0.2500\tSalut\n");
}

TEST(FormatTranslation, JsonSaysHowManyTextsTheTimingIsFor) {
  const std::string source = "x";
  attend::v1::Usage usage;
  usage.set_input_tokens(40);
  const std::string json =
      FormatTranslation({3, source}, TwoHypotheses(), {usage, 16}, TranslationFormat::kJson, {});
  EXPECT_NE(json.find("\"timing\":{\"input_tokens\":40,"), std::string::npos) << json;
  EXPECT_NE(json.find("\"texts\":16}"), std::string::npos) << json;
}

TEST(FormatFailedItem, KeepsThePlaceOfTheLine) {
  const std::string source = "x";
  CallError error;
  error.code = grpc::StatusCode::INVALID_ARGUMENT;
  error.message = "too long";
  EXPECT_EQ(FormatFailedItem({2, source}, error, TranslationFormat::kPlain), "\n");
  EXPECT_EQ(FormatFailedItem({2, source}, error, TranslationFormat::kJson),
            "{\"line\":2,\"source\":\"x\",\"error\":{\"code\":\"INVALID_ARGUMENT\",\"message\":"
            "\"too long\"}}\n");
}

}  // namespace
}  // namespace attend::client
