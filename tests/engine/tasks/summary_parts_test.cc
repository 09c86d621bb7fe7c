// Packing sentences into windows, and what is folded from attention: pure functions on a tiny
// tokenizer and hand-made weights.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "engine/checkpoint/model_directory.h"
#include "engine/tasks/summary/sentence_attention.h"
#include "engine/tasks/summary/sentence_support.h"
#include "engine/tasks/summary/sentence_windows.h"
#include "engine/tasks/summary/source_parts.h"
#include "engine/text/sentence_splitter.h"
#include "engine/tokenizers/tokenizer_factory.h"

namespace attend {
namespace {

using ::testing::ElementsAre;

std::unique_ptr<Tokenizer> TokenizerOf(const std::string& family) {
  auto directory =
      ModelDirectory::Open(ATTEND_SOURCE_DIR "/tests/golden/" + family + "/model").value();
  return LoadTokenizer(directory, nullptr).value();
}

class PackSentencesTest : public ::testing::Test {
 protected:
  std::vector<SentenceWindow> Pack(const std::string& text, int64_t max_tokens) {
    sentences_ = SplitSentences(text, "en");
    return PackSentences(text, sentences_, encoder_, max_tokens);
  }
  // Every window within bounds, special tokens around it; parts in order and next to each other.
  void ExpectSound(const std::vector<SentenceWindow>& windows, int64_t max_tokens) {
    const std::vector<int32_t> frame = encoder_.Encode("").ids();
    int last = -1;
    for (const SentenceWindow& window : windows) {
      EXPECT_LE(static_cast<int64_t>(window.ids.size()), max_tokens);
      EXPECT_EQ(window.ids.front(), frame.front());
      EXPECT_EQ(window.ids.back(), frame.back());
      int next = 1;
      for (const WindowPart& part : window.parts) {
        EXPECT_EQ(part.first, next);
        EXPECT_GT(part.count, 0);
        EXPECT_GE(part.sentence, last);
        next += part.count;
        last = part.sentence;
      }
      EXPECT_EQ(next, static_cast<int>(window.ids.size()) - 1);
    }
  }

