#include "engine/tokenizers/byte_trie.h"

#include <gtest/gtest.h>

namespace attend {
namespace {

TEST(ByteTrie, FindsExactlyItsKeys) {
  ByteTrie trie;
  trie.Build({{"ab", 1}, {"a", 0}, {"abc", 2}, {"\xFFz", 3}, {std::string_view("\0x", 2), 4}});
  EXPECT_EQ(trie.Find("a"), 0);
  EXPECT_EQ(trie.Find("ab"), 1);
  EXPECT_EQ(trie.Find("abc"), 2);
  EXPECT_EQ(trie.Find("\xFFz"), 3);
  EXPECT_EQ(trie.Find(std::string_view("\0x", 2)), 4);
  for (const char* other : {"", "b", "abcd", "\xFF", "ac"}) EXPECT_EQ(trie.Find(other), -1);
}

TEST(ByteTrie, FindsTheLongestPrefix) {
  ByteTrie trie;
  trie.Build({{"a", 0}, {"abc", 1}});
  EXPECT_EQ(trie.LongestPrefix("abcd"), 3u);
  EXPECT_EQ(trie.LongestPrefix("abd"), 1u);
  EXPECT_EQ(trie.LongestPrefix("xabc"), 0u);
  EXPECT_EQ(trie.LongestPrefix(""), 0u);
}

TEST(ByteTrie, IsEmptyAtFirst) {
  const ByteTrie trie;
  EXPECT_TRUE(trie.empty());
  EXPECT_EQ(trie.Find("a"), -1);
  EXPECT_EQ(trie.LongestPrefix("a"), 0u);
}

TEST(ByteTrie, HoldsAllBytesUnderOneNode) {
  std::vector<std::string> keys;
  for (int i = 0; i < 256; ++i) keys.push_back(std::string("k") + static_cast<char>(i));
  std::vector<std::pair<std::string_view, int32_t>> entries;
  for (int i = 255; i >= 0; --i) entries.emplace_back(keys[i], i);
  ByteTrie trie;
  trie.Build(entries);
  for (int i = 0; i < 256; ++i) EXPECT_EQ(trie.Find(keys[i]), i);
}

}  // namespace
}  // namespace attend
