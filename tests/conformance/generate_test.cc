// Whole generations of a checkpoint of every family, through the engine loop, against what
// transformers 4.48 generates from the same files (tests/golden/*/generate.json). Then
// what the reference cannot show: a sequence gets the same bits whoever runs beside it, joins, is
// cancelled or expires.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engine/scheduler/engine_group.h"
#include "tests/conformance/golden_family.h"
#include "tests/engine/scheduler/marian_tiny.h"

namespace attend {
namespace {

using ::testing::ElementsAreArray;

struct GoldenGeneration {
  const Model* model = nullptr;
  GenerationOptions defaults;                 // of its generation_config.json
  std::vector<std::vector<int32_t>> sources;  // the golden inputs
  Json generate;                              // generate.json

  static GoldenGeneration Of(const std::string& name) {
    GoldenGeneration golden;
    golden.model = &GoldenModel(name);
    const ModelDirectory directory = ModelDirectory::Open(GoldenFolder(name) + "/model").value();
    golden.defaults =
        ParseGenerationConfig(directory.ReadJson("generation_config.json").value(),
                              directory.config(), golden.model->spec().target_vocab_size)
            .value();
    golden.generate = Json::ReadFile(GoldenFolder(name) + "/generate.json").value();
    for (const Json& input : List(golden.generate, "inputs"))
      golden.sources.push_back(Ids(input, "input_ids"));
    return golden;
  }
};

class GenerateTest : public ::testing::TestWithParam<std::string> {
 protected:
  const GoldenGeneration tiny_ = GoldenGeneration::Of(GetParam());
};
INSTANTIATE_TEST_SUITE_P(Families, GenerateTest, ::testing::ValuesIn(GoldenSeq2Seq()),
                         [](const auto& test) { return test.param; });

// One golden result: what to ask and what must come.
struct GoldenResult {
  std::string name;
  std::vector<int32_t> source;
  GenerationOptions options;
  std::vector<std::vector<int32_t>> sequences;  // with the start token
  std::vector<double> scores, log_probs;        // beams; greedy
};

std::vector<double> Numbers(const Json& json, const char* key) {
  std::vector<double> numbers;
  if (!json.Has(key)) return numbers;
  for (const Json& element : json.Get(key).value().Elements())
    numbers.push_back(element.AsNumber().value());
  return numbers;
}

// The arguments of generate() over the checkpoint's own options.
GenerationOptions Apply(const Json& params, GenerationOptions options) {
  for (const std::string& key : params.Keys()) {
    if (!params.Has(key)) {  // null: switched off
      if (key == "forced_bos_token_id")
        options.forced_bos_token_id.reset();
      else if (key == "forced_eos_token_id")
        options.forced_eos_token_id.reset();
      else
        ADD_FAILURE() << "golden parameter " << key << " is null";
    } else if (key == "num_beams")
      options.num_beams = static_cast<int>(params.GetInt(key).value());
    else if (key == "num_return_sequences")
      options.num_return_sequences = static_cast<int>(params.GetInt(key).value());
    else if (key == "max_length")
      options.max_length = static_cast<int>(params.GetInt(key).value());
    else if (key == "max_new_tokens")
      options.max_length = static_cast<int>(params.GetInt(key).value()) + 1;
    else if (key == "min_length")
      options.min_length = static_cast<int>(params.GetInt(key).value());
    else if (key == "min_new_tokens") {
      options.min_new_tokens = static_cast<int>(params.GetInt(key).value());
      options.min_length = 0;
    } else if (key == "forced_bos_token_id")
      options.forced_bos_token_id = static_cast<int32_t>(params.GetInt(key).value());
    else if (key == "encoder_no_repeat_ngram_size")
      options.encoder_no_repeat_ngram_size = static_cast<int>(params.GetInt(key).value());
    else if (key == "no_repeat_ngram_size")
      options.no_repeat_ngram_size = static_cast<int>(params.GetInt(key).value());
    else if (key == "length_penalty")
      options.length_penalty = static_cast<float>(params.GetNumber(key).value());
    else if (key == "repetition_penalty")
      options.repetition_penalty = static_cast<float>(params.GetNumber(key).value());
    else if (key == "early_stopping") {
      const Json value = params.Get(key).value();
      options.early_stopping = value.IsString()              ? EarlyStopping::kNever
                               : params.GetBool(key).value() ? EarlyStopping::kTrue
                                                             : EarlyStopping::kFalse;
    } else if (key == "bad_words_ids") {
      options.bad_words_ids.clear();
      for (const Json& word : params.Get(key).value().Elements()) {
        const std::vector<int64_t> ids = word.AsInts().value();
        options.bad_words_ids.emplace_back(ids.begin(), ids.end());
      }
    } else {
      ADD_FAILURE() << "golden parameter " << key << " is not understood";
    }
  }
  return options;
}

std::vector<GoldenResult> ReadGolden(const GoldenGeneration& tiny) {
  std::vector<GoldenResult> results;
  for (const Json& golden_case : tiny.generate.Get("cases").value().Elements()) {
    const GenerationOptions options = Apply(golden_case.Get("params").value(), tiny.defaults);
    for (const Json& result : golden_case.Get("results").value().Elements()) {
      if (!result.GetBool("stable").value()) continue;
      GoldenResult golden;
      const auto input = static_cast<size_t>(result.GetInt("input").value());
      golden.name = golden_case.GetString("name").value() + " of input " + std::to_string(input);
      golden.source = tiny.sources[input];
      golden.options = options;
      for (const Json& sequence : result.Get("sequences").value().Elements()) {
        const std::vector<int64_t> ids = sequence.AsInts().value();
        golden.sequences.emplace_back(ids.begin(), ids.end());
      }
      golden.scores = Numbers(result, "sequences_scores");
      golden.log_probs = Numbers(result, "logprobs");
      results.push_back(std::move(golden));
    }
  }
  return results;
}

void ExpectGolden(const GoldenResult& golden, const GenerationResult& result) {
  SCOPED_TRACE(golden.name);
  ASSERT_TRUE(result.status.ok()) << result.status;
  ASSERT_EQ(result.hypotheses.size(), golden.sequences.size());
  for (size_t i = 0; i < golden.sequences.size(); ++i) {
    std::vector<int32_t> ids = result.hypotheses[i].tokens;
    ids.insert(ids.begin(), golden.options.decoder_start_token_id);
    EXPECT_THAT(ids, ElementsAreArray(golden.sequences[i]));
    // At max_length the checkpoint forces an end token; whether the model would have ended there
    // by itself the reference does not say.
    const bool ended = ids.back() == golden.options.eos_token_ids[0];
    if (!ended || ids.size() < static_cast<size_t>(golden.options.max_length)) {
      EXPECT_EQ(result.hypotheses[i].finish_reason,
                ended ? FinishReason::kEos : FinishReason::kLength);
    }
    if (!golden.scores.empty()) {
      EXPECT_NEAR(result.hypotheses[i].score, golden.scores[i],
                  1e-4 * std::max(1.0, std::fabs(golden.scores[i])));
    }
  }
  for (size_t i = 0; i < golden.log_probs.size(); ++i) {
    const double expected = golden.log_probs[i];
    EXPECT_NEAR(result.hypotheses[0].log_probs[i], expected, 1e-5 + 1e-4 * std::fabs(expected))
        << "token " << i;
  }
}

void ExpectSameBits(const GenerationResult& a, const GenerationResult& b) {
  ASSERT_TRUE(a.status.ok() && b.status.ok());
  ASSERT_EQ(a.hypotheses.size(), b.hypotheses.size());
  for (size_t i = 0; i < a.hypotheses.size(); ++i) {
    EXPECT_EQ(a.hypotheses[i].tokens, b.hypotheses[i].tokens);
    EXPECT_EQ(a.hypotheses[i].log_probs, b.hypotheses[i].log_probs);  // exactly
    EXPECT_EQ(a.hypotheses[i].score, b.hypotheses[i].score);
  }
}

struct Job {
  std::vector<int32_t> source;
  GenerationOptions options;
};

// Every golden case, and sampling and forced prefixes besides.
std::vector<Job> MixedJobs(const GoldenGeneration& tiny) {
  std::vector<Job> jobs;
  for (const GoldenResult& golden : ReadGolden(tiny))
    jobs.push_back({golden.source, golden.options});
  for (uint64_t seed = 0; seed < 20; ++seed) {
    GenerationOptions options = tiny.defaults;
    options.num_beams = 1;
    options.sampling = SamplingOptions();
    options.sampling->seed = seed;
    options.sampling->top_p = seed % 2 == 0 ? 0.9f : 1.0f;
    options.num_return_sequences = 1 + static_cast<int>(seed % 4);
    if (seed % 3 == 0) options.prefix_tokens = {202, 148};
    jobs.push_back({tiny.sources[seed % tiny.sources.size()], options});
  }
  GenerationOptions prefixed = tiny.defaults;
  prefixed.prefix_tokens = {202, 148, 9};
  for (const auto& source : tiny.sources) jobs.push_back({source, prefixed});
  return jobs;
}

std::vector<std::unique_ptr<Ticket>> TicketsOf(const std::vector<Job>& jobs) {
  std::vector<std::unique_ptr<Ticket>> tickets;
  for (size_t i = 0; i < jobs.size(); ++i) {
    tickets.push_back(std::make_unique<Ticket>(jobs[i].source, jobs[i].options));
    tickets.back()->request().caller = i % 5;
  }
  return tickets;
}

template <typename Loop>
void SubmitFromThreads(const std::vector<std::unique_ptr<Ticket>>& tickets, Loop* loop,
                       size_t num_threads) {
  std::vector<std::thread> threads;
  for (size_t t = 0; t < num_threads; ++t) {
    threads.emplace_back([&, t] {
      for (size_t i = t; i < tickets.size(); i += num_threads)
        EXPECT_TRUE(tickets[i]->Submit(loop).ok());
    });
  }
  for (std::thread& thread : threads) thread.join();
}

std::vector<GenerationResult> RunOneByOne(const Model& model, const std::vector<Job>& jobs) {
  EngineLoop loop(&model, SchedulerOptions(), nullptr);
  std::vector<GenerationResult> results;
  for (const auto& ticket : TicketsOf(jobs)) {
    EXPECT_TRUE(ticket->Submit(&loop).ok());
    results.push_back(ticket->Wait());
    EXPECT_EQ(results.back().stats.peak_batch_sequences, 1);
  }
  return results;
}

TEST_P(GenerateTest, EqualsTransformersAllAtOnce) {
  const std::vector<GoldenResult> golden = ReadGolden(tiny_);
  ASSERT_GE(golden.size(), 45u);
  std::vector<Job> jobs;
  for (const GoldenResult& g : golden) jobs.push_back({g.source, g.options});
  EngineLoop loop(tiny_.model, SchedulerOptions(), nullptr);
  const auto tickets = TicketsOf(jobs);
  SubmitFromThreads(tickets, &loop, 4);
  int peak = 0;
  for (size_t i = 0; i < golden.size(); ++i) {
    ExpectGolden(golden[i], tickets[i]->Wait());
    peak = std::max(peak, tickets[i]->Wait().stats.peak_batch_sequences);
  }
  EXPECT_GT(peak, 1);  // they did run together
}

// What transformers gives for all inputs of a case in one padded call.
TEST_P(GenerateTest, EqualsTransformersPaddedBatches) {
  EngineLoop loop(tiny_.model, SchedulerOptions(), nullptr);
  for (const Json& golden_case : tiny_.generate.Get("cases").value().Elements()) {
    SCOPED_TRACE(golden_case.GetString("name").value());
    const GenerationOptions options = Apply(golden_case.Get("params").value(), tiny_.defaults);
    const Json batched = golden_case.Get("batched").value();
    // Where padding changes the reference's own result, it is no reference.
    if (!batched.GetBool("equals_single").value()) continue;
    const std::vector<Json> rows = batched.Get("sequences").value().Elements();
    std::vector<Job> jobs;
    for (const auto& source : tiny_.sources) jobs.push_back({source, options});
    const auto tickets = TicketsOf(jobs);
    SubmitFromThreads(tickets, &loop, 1);
    size_t row = 0;
    for (const auto& ticket : tickets) {
      const GenerationResult& result = ticket->Wait();
      ASSERT_TRUE(result.status.ok()) << result.status;
      for (const Hypothesis& hypothesis : result.hypotheses) {
        ASSERT_LT(row, rows.size());
        const std::vector<int64_t> expected = rows[row++].AsInts().value();
        std::vector<int64_t> ids = {options.decoder_start_token_id};
        ids.insert(ids.end(), hypothesis.tokens.begin(), hypothesis.tokens.end());
        ASSERT_LE(ids.size(), expected.size());
        ids.resize(expected.size(), tiny_.model->spec().pad_token_id);
        EXPECT_THAT(ids, ElementsAreArray(expected));
      }
    }
    EXPECT_EQ(row, rows.size());
  }
}

// From transformers 4.48.3: generate(num_beams, eos_token_id = ends, max_length = 24).
TEST(MarianGenerateTest, SeveralEndTokens) {
  const struct {
    int num_beams;
    std::vector<int32_t> ends;
    size_t input;
    std::vector<std::vector<int32_t>> sequences;  // up to the end token
    std::vector<double> scores;
  } cases[] = {
      {1, {0, 3}, 3, {{2, 184, 32, 2, 225}}, {}},
      {1, {3, 0, 9}, 1, {{202, 148}}, {}},
      {2,
       {0, 3},
       1,
       {{202, 148, 9, 2, 203, 9, 37, 122, 8, 4, 4, 4, 12, 11, 153, 118, 2, 9, 37, 24, 12},
        {202, 148, 9, 2, 203, 9, 37, 122, 8, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 12}},
       {-0.19299, -0.307402}},
      {2, {0, 2}, 2, {{}, {202, 229, 8, 260, 3}}, {-0.0399672, -1.54905}},
      {2, {3, 0, 9}, 1, {{202, 148}, {202, 148, 199, 148}}, {-0.0864558, -0.903629}},
      {4,
       {0, 3},
       2,
       {{2, 250, 2, 127, 2, 2, 2, 127, 2, 266, 8},
        {2, 127, 2, 2, 2, 127, 2, 2, 2, 2, 2, 2, 127, 127, 127, 109}},
       {-0.800918, -0.865143}},
      {4, {0, 2}, 3, {{}, {202, 229, 230, 32, 251, 4, 207, 199, 198, 3}}, {-0.245807, -1.0674}},
      {4,
       {0, 2},
       4,
       {{202, 4, 44, 171, 236, 209, 109, 59, 8}, {202, 4, 44, 171, 236, 209, 109, 170}},
       {-0.901903, -0.95447}},
  };
  const GoldenGeneration tiny = GoldenGeneration::Of("marian_tiny");
  EngineLoop loop(tiny.model, SchedulerOptions(), nullptr);
  for (const auto& c : cases) {
    SCOPED_TRACE(testing::Message() << c.num_beams << " beams, input " << c.input);
    GenerationOptions options = tiny.defaults;
    options.num_beams = c.num_beams;
    options.num_return_sequences = static_cast<int>(c.sequences.size());
    options.max_length = 24;
    options.eos_token_ids = c.ends;
    Ticket ticket(tiny.sources[c.input], options);
    ASSERT_TRUE(ticket.Submit(&loop).ok());
    const GenerationResult& result = ticket.Wait();
    ASSERT_TRUE(result.status.ok()) << result.status;
    ASSERT_EQ(result.hypotheses.size(), c.sequences.size());
    for (size_t i = 0; i < c.sequences.size(); ++i) {
      std::vector<int32_t> ids = result.hypotheses[i].tokens;
      ASSERT_FALSE(ids.empty());
      if (c.num_beams > 1) {
        EXPECT_EQ(ids.back(), c.ends[0]);
      } else {
        EXPECT_EQ(std::count(c.ends.begin(), c.ends.end(), ids.back()), 1);
      }
      ids.pop_back();
      EXPECT_THAT(ids, ElementsAreArray(c.sequences[i]));
      if (!c.scores.empty()) {
        EXPECT_NEAR(result.hypotheses[i].score, c.scores[i], 1e-4);
      }
    }
  }
}

TEST_P(GenerateTest, EqualsTransformersOneByOne) {
  const std::vector<GoldenResult> golden = ReadGolden(tiny_);
  std::vector<Job> jobs;
  for (const GoldenResult& g : golden) jobs.push_back({g.source, g.options});
  const std::vector<GenerationResult> results = RunOneByOne(*tiny_.model, jobs);
  for (size_t i = 0; i < golden.size(); ++i) ExpectGolden(golden[i], results[i]);
}

void ExpectSameBitsAs(const std::vector<GenerationResult>& alone, const Model& model,
                      const std::vector<Job>& jobs, const SchedulerOptions& options) {
  EngineGroup group(&model, options, nullptr);
  const auto tickets = TicketsOf(jobs);
  SubmitFromThreads(tickets, &group, 4);
  for (size_t i = 0; i < jobs.size(); ++i) {
    SCOPED_TRACE(i);
    ExpectSameBits(alone[i], tickets[i]->Wait());
  }
}

TEST_P(GenerateTest, SameBitsAloneAndInCompany) {
  const std::vector<Job> jobs = MixedJobs(tiny_);
  const std::vector<GenerationResult> alone = RunOneByOne(*tiny_.model, jobs);
  ExpectSameBitsAs(alone, *tiny_.model, jobs, SchedulerOptions());
  SchedulerOptions few_rows;  // sequences must wait for rows and join later
  few_rows.max_batch_rows = 12;
  few_rows.max_encode_tokens = 40;
  ExpectSameBitsAs(alone, *tiny_.model, jobs, few_rows);
}

TEST_P(GenerateTest, SameBitsWithAnyNumberOfEnginesAndThreads) {
  const std::vector<Job> jobs = MixedJobs(tiny_);
  const std::vector<GenerationResult> alone = RunOneByOne(*tiny_.model, jobs);
  // All shapes for one family; the others differ only inside a pass.
  std::vector<std::pair<int, int>> shapes = {{1, 3}, {2, 2}};
  if (GetParam() == "marian_tiny") shapes = {{1, 1}, {1, 2}, {1, 3}, {2, 1}, {2, 2}, {3, 1}};
  for (const auto& [engines, threads] : shapes) {
    SCOPED_TRACE(testing::Message() << engines << " engines, " << threads << " threads");
    SchedulerOptions options;
    options.num_engines = engines;
    options.num_threads = threads;
    ExpectSameBitsAs(alone, *tiny_.model, jobs, options);
  }
}

TEST_P(GenerateTest, SameBitsWhileNeighboursAreCancelledAndExpire) {
  const std::vector<Job> jobs = MixedJobs(tiny_);
  const std::vector<GenerationResult> alone = RunOneByOne(*tiny_.model, jobs);
  EngineLoop loop(tiny_.model, SchedulerOptions(), nullptr);
  const auto tickets = TicketsOf(jobs);
  for (size_t i = 0; i < tickets.size(); ++i) {
    GenerationRequest& request = tickets[i]->request();
    if (i % 3 == 1) {
      // Cancelled by its own reader once a few tokens have settled: always in mid-run.
      request.on_settled = [flag = request.cancelled, seen = size_t{0},
                            limit = i % 4](absl::Span<const int32_t> tokens) mutable {
        seen += tokens.size();
        if (seen > limit) flag->store(true);
      };
    } else if (i % 7 == 2) {
      request.deadline = absl::Now() + absl::Milliseconds(static_cast<int64_t>(i % 10));
    }
  }
  SubmitFromThreads(tickets, &loop, 4);
  int num_cancelled = 0;
  for (size_t i = 0; i < tickets.size(); ++i) {
    SCOPED_TRACE(i);
    const GenerationResult& result = tickets[i]->Wait();
    if (result.status.ok()) {
      ExpectSameBits(alone[i], result);
      continue;
    }
    EXPECT_TRUE(i % 3 == 1 || i % 7 == 2);
    EXPECT_TRUE(result.hypotheses.empty());
    num_cancelled += absl::IsCancelled(result.status) ? 1 : 0;
    EXPECT_TRUE(absl::IsCancelled(result.status) || absl::IsDeadlineExceeded(result.status))
        << result.status;
  }
  EXPECT_GT(num_cancelled, 5);
}

TEST_P(GenerateTest, SettledTokensAreWhatTheBestHypothesisBeginsWith) {
  const std::vector<Job> jobs = MixedJobs(tiny_);
  EngineLoop loop(tiny_.model, SchedulerOptions(), nullptr);
  const auto tickets = TicketsOf(jobs);
  std::vector<std::vector<int32_t>> streamed(jobs.size());
  for (size_t i = 0; i < tickets.size(); ++i) {
    tickets[i]->request().on_settled = [&streamed, i](absl::Span<const int32_t> tokens) {
      EXPECT_FALSE(tokens.empty());
      streamed[i].insert(streamed[i].end(), tokens.begin(), tokens.end());
    };
  }
  SubmitFromThreads(tickets, &loop, 2);
  for (size_t i = 0; i < tickets.size(); ++i) {
    SCOPED_TRACE(i);
    const std::vector<int32_t>& best = tickets[i]->Wait().hypotheses[0].tokens;
    if (jobs[i].options.num_return_sequences == 1 || !jobs[i].options.sampling) {
      EXPECT_EQ(streamed[i], best);  // everything has settled in the end
    } else {
      ASSERT_LE(streamed[i].size(), best.size());
      EXPECT_TRUE(std::equal(streamed[i].begin(), streamed[i].end(), best.begin()));
    }
  }
}

}  // namespace
}  // namespace attend
