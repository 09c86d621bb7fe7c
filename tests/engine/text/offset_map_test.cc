#include "engine/text/offset_map.h"

#include <gtest/gtest.h>

#include <string>

#include "engine/text/unicode.h"
#include "tests/engine/text/hostile_texts.h"

namespace attend {
namespace {

// a, é (2 bytes), 中 (3), 😀 (4, two UTF-16 units), b.
constexpr char kMixed[] = "a\u00E9\u4E2D\U0001F600b";

TEST(OffsetMap, CountsBytes) {
  const OffsetMap map(kMixed, OffsetUnit::kByte);
  EXPECT_EQ(map.FromByte(6), 6u);
  EXPECT_EQ(map.FromByte(8), 6u) << "inside a character: its beginning";
  EXPECT_EQ(map.ToByte(6), 6u);
  EXPECT_EQ(map.ToByte(7), std::nullopt);
  EXPECT_EQ(map.ToByte(11), 11u);
  EXPECT_EQ(map.ToByte(12), std::nullopt);
}

TEST(OffsetMap, CountsUtf16Units) {
  const OffsetMap map(kMixed, OffsetUnit::kUtf16);
  EXPECT_EQ(map.FromByte(0), 0u);
  EXPECT_EQ(map.FromByte(3), 2u);
  EXPECT_EQ(map.FromByte(6), 3u);
  EXPECT_EQ(map.FromByte(10), 5u);
  EXPECT_EQ(map.FromByte(11), 6u);
  EXPECT_EQ(map.ToByte(3), 6u);
  EXPECT_EQ(map.ToByte(4), std::nullopt) << "between the surrogates";
  EXPECT_EQ(map.ToByte(5), 10u);
  EXPECT_EQ(map.ToByte(6), 11u);
  EXPECT_EQ(map.ToByte(7), std::nullopt);
}

TEST(OffsetMap, CountsCodePoints) {
  const OffsetMap map(kMixed, OffsetUnit::kCodePoint);
  EXPECT_EQ(map.FromBytes({1, 10}), (ByteSpan{1, 4}));
  EXPECT_EQ(map.FromByte(11), 5u);
  EXPECT_EQ(map.ToByte(4), 10u);
  EXPECT_EQ(map.ToByte(5), 11u);
  EXPECT_EQ(map.ToByte(6), std::nullopt);
}

TEST(OffsetMap, AsciiIsTheSameInEveryUnit) {
  for (const OffsetUnit unit : {OffsetUnit::kByte, OffsetUnit::kUtf16, OffsetUnit::kCodePoint}) {
    const OffsetMap map("abc", unit);
    for (uint32_t i = 0; i <= 3; ++i) {
      EXPECT_EQ(map.FromByte(i), i);
      EXPECT_EQ(map.ToByte(i), i);
    }
    EXPECT_EQ(map.ToByte(4), std::nullopt);
    const OffsetMap none("", unit);
    EXPECT_EQ(none.ToByte(0), 0u);
    EXPECT_EQ(none.ToByte(1), std::nullopt);
  }
}

TEST(OffsetMap, GoesThereAndBackOnAnyText) {
  for (const std::string& text : HostileTexts()) {
    for (const OffsetUnit unit : {OffsetUnit::kByte, OffsetUnit::kUtf16, OffsetUnit::kCodePoint}) {
      const OffsetMap map(text, unit);
      uint32_t at = 0;
      while (true) {
        EXPECT_EQ(map.ToByte(map.FromByte(at)), at);
        if (at == text.size()) break;
        const uint32_t end = CodePointAt(text, at).end;
        for (uint32_t inside = at + 1; inside < end; ++inside)
          EXPECT_EQ(map.FromByte(inside), map.FromByte(at));
        at = end;
      }
      EXPECT_EQ(map.ToByte(map.FromByte(at) + 1), std::nullopt);
    }
  }
}

TEST(OffsetMap, EndsOnIllFormedTextToo) {
  const std::string text = "a\xFF\xC3(\xE4\xB8";
  const OffsetMap map(text, OffsetUnit::kCodePoint);
  EXPECT_GE(map.FromByte(static_cast<uint32_t>(text.size())), 4u);
}

TEST(IsValidUtf8, AcceptsWellFormedText) {
  for (const std::string& text : HostileTexts()) EXPECT_TRUE(IsValidUtf8(text)) << text;
  EXPECT_TRUE(IsValidUtf8("\xF4\x8F\xBF\xBF"));
  EXPECT_TRUE(IsValidUtf8("\xED\x9F\xBF"));
}

TEST(IsValidUtf8, RefusesIllFormedText) {
  for (const char* text :
       {"\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xC3", "\xC3(", "\xE0\x80\x80", "\xE0\x9F\xBF",
        "\xED\xA0\x80", "\xED\xBF\xBF", "\xE4\xB8", "\xF0\x80\x80\x80", "\xF0\x8F\xBF\xBF",
        "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "ok then \xF0\x9F\x98"}) {
    EXPECT_FALSE(IsValidUtf8(text));
  }
}

}  // namespace
}  // namespace attend
