// Requests of a model with a shortlist get the same bits alone and in any company: neighbours with
// other tokens, neighbours that join, leave and are cancelled, and neighbours that may write
// anything.
#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/engine/scheduler/marian_tiny.h"
#include "tests/testing/shortlist_bytes.h"
#include "tests/testing/temporary_folder.h"

namespace attend {
namespace {

constexpr int32_t kVocab = 320, kUnseen = 150;

// Each source token leads to a dozen others; nothing is known of one.
std::vector<std::vector<int32_t>> Lists() {
  std::mt19937 random(3);
  std::vector<std::vector<int32_t>> lists(kVocab);
  for (std::vector<int32_t>& list : lists) {
    for (int i = 0; i < 12; ++i) list.push_back(static_cast<int32_t>(random() % kVocab));
    std::sort(list.begin(), list.end());
    list.erase(std::unique(list.begin(), list.end()), list.end());
  }
  lists[kUnseen].clear();
  return lists;
}

class ShortlistInvariance : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    const TemporaryFolder folder;
    ModelOptions options;
    options.compute_type = ComputeType::kInt8;
    options.revision = "0123456789abcdef";
    options.shortlist = {ShortlistChoice::Use::kFile,
                         folder.Write("x.shortlist", ShortlistBytes(kVocab, {2, 5}, Lists()))};
    LoadReport report;
    auto model = Model::Load(
        ModelDirectory::Open(ATTEND_SOURCE_DIR "/tests/golden/marian_tiny/model").value(), options,
        &report);
    ASSERT_TRUE(model.ok()) << model.status();
    model_ = model->release();
  }
  static void TearDownTestSuite() { delete model_; }

  // Requests that differ in everything; the last may write anything.
  static std::unique_ptr<Ticket> Request(size_t i) {
    std::mt19937 random(static_cast<uint32_t>(i));
    GenerationOptions options = MarianTiny::Get().defaults;
    options.max_length = 24;
    options.min_new_tokens = 6;
    options.num_beams = i % 3 == 0 ? 4 : 1;
    options.num_return_sequences = 1;
    if (i % 3 == 1) options.sampling = SamplingOptions{1.0f, 20, 0.9f, i};
    if (i % 4 == 2) options.prefix_tokens = {311, 17};  // in nobody's list but by chance
    std::vector<int32_t> source;
    for (size_t n = 2 + random() % 7; n > 0; --n) {
      const auto token = static_cast<int32_t>(10 + random() % 100);
      source.push_back(token);
    }
    if (i == kUnrestricted) source.push_back(kUnseen);
    source.push_back(0);
    return std::make_unique<Ticket>(std::move(source), std::move(options));
  }

  static void ExpectSame(const GenerationResult& a, const GenerationResult& b, size_t i) {
    ASSERT_TRUE(a.status.ok()) << a.status;
    ASSERT_TRUE(b.status.ok()) << b.status;
    ASSERT_EQ(a.hypotheses.size(), b.hypotheses.size());
    for (size_t h = 0; h < a.hypotheses.size(); ++h) {
      EXPECT_EQ(a.hypotheses[h].tokens, b.hypotheses[h].tokens) << i;
      EXPECT_EQ(a.hypotheses[h].log_probs, b.hypotheses[h].log_probs) << i;  // exactly
      EXPECT_EQ(a.hypotheses[h].score, b.hypotheses[h].score) << i;
    }
  }

  static constexpr size_t kRequests = 24, kUnrestricted = 20;
  static const Model* model_;
};
const Model* ShortlistInvariance::model_ = nullptr;

