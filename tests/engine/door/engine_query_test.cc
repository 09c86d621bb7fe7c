// Queries at the door: which model answers while models come and go, and that a call ends as others
// do.
#include "tests/engine/door/engine_fixture.h"

namespace attend {
namespace {

constexpr char kText[] = "The cat sat on the mat because it was warm.";

absl::StatusOr<QueryAttentionOutput> Query(Engine* engine, QueryAttentionInput input,
                                           CallContext context = {}) {
  Answer<QueryAttentionOutput> answer;
  engine->QueryAttention(std::move(input), std::move(context), answer.done());
  return answer.Wait();
}

QueryAttentionInput Input() {
  QueryAttentionInput input;
  input.source = kText;
  const auto at = static_cast<uint32_t>(std::string(kText).find("it was"));
  input.query = {at, at + 2};
  return input;
}

class EngineQuery : public EngineTest {
 protected:
  std::string WithPreset(const std::string& name) {
    const std::string directory = CopyModel(name);
    Write(directory, "attention_presets.json",
          R"({"coreference": {"kind": "encoder_self", "terms": [
               {"head": [0, 1], "direction": "to_query", "weight": 0.5},
               {"head": [1, 0], "weight": 1.5}]}})");
    return directory;
  }
};

TEST_F(EngineQuery, AModelThatIsBeingLoadedMayBeTheOneThatIsWanted) {
  EXPECT_EQ(ReasonOf(Query(engine_.get(), Input()).status()), "PRESET_NOT_FOUND");
  ASSERT_TRUE(engine_->Register("other", WithPreset("other")).ok());
  EXPECT_EQ(ReasonOf(Query(engine_.get(), Input()).status()), "MODEL_LOADING");
  ASSERT_TRUE(engine_->Load("other").ok());
  auto report = std::make_shared<CallReport>();
  CallContext context;
  context.report = report;
  const auto output = Query(engine_.get(), Input(), context);
  ASSERT_TRUE(output.ok()) << output.status();
  EXPECT_EQ(output->model, "other");
  EXPECT_EQ(report->model, "other");
  EXPECT_EQ(output->preset.terms.size(), 2u);
  ASSERT_FALSE(output->answers.empty());
  double sum = 0;
  for (const QueryAnswer& answer : output->answers) sum += static_cast<double>(answer.weight);
  EXPECT_NEAR(sum, 1.0, 1e-5);  // all that may answer are among the five

  // Who loads is not waited for once somebody can answer.
  ASSERT_TRUE(engine_->Register("late", GoldenPath("model")).ok());
  EXPECT_TRUE(Query(engine_.get(), Input()).ok());
}

TEST_F(EngineQuery, AnotherLanguageIsNotServed) {
  AddModel("other", WithPreset("other"));
  const auto info = engine_->GetModel("other");
  ASSERT_TRUE(info.ok());
  ASSERT_NE(info->language_pairs.at(0).source, "");
  QueryAttentionInput input = Input();
  input.source_language = "ja";
  EXPECT_EQ(ReasonOf(Query(engine_.get(), input).status()), "LANGUAGE_PAIR_NOT_SERVED");
  input.model = "other";
  EXPECT_EQ(ReasonOf(Query(engine_.get(), input).status()), "LANGUAGE_PAIR_NOT_SERVED");
  input.source_language = info->language_pairs.at(0).source;
  EXPECT_TRUE(Query(engine_.get(), input).ok());
}

TEST_F(EngineQuery, EndsAsOtherCallsDo) {
  AddModel("other", WithPreset("other"));
  CallContext cancelled;
  cancelled.cancelled = std::make_shared<std::atomic<bool>>(true);
  EXPECT_TRUE(absl::IsCancelled(Query(engine_.get(), Input(), cancelled).status()));
  CallContext late;
  late.deadline = absl::Now() - absl::Seconds(1);
  EXPECT_TRUE(absl::IsDeadlineExceeded(Query(engine_.get(), Input(), late).status()));
  engine_->Drain(absl::ZeroDuration());
  EXPECT_EQ(ReasonOf(Query(engine_.get(), Input()).status()), "SHUTTING_DOWN");
}

}  // namespace
}  // namespace attend
