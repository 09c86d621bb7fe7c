#include "server/utf8.h"

#include "gtest/gtest.h"

namespace attend::server {
namespace {

constexpr char kReplacement[] = "\xEF\xBF\xBD";

TEST(Utf8Test, WellFormedTextIsKept) {
  for (const char* text : {"", "plain", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80",
                           "\xED\x9F\xBF\xEE\x80\x80", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_TRUE(IsUtf8(text));
    EXPECT_EQ(ToUtf8(text), text);
  }
}

TEST(Utf8Test, IllFormedBytesAreReplaced) {
  const std::string r = kReplacement;
  EXPECT_EQ(ToUtf8("a\xFFz"), "a" + r + "z");
  EXPECT_EQ(ToUtf8("caf\xE9"), "caf" + r);               // Latin-1
  EXPECT_EQ(ToUtf8("\xE2\x82"), r);                      // cut short: one mark
  EXPECT_EQ(ToUtf8("\xE2\x82z"), r + "z");               // the z survives
  EXPECT_EQ(ToUtf8("\xC0\xAF"), r + r);                  // overlong
  EXPECT_EQ(ToUtf8("\xED\xA0\x80"), r + r + r);          // a surrogate
  EXPECT_EQ(ToUtf8("\xF4\x90\x80\x80"), r + r + r + r);  // above U+10FFFF
  EXPECT_EQ(ToUtf8("\x80\xF0\x9F\x98\x80"), r + "\xF0\x9F\x98\x80");
}

TEST(Utf8Test, WhateverComesInWhatComesOutIsWellFormed) {
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      std::string text = "x";
      text += static_cast<char>(first);
      text += static_cast<char>(second);
      EXPECT_TRUE(IsUtf8(ToUtf8(text))) << first << " " << second;
    }
  }
}

}  // namespace
}  // namespace attend::server