TEST_F(ShortlistInvariance, AloneAndInCompany) {
  std::vector<GenerationResult> alone;
  {
    EngineLoop loop(model_, SchedulerOptions(), nullptr);
    for (size_t i = 0; i < kRequests; ++i) {
      const auto ticket = Request(i);
      ASSERT_TRUE(ticket->Submit(&loop).ok());
      alone.push_back(ticket->Wait());
    }
  }
  // Few rows a step, so that some join while others leave.
  for (const int64_t rows : {8, 40, 256}) {
    SchedulerOptions options;
    options.max_batch_rows = rows;
    options.max_encode_tokens = 30;
    EngineLoop loop(model_, options, nullptr);
    std::vector<std::unique_ptr<Ticket>> tickets, cancelled;
    for (size_t i = 0; i < kRequests; ++i) {
      tickets.push_back(Request(i));
      cancelled.push_back(Request(i + 100));
      ASSERT_TRUE(tickets.back()->Submit(&loop).ok());
      ASSERT_TRUE(cancelled.back()->Submit(&loop).ok());
    }
    for (size_t i = 0; i < kRequests; ++i) {
      ExpectSame(alone[i], tickets[i]->Wait(), i);
      cancelled[i]->Cancel(&loop);
    }
    for (const auto& ticket : cancelled) ticket->Wait();
  }
}

// So many rows that each of the threads has searches to advance.
TEST_F(ShortlistInvariance, OnSeveralThreads) {
  constexpr size_t kMany = 140;
  const auto request = [](size_t i) {
    auto ticket = Request(i == kUnrestricted ? kMany : i);
    if (i % 3 == 2) ticket->request().options.num_beams = 5;
    return ticket;
  };
  std::vector<GenerationResult> alone;
  {
    EngineLoop loop(model_, SchedulerOptions(), nullptr);
    for (size_t i = 0; i < kMany; ++i) {
      const auto ticket = request(i);
      ASSERT_TRUE(ticket->Submit(&loop).ok());
      alone.push_back(ticket->Wait());
    }
  }
  SchedulerOptions options;
  options.num_threads = 3;
  options.max_batch_rows = 600;
  options.max_encode_tokens = 1000;
  EngineLoop loop(model_, options, nullptr);
  std::vector<std::unique_ptr<Ticket>> tickets;
  for (size_t i = 0; i < kMany; ++i) {
    tickets.push_back(request(i));
    ASSERT_TRUE(tickets.back()->Submit(&loop).ok());
  }
  for (size_t i = 0; i < kMany; ++i) ExpectSame(alone[i], tickets[i]->Wait(), i);
}

TEST_F(ShortlistInvariance, OnlyCandidatesAreWritten) {
  EngineLoop loop(model_, SchedulerOptions(), nullptr);
  for (size_t i = 0; i < kRequests; ++i) {
    const auto ticket = Request(i);
    const auto& options = ticket->request().options;
    std::vector<int32_t> required = options.prefix_tokens;
    required.insert(required.end(), options.eos_token_ids.begin(), options.eos_token_ids.end());
    required.push_back(options.decoder_start_token_id);
    if (options.forced_eos_token_id) required.push_back(*options.forced_eos_token_id);
    const std::vector<int32_t> candidates =
        model_->shortlist()->CandidatesOf(ticket->request().source_ids, required);
    ASSERT_EQ(candidates.empty(), i == kUnrestricted);
    ASSERT_TRUE(ticket->Submit(&loop).ok());
    const GenerationResult& result = ticket->Wait();
    ASSERT_TRUE(result.status.ok()) << result.status;
    const auto is_candidate = [&](int32_t token) {
      return std::binary_search(candidates.begin(), candidates.end(), token);
    };
    const std::vector<int32_t>& tokens = result.hypotheses[0].tokens;
    if (!candidates.empty()) {
      EXPECT_TRUE(std::all_of(tokens.begin(), tokens.end(), is_candidate)) << i;
      ASSERT_GE(tokens.size(), options.prefix_tokens.size());
      EXPECT_TRUE(
          std::equal(options.prefix_tokens.begin(), options.prefix_tokens.end(), tokens.begin()));
    }
  }
}

}  // namespace
}  // namespace attend
