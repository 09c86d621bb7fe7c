// Sentences, pieces and layout: nothing of a text is lost, and every piece fits the model.
#include "engine/tasks/text_segments.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "engine/base/error.h"
#include "engine/checkpoint/model_directory.h"
#include "engine/text/offset_map.h"  // IsValidUtf8
#include "engine/tokenizers/tokenizer_factory.h"

namespace attend {
namespace {

class TextSegmentsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto directory = ModelDirectory::Open(ATTEND_SOURCE_DIR "/tests/golden/marian_tiny/model");
    ASSERT_TRUE(directory.ok()) << directory.status();
    auto tokenizer = LoadTokenizer(*directory);
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
    tokenizer_ = *std::move(tokenizer);
    options_.language = "en";
    options_.max_tokens = 128;
    options_.max_segments = 100000;
  }

  std::vector<TextSegment> Cut(const std::string& text) {
    auto segments = CutIntoSegments(text, SourceEncoder(tokenizer_.get()), options_, "texts[0]");
    EXPECT_TRUE(segments.ok()) << segments.status();
    return segments.ok() ? *std::move(segments) : std::vector<TextSegment>{};
  }

  // The pieces fit, tell their text and leave only white space between them.
  void ExpectSound(const std::string& text, const std::vector<TextSegment>& segments) {
    const std::vector<std::string> layout = Layout(text, segments);
    ASSERT_EQ(layout.size(), segments.size() + 1);
    std::string rebuilt = layout[0];
    for (size_t i = 0; i < segments.size(); ++i) {
      const std::string part = text.substr(segments[i].span.begin, segments[i].span.size());
      EXPECT_TRUE(IsValidUtf8(part));
      EXPECT_LE(static_cast<int64_t>(segments[i].encoded.tokens.size()), options_.max_tokens);
      EXPECT_FALSE(part.empty());
      rebuilt += part + layout[i + 1];
    }
    EXPECT_EQ(rebuilt, text);
    for (const std::string& gap : layout) {
      EXPECT_TRUE(std::all_of(gap.begin(), gap.end(), [](char c) {
        return c == ' ' || c == '\n' || c == '\t';
      })) << gap;
    }
  }

  std::unique_ptr<Tokenizer> tokenizer_;
  SegmentOptions options_;
};

TEST_F(TextSegmentsTest, SentencesAndLayout) {
  const std::string text = "\n The cat sat.  Where is it?\n\n\tYes. \n";
  const auto segments = Cut(text);
  ASSERT_EQ(segments.size(), 3u);
  EXPECT_EQ(text.substr(segments[1].span.begin, segments[1].span.size()), "Where is it?");
  EXPECT_EQ(Layout(text, segments), (std::vector<std::string>{"\n ", "  ", "\n\n\t", " \n"}));
  EXPECT_EQ(segments[2].encoded.ids(), tokenizer_->Encode("Yes.", TextSide::kSource).ids());
}

TEST_F(TextSegmentsTest, BlankTextsHaveNoSegments) {
  for (const std::string text : {"", " ", "\n\n\t ", "\xE3\x80\x80"})
    EXPECT_TRUE(Cut(text).empty()) << text;
}

TEST_F(TextSegmentsTest, LongSentencesAreCutWhereTheyFit) {
  std::string clauses, words, letters, ideographs, emoji;
  for (int i = 0; i < 400; ++i) {
    clauses += i % 9 == 8 ? "the old house, " : "the cat ";
    words += "bridge ";
    letters += "abcdefghij";
    ideographs += "中文é";
    emoji += "😀";
  }
  for (int64_t max_tokens : {128, 16, 5, 2}) {
    options_.max_tokens = max_tokens;
    for (const std::string& text : {clauses, words, letters, ideographs, emoji}) {
      const std::string trimmed = text.back() == ' ' ? text.substr(0, text.size() - 1) : text;
      ExpectSound(trimmed, Cut(trimmed));
    }
  }
  options_.max_tokens = 128;
  const auto segments = Cut(clauses);
  ASSERT_GT(segments.size(), 2u);
  EXPECT_LT(segments.size(), 60u);
  for (size_t i = 0; i + 1 < segments.size(); ++i)
    EXPECT_EQ(clauses[segments[i].span.end - 1], ',') << i;
}

