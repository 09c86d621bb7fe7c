#include "engine/tokenizers/mapped_text.h"

#include <gtest/gtest.h>

namespace attend {
namespace {

TEST(MappedText, LeadsBackThroughWhatWasLeftOutAndPutIn) {
  const std::string original = "abc--def";
  MappedText mapped;
  mapped.Insert("<<", 0);
  mapped.Keep(original, 0, 3);
  mapped.Insert("+", 3);
  mapped.Keep(original, 5, 8);
  ASSERT_EQ(mapped.text(), "<<abc+def");
  EXPECT_EQ(mapped.ToOriginal({2, 5}), (ByteSpan{0, 3}));
  EXPECT_EQ(mapped.ToOriginal({6, 9}), (ByteSpan{5, 8}));
  EXPECT_EQ(mapped.ToOriginal({4, 7}), (ByteSpan{2, 6}));
  EXPECT_EQ(mapped.ToOriginal({0, 2}), (ByteSpan{0, 0}));
  EXPECT_EQ(mapped.ToOriginal({0, 4}), (ByteSpan{0, 2}));
  EXPECT_EQ(mapped.ToOriginal({5, 6}), (ByteSpan{3, 3}));
  EXPECT_EQ(mapped.ToOriginal({7, 7}), (ByteSpan{6, 6}));
}

TEST(TidySpan, EndsOnCharactersWithoutWhiteSpace) {
  const std::string text = " \u00E9a  ";
  EXPECT_EQ(TidySpan(text, {0, 2}), (ByteSpan{1, 3}));
  EXPECT_EQ(TidySpan(text, {2, 6}), (ByteSpan{1, 4}));
  EXPECT_EQ(TidySpan(text, {4, 6}), (ByteSpan{4, 6}));  // nothing else
}

TEST(StripSpan, TakesWhatPythonTakes) {
  const std::string text = "\x1C\u3000 a \u00A0\x1F";
  const auto size = static_cast<uint32_t>(text.size());
  EXPECT_EQ(StripSpan(text, {0, size}, true, true), (ByteSpan{5, 6}));
  EXPECT_EQ(StripSpan(text, {0, size}, true, false), (ByteSpan{5, size}));
  EXPECT_EQ(StripSpan(text, {0, size}, false, true), (ByteSpan{0, 6}));
  EXPECT_TRUE(StripSpan(text, {0, 5}, true, true).empty());
}

}  // namespace
}  // namespace attend
