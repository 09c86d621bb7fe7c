// Counts → lists → bytes, and back through the engine's own reader.
#include "client/shortlist_counts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/checkpoint/shortlist_file.h"

namespace attend::client {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

ShortlistLimits Everything() {
  ShortlistLimits limits;
  limits.min_share = 0;
  limits.num_frequent = 0;
  limits.min_seen = 1;
  return limits;
}

TEST(ShortlistCountsTest, StrongestTargetsOfEachSource) {
  ShortlistCounts counts(3, 10);
  for (int i = 0; i < 5; ++i) counts.AddSource(1);
  counts.AddSource(2);
  counts.AddLink(1, 7, 0.5);
  counts.AddLink(1, 7, 0.4);
  counts.AddLink(1, 3, 0.8);
  counts.AddLink(1, 9, 0.8);
  counts.AddLink(1, 2, 0.001);
  ShortlistLimits limits = Everything();
  EXPECT_THAT(counts.Select(limits, {}).lists[1].tokens, ElementsAre(2, 3, 7, 9));
  limits.min_share = 0.01;
  EXPECT_THAT(counts.Select(limits, {}).lists[1].tokens, ElementsAre(3, 7, 9));
  limits.max_per_token = 2;
  EXPECT_THAT(counts.Select(limits, {}).lists[1].tokens, ElementsAre(3, 7))
      << "of equals the first";

  const ShortlistTables tables = counts.Select(limits, {});
  EXPECT_FALSE(tables.lists[0].is_known);
  EXPECT_TRUE(tables.lists[2].is_known) << "seen, if without a link";
  EXPECT_EQ(tables.num_known(), 2);
  EXPECT_EQ(tables.num_links(), 2);
  limits.min_seen = 2;
  EXPECT_FALSE(counts.Select(limits, {}).lists[2].is_known);
}

TEST(ShortlistCountsTest, WhatEveryListHasIsInNone) {
  ShortlistCounts counts(2, 10);
  counts.AddSource(0);
  for (const uint32_t token : {4, 4, 4, 5, 5, 6}) counts.AddTarget(token);
  for (const uint32_t token : {4, 5, 6, 8}) counts.AddLink(0, token, 1);
  ShortlistLimits limits = Everything();
  limits.num_frequent = 2;
  const ShortlistTables tables = counts.Select(limits, {8, 0, 8, 77});
  EXPECT_THAT(tables.always, ElementsAre(0, 4, 5, 8)) << "77 is no token";
  EXPECT_THAT(tables.lists[0].tokens, ElementsAre(6));
}

TEST(ShortlistCountsTest, IdsBeyondTheVocabulariesAreLeftOut) {
  ShortlistCounts counts(2, 2);
  counts.AddSource(2);
  counts.AddTarget(2);
  counts.AddLink(2, 0, 1);
  counts.AddLink(0, 2, 1);
  EXPECT_EQ(counts.Select(Everything(), {}).num_links(), 0);
}

TEST(ShortlistCountsTest, TheEngineReadsWhatIsWritten) {
  ShortlistTables tables;
  tables.always = {0, 1, 300, 70000};
  tables.lists = {{true, {5, 6, 69999}}, {false, {}}, {true, {}}};
  const std::string bytes = FormatShortlist(tables, 70001, {"en-fr\"", "abc", 12});
  const auto file = ReadShortlist(
      MemorySource({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, "x.shortlist"));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->model, "en-fr\"");
  EXPECT_EQ(file->revision, "abc");
  EXPECT_EQ(file->source_vocab_size, 3);
  EXPECT_EQ(file->target_vocab_size, 70001);
  EXPECT_THAT(file->always, ElementsAre(0, 1, 300, 70000));
  EXPECT_THAT(file->is_known, ElementsAre(true, false, true));
  EXPECT_THAT(file->TokensOf(0), ElementsAre(5, 6, 69999));
  EXPECT_THAT(file->TokensOf(2), IsEmpty());
}

}  // namespace
}  // namespace attend::client
