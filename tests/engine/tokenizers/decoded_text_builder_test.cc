#include "engine/tokenizers/decoded_text_builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace attend {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> Slices(const DecodedText& decoded) {
  std::vector<std::string> slices;
  for (const ByteSpan span : decoded.spans)
    slices.push_back(decoded.text.substr(span.begin, span.size()));
  return slices;
}

TEST(DecodedTextBuilder, TakesAnother) {
  DecodedTextBuilder builder, part;
  EXPECT_TRUE(part.empty());
  builder.Append(part);
  part.Append("ab", 1);
  part.Append("c", 3);
  EXPECT_EQ(part.first_token(), 1u);
  builder.Append("x ", 0);
  builder.Append(part);
  builder.Append("!", 3);
  EXPECT_THAT(Slices(std::move(builder).Build(4)), ElementsAre("x ", "ab", "", "c!"));
}

TEST(DecodedTextBuilder, EditsKeepTheOwnersOfBytes) {
  DecodedTextBuilder builder;
  builder.Append("  I", 0);
  builder.Append(" '", 1);
  builder.Append(" m\u2581", 2);
  builder.Append("ok ", 4);
  builder.Append(". \x1F", 5);
  builder.ReplaceAll("\u2581", " ");
  builder.ReplaceAll(" ' ", "'");
  builder.ReplaceAll(" .", ".");
  builder.Strip();
  const DecodedText decoded = std::move(builder).Build(7);
  EXPECT_EQ(decoded.text, "I'm ok.");
  EXPECT_THAT(Slices(decoded), ElementsAre("I", "'", "m ", "", "ok", ".", ""));
}

TEST(DecodedTextBuilder, StripsEverything) {
  DecodedTextBuilder builder;
  builder.Append(" \u00A0\u3000\n", 1);
  builder.Strip();
  const DecodedText decoded = std::move(builder).Build(2);
  EXPECT_EQ(decoded.text, "");
  EXPECT_THAT(Slices(decoded), ElementsAre("", ""));
}

TEST(DecodedTextBuilder, BuildsNothing) {
  const DecodedText decoded = DecodedTextBuilder().Build(0);
  EXPECT_EQ(decoded.text, "");
  EXPECT_TRUE(decoded.spans.empty());
}

}  // namespace
}  // namespace attend
