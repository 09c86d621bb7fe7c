// Calls that end early, calls beside each other, full queues, and the end of an engine.
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "tests/engine/door/engine_fixture.h"

namespace attend {
namespace {

class EngineLife : public EngineTest {};

// Holds the engine loop between two steps for as long as a test wants.
class Gate {
 public:
  void Close() { Set(false); }
  void Open() { Set(true); }
  void Pass() {
    std::unique_lock<std::mutex> lock(mutex_);
    if (open_) return;
    waiting_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
    waiting_ = false;
  }
  void WaitForSomebodyAtTheGate() {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return waiting_; });
  }

 private:
  void Set(bool open) {
    const std::lock_guard<std::mutex> lock(mutex_);
    open_ = open;
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = true, waiting_ = false;
};

class GatedObserver : public EngineObserver {
 public:
  explicit GatedObserver(std::shared_ptr<Gate> gate) : gate_(std::move(gate)) {}
  void OnStep(const StepStats&) override { gate_->Pass(); }
  void OnLoad(const LoadStats&) override {}
  void OnQueueWait(absl::Duration) override {}
  void OnFirstToken(absl::Duration) override {}
  void OnCancelled(CancelCause, CancelStage, int64_t) override {}

 private:
  const std::shared_ptr<Gate> gate_;
};

// Enough work for a call to be caught in the middle.
TranslateInput LongCall() {
  std::string text;
  for (int i = 0; i < 300; ++i) text += "The cat sat on the mat near the old bridge.\n";
  TranslateInput input = TextsInput(std::vector<std::string>(20, text), 4);
  input.decoding.min_new_tokens = 50;
  return input;
}

TEST_F(EngineLife, ModelsTellWhatTheyAre) {
  const std::string directory = CopyModel("with_preset");
  Write(directory, "attention_presets.json",
        R"({"alignment": {"kind": "cross", "heads": [[1, 2]], "note": "by hand"}})");
  AddModel("with_preset", directory);
  const std::vector<ModelInfo> models = engine_->ListModels();
  ASSERT_EQ(models.size(), 2u);
  EXPECT_EQ(models[0].name, "tiny");
  EXPECT_EQ(models[0].state, ModelState::kServing);
  EXPECT_EQ(models[0].language_pairs.at(0).source, "en");
  EXPECT_EQ(models[0].language_pairs.at(0).target, "fr");
  EXPECT_EQ(models[0].max_input_tokens, 128);
  EXPECT_EQ(models[0].max_output_tokens, 128);
  EXPECT_EQ(models[0].spec.architecture, "MarianMTModel");
  EXPECT_EQ(models[0].revision.size(), 16u);
  EXPECT_NE(models[0].revision, models[1].revision);
  EXPECT_GT(models[0].load.num_tensors, 10);
  ASSERT_EQ(models[0].presets.size(), 1u);
  EXPECT_EQ(models[0].presets[0].note, "uncalibrated");
  EXPECT_EQ(models[0].presets[0].heads.front().layer, 1);  // the last third of two layers
  EXPECT_EQ(models[1].presets[0].note, "by hand");
  EXPECT_EQ(models[1].presets[0].heads, (std::vector<HeadIndex>{{1, 2}}));
  EXPECT_LT(absl::Now() - models[0].load_time, absl::Minutes(10));

  AttentionInput input = SourceInput("The cat sat.", {AttentionKind::kCross});
  input.model = "with_preset";
  input.target = "Le chat.";
  input.selection.preset = "alignment";
  input.selection.reduction = AttentionReduction::kNone;
  const auto attention = GetAttention(engine_.get(), input);
  ASSERT_TRUE(attention.ok()) << attention.status();
  ASSERT_EQ(attention->attention.matrices.size(), 1u);
  EXPECT_EQ(*attention->attention.matrices[0].head, (HeadIndex{1, 2}));
}

TEST_F(EngineLife, CancelledBeforeAndDuring) {
  CallContext context;
  context.cancelled = std::make_shared<std::atomic<bool>>(true);
  EXPECT_TRUE(absl::IsCancelled(Translate(engine_.get(), TextsInput({"Yes."}), context).status()));

  context.cancelled = std::make_shared<std::atomic<bool>>(false);
  Answer<TranslateOutput> answer;
  engine_->Translate(LongCall(), context, answer.done());
  absl::SleepFor(absl::Milliseconds(30));
  EXPECT_FALSE(answer.arrived());
  const absl::Time begin = absl::Now();
  context.cancelled->store(true);
  engine_->Wake();
  EXPECT_TRUE(absl::IsCancelled(answer.Wait().status()));
  EXPECT_LT(absl::Now() - begin, absl::Seconds(20));
  EXPECT_TRUE(Translate(engine_.get(), TextsInput({"Yes."})).ok());  // the engine goes on
}

TEST_F(EngineLife, CancelledWithoutWakeIsSeenBetweenSteps) {
  CallContext context;
  context.cancelled = std::make_shared<std::atomic<bool>>(false);
  Answer<TranslateOutput> answer;
  engine_->Translate(LongCall(), context, answer.done());
  context.cancelled->store(true);
  EXPECT_TRUE(absl::IsCancelled(answer.Wait().status()));
}

TEST_F(EngineLife, Deadlines) {
  CallContext context;
  context.deadline = absl::Now() - absl::Seconds(1);
  auto output = Translate(engine_.get(), TextsInput({"Yes."}), context);
  EXPECT_TRUE(absl::IsDeadlineExceeded(output.status()));
  EXPECT_EQ(ReasonOf(output.status()), "DEADLINE_EXCEEDED");
  context.deadline = absl::Now() + absl::Milliseconds(300);
  TranslateInput input = LongCall();
  input.texts.resize(4);
  output = Translate(engine_.get(), input, context);
  EXPECT_TRUE(absl::IsDeadlineExceeded(output.status())) << output.status();
  EXPECT_NE(MetadataOf(output.status(), "tokens_done"), "");
}

TEST_F(EngineLife, ConcurrentCallsGiveWhatTheyGiveAlone) {
  const std::vector<std::string> texts = {"The cat sat on the mat.", "Where is the old bridge?",
                                          "Yes.", "My brother reads the question to the children."};
  std::vector<std::string> expected;
  for (const std::string& text : texts) {
    expected.push_back(
        Translate(engine_.get(), TextsInput({text}, 4))->outcomes[0].translation.text);
  }
  std::vector<std::thread> threads;
  std::atomic<int> calls{0};
  for (size_t t = 0; t < 6; ++t) {
    threads.emplace_back([&, t] {
      for (size_t i = 0; i < 8; ++i) {
        const size_t which = (t + i) % texts.size();
        TranslateInput input = TextsInput({texts[which]}, 4);
        CallContext context;
        context.caller = t;
        input.include_word_links = i % 2 == 0;
        std::string streamed;
        if (i % 3 == 0) input.on_delta = [&](const std::string& delta) { streamed += delta; };
        const auto output = Translate(engine_.get(), input, context);
        ASSERT_TRUE(output.ok()) << output.status();
        EXPECT_EQ(output->outcomes[0].translation.text, expected[which]);
        if (input.on_delta) {
          EXPECT_EQ(streamed, expected[which]);
        }
        ++calls;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(calls.load(), 48);
}

TEST_F(EngineLife, AFullQueueRefusesTheWholeCall) {
  EngineOptions options;
  options.scheduler.queue_capacity_tokens = 200;
  options.scheduler.max_batch_rows = 4;
  const auto gate = std::make_shared<Gate>();
  options.make_observer = [gate](const std::string&) {
    return std::make_unique<GatedObserver>(gate);
  };
  Start(options);
  gate->Close();
  std::vector<Answer<TranslateOutput>> answers(30);
  for (auto& answer : answers) {
    TranslateInput input = TextsInput(
        {"My brother reads the question to the children.", "The cat sat on the mat."}, 4);
    input.decoding.min_new_tokens = 30;
    engine_->Translate(input, {}, answer.done());
    if (&answer == &answers.front()) gate->WaitForSomebodyAtTheGate();
  }
  gate->Open();
  int refused = 0;
  for (auto& answer : answers) {
    const auto output = answer.Wait();
    if (output.ok()) {
      for (const TranslateOutcome& outcome : output->outcomes)
        EXPECT_TRUE(outcome.status.ok()) << outcome.status;
      continue;
    }
    ++refused;
    EXPECT_EQ(output.status().code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(ReasonOf(output.status()), "QUEUE_FULL");
    EXPECT_TRUE(GetErrorDetail(output.status())->retry_after.has_value());
  }
  EXPECT_GT(refused, 0);
  EXPECT_LT(refused, 30);
}

TEST_F(EngineLife, ACallLargerThanTheQueueStillRuns) {
  EngineOptions options;
  options.scheduler.queue_capacity_tokens = 200;
  Start(options);
  std::string text;
  for (int i = 0; i < 60; ++i) text += "The cat sat on the mat.\n";
  TranslateInput input = TextsInput({text});
  input.include_word_links = true;
  const auto output = Translate(engine_.get(), input);
  ASSERT_TRUE(output.ok()) << output.status();
  ASSERT_TRUE(output->outcomes[0].status.ok()) << output->outcomes[0].status;
  EXPECT_EQ(output->outcomes[0].translation.sentences.size(), 60u);
  EXPECT_FALSE(output->outcomes[0].translation.links.empty());
}

TEST_F(EngineLife, WhatCanNeverFitFailsAlone) {
  EngineOptions options;
  options.scheduler.kv_cache_bytes = 40 << 10;
  Start(options);
  TranslateInput input = TextsInput({"Yes."}, 8);
  const auto output = Translate(engine_.get(), input);
  ASSERT_TRUE(output.ok()) << output.status();
  EXPECT_EQ(output->outcomes[0].status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(output->outcomes[0].status), "MEMORY_BUDGET");
}

TEST_F(EngineLife, DrainLetsAcceptedCallsEnd) {
  Answer<TranslateOutput> answer;
  TranslateInput input = TextsInput({"The cat sat on the mat.", "Where is the old bridge?"}, 4);
  input.include_word_links = true;
  engine_->Translate(input, {}, answer.done());
  engine_->Drain(absl::Minutes(1));
  EXPECT_TRUE(answer.arrived());
  const auto output = answer.Wait();
  ASSERT_TRUE(output.ok()) << output.status();
  EXPECT_TRUE(output->outcomes[0].status.ok());
  const auto refused = Translate(engine_.get(), TextsInput({"Yes."}));
  EXPECT_TRUE(absl::IsUnavailable(refused.status()));
  EXPECT_EQ(ReasonOf(refused.status()), "SHUTTING_DOWN");
  EXPECT_EQ(engine_->GetModel("tiny")->state, ModelState::kDraining);
  engine_->Drain(absl::ZeroDuration());  // again is no harm
}

TEST_F(EngineLife, DrainCancelsWhatTakesTooLong) {
  Answer<TranslateOutput> answer;
  engine_->Translate(LongCall(), {}, answer.done());
  engine_->Drain(absl::Milliseconds(20));
  EXPECT_TRUE(answer.arrived());
  const auto output = answer.Wait();
  EXPECT_TRUE(absl::IsUnavailable(output.status())) << output.status();
}

// So much text that it is still being prepared when something happens to the call.
TranslateInput LargeCall() {
  std::string text;
  for (int i = 0; i < 2000; ++i) text += "The cat sat on the mat near the old bridge.\n";
  return TextsInput(std::vector<std::string>(60, text));
}

TEST_F(EngineLife, DrainReachesCallsThatAreBeingPrepared) {
  std::vector<Answer<TranslateOutput>> answers(8);
  for (auto& answer : answers) engine_->Translate(LargeCall(), {}, answer.done());
  engine_->Drain(absl::ZeroDuration());
  for (auto& answer : answers) {
    ASSERT_TRUE(answer.arrived());
    EXPECT_EQ(ReasonOf(answer.Wait().status()), "SHUTTING_DOWN");
  }
}

TEST_F(EngineLife, CancellationAndDeadlineReachCallsThatAreBeingPrepared) {
  CallContext cancelled, late;
  cancelled.cancelled = std::make_shared<std::atomic<bool>>(false);
  late.deadline = absl::Now() + absl::Milliseconds(20);
  late.report = std::make_shared<CallReport>();
  Answer<TranslateOutput> first, second;
  engine_->Translate(LargeCall(), cancelled, first.done());
  engine_->Translate(LargeCall(), late, second.done());
  cancelled.cancelled->store(true);
  EXPECT_TRUE(absl::IsCancelled(first.Wait().status()));
  const auto expired = second.Wait();
  EXPECT_EQ(ReasonOf(expired.status()), "DEADLINE_EXCEEDED");
  EXPECT_EQ(MetadataOf(expired.status(), "tokens_done"), "0");
  EXPECT_EQ(late.report->model, "tiny");
  EXPECT_EQ(late.report->usage.output_tokens, 0);
}

TEST_F(EngineLife, TheReportTellsWhatACallCostHoweverItEnded) {
  CallContext context;
  context.report = std::make_shared<CallReport>();
  const auto output = Translate(engine_.get(), TextsInput({"The cat sat."}), context);
  ASSERT_TRUE(output.ok()) << output.status();
  EXPECT_EQ(context.report->model, "tiny");
  EXPECT_EQ(context.report->usage.input_tokens, output->usage.input_tokens);
  EXPECT_EQ(context.report->usage.output_tokens, output->usage.output_tokens);
  EXPECT_GT(context.report->usage.output_tokens, 0);

  CallContext in_vain;
  in_vain.report = std::make_shared<CallReport>();
  in_vain.cancelled = std::make_shared<std::atomic<bool>>(false);
  Answer<TranslateOutput> answer;
  TranslateInput input = TextsInput({"The cat sat.\nThe cat sat on the mat."});
  input.decoding.min_new_tokens = 20;
  input.on_delta = [&](const std::string&) {
    in_vain.cancelled->store(true);  // work has been done by now
  };
  engine_->Translate(input, in_vain, answer.done());
  const auto result = answer.Wait();
  if (!result.ok()) {
    EXPECT_TRUE(absl::IsCancelled(result.status())) << result.status();
  }
  EXPECT_GT(in_vain.report->usage.output_tokens, 0);
  EXPECT_EQ(in_vain.report->model, "tiny");

  CallContext nowhere;
  nowhere.report = std::make_shared<CallReport>();
  input = TextsInput({"Yes."});
  input.model = "no-such-model";
  EXPECT_FALSE(Translate(engine_.get(), input, nowhere).ok());
  EXPECT_EQ(nowhere.report->model, "");
}

TEST_F(EngineLife, AttentionThatIsHeldCountsUntilItIsLetGo) {
  EngineOptions options;
  options.limits.attention_memory_bytes = 20000;
  Start(options);
  AttentionInput input =
      SourceInput("The cat sat on the mat near the old bridge.", {AttentionKind::kEncoderSelf});
  input.selection.reduction = AttentionReduction::kNone;
  std::vector<AttentionOutput> held;
  absl::Status refused;
  for (int i = 0; i < 100 && refused.ok(); ++i) {
    auto output = GetAttention(engine_.get(), input);
    refused = output.status();
    if (output.ok()) held.push_back(*std::move(output));
  }
  ASSERT_FALSE(held.empty());
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(refused), "MEMORY_BUDGET");
  EXPECT_TRUE(GetErrorDetail(refused)->retry_after.has_value());
  TranslateInput plain = TextsInput({input.source});
  EXPECT_TRUE(Translate(engine_.get(), plain).ok());  // who does not ask does not care
  plain.attention = input.selection;
  EXPECT_EQ(ReasonOf(Translate(engine_.get(), plain).status()), "MEMORY_BUDGET");
  held.pop_back();
  EXPECT_TRUE(GetAttention(engine_.get(), input).ok());

  options.limits.attention_memory_bytes = 100;
  Start(options);
  refused = GetAttention(engine_.get(), input).status();
  EXPECT_EQ(ReasonOf(refused), "MEMORY_BUDGET");
  EXPECT_EQ(MetadataOf(refused, "have_bytes"), "100");
  EXPECT_FALSE(GetErrorDetail(refused)->retry_after.has_value());  // it never will
}

TEST_F(EngineLife, ACheckpointThatSamplesServes) {
  const std::string directory = CopyModel("sampling");
  std::string config = ReadText(directory + "/generation_config.json");
  config.insert(config.find('{') + 1, "\"do_sample\": true, \"temperature\": 2.0, ");
  Write(directory, "generation_config.json", config);
  ASSERT_NO_FATAL_FAILURE(AddModel("sampling", directory));
  TranslateInput input = TextsInput({"The cat sat on the mat."});
  input.model = "sampling";
  EXPECT_TRUE(Translate(engine_.get(), input).ok());
  input.decoding.num_beams.reset();
  const auto output = Translate(engine_.get(), input);
  EXPECT_TRUE(output.ok()) << output.status();
}

TEST_F(EngineLife, DestructionEndsCalls) {
  Answer<TranslateOutput> answer;
  engine_->Translate(LongCall(), {}, answer.done());
  engine_.reset();
  EXPECT_TRUE(answer.arrived());
  EXPECT_FALSE(answer.Wait().ok());
}

TEST_F(EngineLife, ObserversSeeTheirModel) {
  class CountingObserver : public EngineObserver {
   public:
    explicit CountingObserver(std::atomic<int>* steps) : steps_(steps) {}
    void OnStep(const StepStats&) override { ++*steps_; }
    void OnLoad(const LoadStats&) override {}
    void OnQueueWait(absl::Duration) override {}
    void OnFirstToken(absl::Duration) override {}
    void OnCancelled(CancelCause, CancelStage, int64_t) override {}

   private:
    std::atomic<int>* steps_;
  };
  std::atomic<int> steps{0};
  std::string observed;
  EngineOptions options;
  options.make_observer = [&](const std::string& model) {
    observed = model;
    return std::make_unique<CountingObserver>(&steps);
  };
  Start(options);
  EXPECT_EQ(observed, "tiny");
  const int warm_up = steps.load();
  EXPECT_GT(warm_up, 0);
  ASSERT_TRUE(Translate(engine_.get(), TextsInput({"Yes."})).ok());
  EXPECT_GT(steps.load(), warm_up);
  EXPECT_LT(engine_->SinceLastTick(), absl::Seconds(30));
  engine_.reset();
}

}  // namespace
}  // namespace attend