  const std::unique_ptr<Tokenizer> tokenizer_ = TokenizerOf("minilm_tiny");
  const SourceEncoder encoder_{tokenizer_.get()};
  std::vector<ByteSpan> sentences_;
};

TEST_F(PackSentencesTest, WholeSentencesFillWindows) {
  const std::string text = "The cat sat. The dog sat. A bird sang. The cat ran. The dog ran.";
  const int64_t one = static_cast<int64_t>(encoder_.Encode("The cat sat.").tokens.size()) - 2;
  const auto windows = Pack(text, 2 + 2 * one + 1);
  ExpectSound(windows, 2 + 2 * one + 1);
  ASSERT_GE(windows.size(), 2u);
  EXPECT_EQ(windows[0].parts.size(), 2u);
  // What the tokenizer gives for the same text at once.
  EXPECT_EQ(windows[0].ids, encoder_.Encode("The cat sat. The dog sat.").ids());
  EXPECT_EQ(Pack(text, 512).size(), 1u);
}

TEST_F(PackSentencesTest, ALongSentenceHasWindowsOfItsOwn) {
  std::string longer;
  for (int i = 0; i < 30; ++i) longer += "cat dog ";
  const auto windows = Pack("The cat sat. A " + longer + "sat. The dog sat.", 20);
  ExpectSound(windows, 20);
  for (const SentenceWindow& window : windows) {
    const bool is_long = window.parts[0].sentence == 1;
    if (is_long) {
      EXPECT_EQ(window.parts.size(), 1u);
    }
  }
  EXPECT_EQ(windows.front().parts[0].sentence, 0);
  EXPECT_EQ(windows.back().parts[0].sentence, 2);
}

TEST_F(PackSentencesTest, NothingGivesNothing) {
  EXPECT_TRUE(Pack("", 20).empty());
  EXPECT_TRUE(Pack("  \n ", 20).empty());
}

// Two sentences of two tokens and one, between two special tokens.
TEST(WindowAttention, FoldsHeadsByParts) {
  SentenceWindow window;
  window.ids = {1, 2, 3, 4, 5};
  window.parts = {{0, 1, 2}, {1, 3, 1}};
  WindowAttention watcher(&window, {1, 1});
  EXPECT_FALSE(watcher.Wants(AttentionKind::kEncoderSelf, 0));
  EXPECT_TRUE(watcher.Wants(AttentionKind::kEncoderSelf, 1));
  EXPECT_FALSE(watcher.Wants(AttentionKind::kCross, 1));
  const std::vector<float> even(25, 0.2f);
  std::vector<float> own(25, 0.0f);
  for (int i = 0; i < 5; ++i) own[static_cast<size_t>(6 * i)] = 1.0f;
  watcher.OnAttention({AttentionKind::kEncoderSelf, 1, 0}, {even.data(), 5, 5, 5});
  watcher.OnAttention({AttentionKind::kEncoderSelf, 1, 1}, {own.data(), 5, 5, 5});
  watcher.OnAttention({AttentionKind::kEncoderSelf, 0, 0}, {own.data(), 5, 5, 5});  // not watched
  const std::vector<double> mass = watcher.Mass();
  ASSERT_EQ(mass.size(), 4u);
  EXPECT_NEAR(mass[0], (0.8 + 2) / 2, 1e-6);
  EXPECT_NEAR(mass[1], 0.4 / 2, 1e-6);
  EXPECT_NEAR(mass[2], 0.4 / 2, 1e-6);
  EXPECT_NEAR(mass[3], (0.2 + 1) / 2, 1e-6);

  const AttentionMatrix joined = JoinSentenceAttention({window}, {mass}, 2);
  EXPECT_NEAR(joined.weights[0] + joined.weights[1], 1, 1e-6);
  EXPECT_NEAR(joined.weights[1], 0.2 / 1.6, 1e-6);
}

TEST(JoinSentenceAttention, ManySentencesAreSparse) {
  std::vector<SentenceWindow> windows;
  std::vector<std::vector<double>> mass;
  for (int w = 0; w < 200; ++w) {
    SentenceWindow window;
    window.ids = {0, 0};
    window.parts = {{2 * w, 0, 1}, {2 * w + 1, 1, 1}};
    windows.push_back(window);
    mass.push_back({1, 3, 3, 1});
  }
  const AttentionMatrix joined = JoinSentenceAttention(windows, mass, 400);
  EXPECT_TRUE(joined.sparse);
  ASSERT_EQ(joined.row_offsets.size(), 401u);
  EXPECT_EQ(joined.weights.size(), 800u);
  EXPECT_EQ(joined.column_indices[0], 1u) << "the largest first";
  EXPECT_NEAR(joined.weights[0], 0.75, 1e-6);
}

AttendedToken TokenAt(uint32_t begin, uint32_t end) {
  AttendedToken token;
  token.span = {begin, end};
  return token;
}

TEST(FoldSupport, NamesTheStrongestSources) {
  AttentionResult attention;
  attention.source_tokens = {TokenAt(0, 3), TokenAt(4, 8), TokenAt(10, 12), TokenAt(20, 22)};
  attention.target_tokens = {TokenAt(0, 2), TokenAt(3, 5), TokenAt(7, 9)};
  AttentionMatrix matrix;
  matrix.rows = 3;
  matrix.columns = 4;
  matrix.weights = {0.1f, 0.1f, 0.8f, 0.0f, 0.2f, 0.1f, 0.7f, 0.0f, 0.0f, 0.01f, 0.0f, 0.99f};
  attention.matrices = {matrix};
  const std::vector<ByteSpan> written = {{0, 5}, {7, 9}}, source = {{0, 8}, {10, 12}, {20, 22}};
  const auto support = FoldSupport(attention, written, source);
  ASSERT_EQ(support.size(), 2u);
  EXPECT_THAT(support[0].sentences, ElementsAre(1, 0));
  EXPECT_NEAR(support[0].weights[0], 0.75, 1e-6);
  EXPECT_NEAR(support[0].weights[1], 0.25, 1e-6);
  EXPECT_THAT(support[1].sentences, ElementsAre(2)) << "one percent is no support";
  EXPECT_EQ(support[1].summary.begin, 7u);
}

TEST(CutIntoParts, PartsAreAboutEqualAndFit) {
  const auto tokenizer = TokenizerOf("t5_tiny");
  SourceFrame frame;
  frame.prefix = "summarize: ";
  const SourceEncoder encoder(tokenizer.get(), frame);
  std::string text;
  for (int i = 0; i < 40; ++i) text += "The cat sat on the mat number " + std::to_string(i) + ". ";
  SegmentOptions options;
  options.language = "en";
  options.max_segments = 1000;
  options.max_tokens = static_cast<int64_t>(encoder.Encode(text).tokens.size()) * 5 / 12;
  const auto parts = CutIntoParts(text, encoder, options, "text");
  ASSERT_TRUE(parts.ok()) << parts.status();
  ASSERT_EQ(parts->size(), 3u);
  size_t least = 1000000, most = 0;
  uint32_t at = 0;
  for (const TextSegment& part : *parts) {
    EXPECT_LE(static_cast<int64_t>(part.encoded.tokens.size()), options.max_tokens);
    EXPECT_EQ(
        part.encoded.ids(),
        encoder.Encode(std::string_view(text).substr(part.span.begin, part.span.size())).ids());
    EXPECT_GE(part.span.begin, at);
    at = part.span.end;
    least = std::min(least, part.encoded.tokens.size());
    most = std::max(most, part.encoded.tokens.size());
  }
  EXPECT_EQ(at, text.size() - 1);
  EXPECT_LT(most, least * 3 / 2) << "no part of one line";

  options.max_tokens = 100000;
  EXPECT_EQ(CutIntoParts(text, encoder, options, "text")->size(), 1u);
}

TEST(SourceEncoder, ThePrefixStandsForNoPartOfTheText) {
  const auto tokenizer = TokenizerOf("t5_tiny");
  SourceFrame frame;
  frame.prefix = "summarize: ";
  const SourceEncoder encoder(tokenizer.get(), frame);
  const EncodedText encoded = encoder.Encode("The cat sat.");
  EXPECT_EQ(encoded.ids(), tokenizer->Encode("summarize: The cat sat.", TextSide::kSource).ids());
  EXPECT_GT(encoder.num_leading(), 0u);
  bool text_began = false;
  for (const EncodedToken& token : encoded.tokens) {
    if (token.special) continue;
    EXPECT_TRUE(text_began || token.span.begin == 0);
    text_began = true;
    EXPECT_LE(token.span.end, 12u);
  }
  EXPECT_TRUE(text_began);
}

}  // namespace
}  // namespace attend
