// Pieces of text: never broken, never taken back, and together the whole.
#include "engine/tasks/delta_stream.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "engine/checkpoint/model_directory.h"
#include "engine/text/offset_map.h"  // IsValidUtf8
#include "engine/tokenizers/tokenizer_factory.h"

namespace attend {
namespace {

TEST(SettledBytes, HoldsBackTheLastWordAndTheSpaceBeforeIt) {
  EXPECT_EQ(SettledBytes(""), 0u);
  EXPECT_EQ(SettledBytes("Bon"), 0u);
  EXPECT_EQ(SettledBytes("Bonjour le"), 7u);
  EXPECT_EQ(SettledBytes("Bonjour  le"), 7u);
  EXPECT_EQ(SettledBytes("Bonjour "), 7u);
  EXPECT_EQ(SettledBytes("un chien dort"), 8u);
}

TEST(SettledBytes, HoldsBackCharactersThatAreNotWhole) {
  EXPECT_EQ(SettledBytes("un \xC3"), 2u);
  EXPECT_EQ(SettledBytes("un \xEF\xBF\xBD"), 2u);
  const std::string long_word(100, 'a');
  EXPECT_EQ(SettledBytes(long_word), 76u);
  EXPECT_EQ(SettledBytes(long_word + "\xF0\x9F\x98"), 76u);
}

TEST(SettledBytes, LongWordsAreCutBetweenCharacters) {
  std::string text;
  for (int i = 0; i < 60; ++i) {
    text += i % 2 == 0 ? "中" : "é";
    const size_t end = SettledBytes(text);
    ASSERT_TRUE(IsValidUtf8(std::string_view(text).substr(0, end))) << i;
  }
  EXPECT_GT(SettledBytes(text), 100u);
}

class DeltaStreamTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto directory = ModelDirectory::Open(ATTEND_SOURCE_DIR "/tests/golden/marian_tiny/model");
    ASSERT_TRUE(directory.ok()) << directory.status();
    auto tokenizer = LoadTokenizer(*directory);
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
    tokenizer_ = *std::move(tokenizer);
  }

  // Work is run when the test says so, as a worker would at any time.
  std::shared_ptr<DeltaStream> Create(std::vector<std::string> layout) {
    DeltaStream::Options options;
    options.tokenizer = tokenizer_.get();
    options.layout = std::move(layout);
    options.on_delta = [this](const std::string& delta) {
      EXPECT_FALSE(delta.empty());
      EXPECT_TRUE(IsValidUtf8(delta)) << delta;
      deltas_.push_back(delta);
    };
    options.post = [this](std::function<void()> work) { work_.push_back(std::move(work)); };
    return DeltaStream::Create(std::move(options));
  }

  void RunWork() {
    auto work = std::move(work_);
    work_.clear();
    for (auto& w : work) w();
  }

  std::string Sent() const {
    std::string all;
    for (const std::string& delta : deltas_) all += delta;
    return all;
  }

  std::vector<int32_t> Target(const std::string& text) const {
    return tokenizer_->Encode(text, TextSide::kTarget).ids();
  }

  std::unique_ptr<Tokenizer> tokenizer_;
  std::vector<std::string> deltas_;
  std::vector<std::function<void()>> work_;
};

TEST_F(DeltaStreamTest, AnyOrderAndAnyTimingGiveTheWholeText) {
  const std::vector<std::string> sentences = {"Le chat est assis sur le tapis.",
                                              "Où est le vieux pont ?", "😀 中文 naïve café l'été",
                                              "", "aaa aaa aaa  a ."};
  const std::vector<std::string> layout = {" \n", " ", "\n\n", "\t", "", "  "};
  std::string expected = layout[0];
  std::vector<std::vector<int32_t>> ids;
  for (size_t s = 0; s < sentences.size(); ++s) {
    ids.push_back(Target(sentences[s]));
    expected += tokenizer_->Decode(ids[s], TextSide::kTarget, false).text + layout[s + 1];
  }
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    deltas_.clear();
    work_.clear();
    auto stream = Create(layout);
    std::vector<size_t> given(sentences.size(), 0);
    std::vector<bool> done(sentences.size(), false);
    size_t left = sentences.size();
    while (left > 0) {
      const size_t s = random() % sentences.size();
      if (done[s]) continue;
      const size_t count = std::min<size_t>(random() % 4, ids[s].size() - given[s]);
      if (count > 0) stream->OnSettled(s, absl::MakeConstSpan(ids[s]).subspan(given[s], count));
      given[s] += count;
      if (given[s] == ids[s].size() || random() % 16 == 0) {
        stream->OnSegmentDone(s, ids[s]);
        done[s] = true;
        --left;
      }
      if (random() % 2 == 0) RunWork();
      ASSERT_EQ(expected.compare(0, Sent().size(), Sent()), 0) << Sent();
    }
    stream->Close(true);
    ASSERT_EQ(Sent(), expected);
    RunWork();  // work left over sends nothing more
    ASSERT_EQ(Sent(), expected);
  }
}

TEST_F(DeltaStreamTest, WordsComeAsTheySettle) {
  auto stream = Create({"", ""});
  const std::vector<int32_t> ids = Target("Le chat est assis sur le tapis.");
  for (int32_t id : ids) {
    stream->OnSettled(0, {id});
    RunWork();
  }
  EXPECT_GE(deltas_.size(), 5u);
  EXPECT_EQ(Sent(), "Le chat est assis sur le");
  stream->OnSegmentDone(0, ids);
  RunWork();
  EXPECT_EQ(Sent(), "Le chat est assis sur le tapis.");
}

TEST_F(DeltaStreamTest, NothingComesAfterClose) {
  auto stream = Create({"", ""});
  stream->OnSettled(0, Target("Le chat est assis"));
  stream->Close(false);
  RunWork();
  stream->OnSegmentDone(0, Target("Le chat est assis"));
  RunWork();
  EXPECT_EQ(Sent(), "");
}

}  // namespace
}  // namespace attend