TEST_F(TextSegmentsTest, PiecesAreNotWasteful) {
  std::string words;
  for (int i = 0; i < 2000; ++i) words += "bridge ";
  const size_t tokens = tokenizer_->Encode(words, TextSide::kSource).tokens.size();
  const auto segments = Cut(words);
  EXPECT_LE(segments.size(), 2 * (tokens / 120 + 1));
}

TEST_F(TextSegmentsTest, RejectNamesTheField) {
  options_.overflow = OverflowPolicy::kReject;
  std::string text = "Yes. ";
  for (int i = 0; i < 200; ++i) text += "bridge ";
  const auto segments =
      CutIntoSegments(text, SourceEncoder(tokenizer_.get()), options_, "texts[3]");
  ASSERT_FALSE(segments.ok());
  const auto detail = GetErrorDetail(segments.status());
  EXPECT_EQ(detail->reason, "INPUT_TOO_LONG");
  EXPECT_EQ(detail->field, "texts[3]");
  EXPECT_EQ(detail->metadata[1].second, "128");
}

TEST_F(TextSegmentsTest, RejectAndTruncateTakeTheTextAsOneSegment) {
  const std::string text = "  Yes. No.\nYes. ";
  EXPECT_EQ(Cut(text).size(), 3u);
  for (OverflowPolicy policy : {OverflowPolicy::kReject, OverflowPolicy::kTruncate}) {
    options_.overflow = policy;
    const auto segments = Cut(text);
    ASSERT_EQ(segments.size(), 1u);
    EXPECT_EQ(segments[0].span, (ByteSpan{2, static_cast<uint32_t>(text.size() - 1)}));
    EXPECT_EQ(segments[0].encoded.ids(),
              tokenizer_->Encode("Yes. No.\nYes.", TextSide::kSource).ids());
  }
}

TEST_F(TextSegmentsTest, TruncateKeepsTheEndToken) {
  options_.overflow = OverflowPolicy::kTruncate;
  std::string text;
  for (int i = 0; i < 200; ++i) text += "bridge ";
  const auto segments = Cut(text);
  ASSERT_EQ(segments.size(), 1u);
  const auto& tokens = segments[0].encoded.tokens;
  EXPECT_EQ(tokens.size(), 128u);
  EXPECT_EQ(tokens.back().id, tokenizer_->eos_id());
  EXPECT_EQ(static_cast<size_t>(segments[0].truncated_tokens) + 128,
            tokenizer_->Encode(text.substr(0, text.size() - 1), TextSide::kSource).tokens.size());
}

TEST_F(TextSegmentsTest, TooManySegments) {
  options_.max_segments = 2;
  EXPECT_EQ(Cut("Yes. No.").size(), 2u);
  const auto segments =
      CutIntoSegments("Yes.\nNo.\nYes.", SourceEncoder(tokenizer_.get()), options_, "text");
  ASSERT_FALSE(segments.ok());
  EXPECT_EQ(GetErrorDetail(segments.status())->reason, "INPUT_TOO_LONG");
}

TEST_F(TextSegmentsTest, ALanguageTokenCountsForTheWholeText) {
  const auto segments = Cut(">>fra<< The cat sat.\nYes.");
  ASSERT_EQ(segments.size(), 2u);
  const int32_t language = segments[0].encoded.tokens[0].id;
  EXPECT_TRUE(segments[0].encoded.tokens[0].special);
  EXPECT_EQ(segments[1].encoded.tokens[0].id, language);
  EXPECT_EQ(segments[1].encoded.ids(), tokenizer_->Encode(">>fra<< Yes.", TextSide::kSource).ids());

  std::string text = ">>fra<< ";
  for (int i = 0; i < 200; ++i) text += "bridge ";
  const auto pieces = Cut(text);
  ASSERT_GT(pieces.size(), 1u);
  for (const TextSegment& piece : pieces) {
    EXPECT_EQ(piece.encoded.tokens[0].id, language);
    EXPECT_NE(piece.encoded.tokens[1].id, language);
    EXPECT_LE(piece.encoded.tokens.size(), 128u);
  }
}

}  // namespace
}  // namespace attend
