#include "client/text_width.h"

#include <gtest/gtest.h>

namespace attend::client {
namespace {

TEST(FirstInvalidUtf8, FindsTheFirstBadByte) {
  EXPECT_EQ(FirstInvalidUtf8("plain, é, 漢, 😀"), std::string::npos);
  EXPECT_EQ(FirstInvalidUtf8(""), std::string::npos);
  EXPECT_EQ(FirstInvalidUtf8("ab\xFFxx"), 2u);
  EXPECT_EQ(FirstInvalidUtf8("ab\xC3"), 2u);            // cut off
  EXPECT_EQ(FirstInvalidUtf8("\xC0\xAF"), 0u);          // overlong
  EXPECT_EQ(FirstInvalidUtf8("a\xED\xA0\x80"), 1u);     // surrogate
  EXPECT_EQ(FirstInvalidUtf8("\xF5\x80\x80\x80"), 0u);  // above U+10FFFF
}

TEST(DisplayWidth, KnowsWideAndCombiningCharacters) {
  EXPECT_EQ(DisplayWidth("abc"), 3);
  EXPECT_EQ(DisplayWidth("漢字"), 4);
  EXPECT_EQ(DisplayWidth("e\u0301"), 1);  // e + combining acute
  EXPECT_EQ(DisplayWidth("한글"), 4);
  EXPECT_EQ(DisplayWidth("ｱ"), 1);  // half-width katakana
  EXPECT_EQ(DisplayWidth("😀"), 2);
  EXPECT_EQ(DisplayWidth("a\u200Bb"), 2);  // zero width space
  EXPECT_EQ(DisplayWidth("▁cat"), 4);
}

TEST(CutToWidth, NeverCutsAWideCharacterInTwo) {
  EXPECT_EQ(CutToWidth("short", 5, "…"), "short");
  EXPECT_EQ(CutToWidth("longer", 5, "…"), "long…");
  EXPECT_EQ(CutToWidth("漢字漢字", 5, "…"), "漢字…");
  EXPECT_EQ(CutToWidth("漢字漢字", 4, "…"), "漢…");
}

TEST(Pad, CountsColumns) {
  EXPECT_EQ(PadLeft("漢", 4), "  漢");
  EXPECT_EQ(PadRight("é", 3), "é  ");
  EXPECT_EQ(PadLeft("long", 2), "long");
}

TEST(Printable, LeavesNothingThatDrivesTheTerminal) {
  EXPECT_EQ(Printable("\x1b[31mred"), "\uFFFD[31mred");
  EXPECT_EQ(Printable("a\tb\nc"), "a b c");
  EXPECT_EQ(Printable("x\u202Ey"), "x\uFFFDy");  // right-to-left override
  EXPECT_EQ(Printable("x\u0085y"), "x\uFFFDy");  // C1 control
  EXPECT_EQ(Printable("bad\xFF"), "bad\uFFFD");
  EXPECT_EQ(Printable("fine é 漢"), "fine é 漢");
}

}  // namespace
}  // namespace attend::client
