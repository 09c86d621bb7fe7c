// Summaries between wire and engine: what a config may hold, options of the wrong mode, and spans
// in the caller's unit.
#include "server/convert/summarization_convert.h"

#include <functional>
#include <string>
#include <vector>

#include "engine/base/error.h"
#include "gtest/gtest.h"

namespace attend::server {
namespace {

namespace v1 = attend::v1;

// "OPTION_NOT_APPLICABLE config.decoding"; "ok" when the config is taken.
std::string Outcome(const v1::SummarizationConfig& config) {
  const auto input = ParseSummarizationConfig(config);
  if (input.ok()) return "ok";
  EXPECT_EQ(input.status().code(), absl::StatusCode::kInvalidArgument);
  const auto detail = GetErrorDetail(input.status());
  return detail ? detail->reason + " " + detail->field : "no detail";
}

TEST(ParseSummarizationConfigTest, NothingSetIsExtractiveWithTheEnginesChoices) {
  const auto input = ParseSummarizationConfig({});
  ASSERT_TRUE(input.ok());
  EXPECT_EQ(input->model, "");
  EXPECT_EQ(input->mode, SummaryMode::kExtractive);
  EXPECT_EQ(input->text_kind, TextKind::kAuto);
  EXPECT_FALSE(input->budget.sentences || input->budget.ratio || input->budget.characters);
  EXPECT_FALSE(input->redundancy_penalty);
  EXPECT_FALSE(input->include_sentence_attention);
  EXPECT_EQ(input->overflow, OverflowPolicy::kSplit);
}

TEST(ParseSummarizationConfigTest, ExtractiveOptionsArrive) {
  v1::SummarizationConfig config;
  config.set_model("models/minilm");
  config.set_mode(v1::SUMMARY_MODE_EXTRACTIVE);
  config.set_sentence_count(3);
  config.set_redundancy_penalty(0.25f);
  config.set_include_sentence_attention(true);
  config.set_text_kind(v1::TEXT_KIND_PAPER);
  config.set_language_code("en-GB");
  const auto input = ParseSummarizationConfig(config);
  ASSERT_TRUE(input.ok()) << input.status();
  EXPECT_EQ(input->model, "minilm");
  EXPECT_EQ(input->budget.sentences, 3);
  EXPECT_EQ(input->redundancy_penalty, 0.25);
  EXPECT_TRUE(input->include_sentence_attention);
  EXPECT_EQ(input->text_kind, TextKind::kPaper);
  EXPECT_EQ(input->language, "en-GB");
  config.set_sentence_ratio(0.5f);  // a oneof: the count is gone
  EXPECT_FALSE(ParseSummarizationConfig(config)->budget.sentences);
  EXPECT_EQ(ParseSummarizationConfig(config)->budget.ratio, 0.5);
  config.set_max_characters(4000000000u);
  EXPECT_EQ(ParseSummarizationConfig(config)->budget.characters, int64_t{4000000000});
}

TEST(ParseSummarizationConfigTest, EveryKindOfTextIsKnown) {
  const std::vector<std::pair<v1::TextKind, TextKind>> kinds = {
      {v1::TEXT_KIND_UNSPECIFIED, TextKind::kAuto},
      {v1::TEXT_KIND_GENERAL, TextKind::kGeneral},
      {v1::TEXT_KIND_NEWS, TextKind::kNews},
      {v1::TEXT_KIND_PAPER, TextKind::kPaper},
      {v1::TEXT_KIND_REVIEWS, TextKind::kReviews}};
  EXPECT_EQ(static_cast<int>(kinds.size()), v1::TextKind_MAX + 1);
  const std::string text;
  for (const auto& [wire, kind] : kinds) {
    v1::SummarizationConfig config;
    config.set_text_kind(wire);
    EXPECT_EQ(ParseSummarizationConfig(config)->text_kind, kind);
    Summary summary;
    summary.text_kind = kind;
    v1::Summary out;
    ToProto(summary, {{text, OffsetUnit::kByte, ""}, SummaryMode::kExtractive}, &out);
    EXPECT_EQ(out.text_kind(), wire);
  }
}

TEST(ParseSummarizationConfigTest, AbstractiveOptionsArrive) {
  v1::SummarizationConfig config;
  config.set_mode(v1::SUMMARY_MODE_ABSTRACTIVE);
  config.mutable_decoding()->set_beam_size(4);
  config.mutable_decoding()->set_target_prefix("In short");
  config.set_overflow_policy(v1::OVERFLOW_POLICY_TRUNCATE);
  const auto input = ParseSummarizationConfig(config);
  ASSERT_TRUE(input.ok()) << input.status();
  EXPECT_EQ(input->mode, SummaryMode::kAbstractive);
  EXPECT_EQ(input->decoding.num_beams, 4);
  EXPECT_EQ(input->target_prefix, "In short");
  EXPECT_EQ(input->overflow, OverflowPolicy::kTruncate);
  EXPECT_FALSE(input->omit_supports);
  config.set_omit_supports(true);
  EXPECT_TRUE(ParseSummarizationConfig(config)->omit_supports);
}

TEST(ParseSummarizationConfigTest, OptionsOfTheOtherModeAreRefusedByName) {
  using Set = std::function<void(v1::SummarizationConfig*)>;
  const std::vector<std::pair<std::string, Set>> extractive = {
      {"sentence_count", [](auto* c) { c->set_sentence_count(1); }},
      {"sentence_ratio", [](auto* c) { c->set_sentence_ratio(0.5f); }},
      {"max_characters", [](auto* c) { c->set_max_characters(9); }},
      {"redundancy_penalty", [](auto* c) { c->set_redundancy_penalty(0); }},
      {"include_sentence_attention", [](auto* c) { c->set_include_sentence_attention(true); }},
      {"text_kind", [](auto* c) { c->set_text_kind(v1::TEXT_KIND_NEWS); }}};
  const std::vector<std::pair<std::string, Set>> abstractive = {
      {"decoding", [](auto* c) { c->mutable_decoding()->set_beam_size(0); }},
      {"overflow_policy", [](auto* c) { c->set_overflow_policy(v1::OVERFLOW_POLICY_SPLIT); }},
      {"omit_supports", [](auto* c) { c->set_omit_supports(true); }}};
  for (const auto mode :
       {v1::SUMMARY_MODE_UNSPECIFIED, v1::SUMMARY_MODE_EXTRACTIVE, v1::SUMMARY_MODE_ABSTRACTIVE}) {
    const bool writes = mode == v1::SUMMARY_MODE_ABSTRACTIVE;
    for (const bool of_extractive : {true, false}) {
      for (const auto& [field, set] : of_extractive ? extractive : abstractive) {
        v1::SummarizationConfig config;
        config.set_mode(mode);
        set(&config);
        EXPECT_EQ(Outcome(config),
                  writes == of_extractive ? "OPTION_NOT_APPLICABLE config." + field : "ok")
            << field;
      }
    }
  }
}

TEST(ParseSummarizationConfigTest, AnEmptyDecodingAsksForNothing) {
  v1::SummarizationConfig config;
  config.mutable_decoding();
  EXPECT_EQ(Outcome(config), "ok");
}

TEST(ParseSummarizationConfigTest, UnknownValuesAndNamesAreRefused) {
  v1::SummarizationConfig config;
  config.set_mode(static_cast<v1::SummaryMode>(9));
  EXPECT_EQ(Outcome(config), "OPTION_OUT_OF_RANGE config.mode");
  config.clear_mode();
  config.set_text_kind(static_cast<v1::TextKind>(99));
  EXPECT_EQ(Outcome(config), "OPTION_OUT_OF_RANGE config.text_kind");
  config.clear_text_kind();
  config.set_overflow_policy(static_cast<v1::OverflowPolicy>(7));
  EXPECT_EQ(Outcome(config), "OPTION_OUT_OF_RANGE config.overflow_policy");
  config.Clear();
  config.set_mode(v1::SUMMARY_MODE_ABSTRACTIVE);
  config.mutable_decoding()->set_early_stopping(static_cast<v1::EarlyStopping>(7));
  EXPECT_EQ(Outcome(config), "OPTION_OUT_OF_RANGE config.decoding.early_stopping");
  config.Clear();
  config.set_model("models/../x");
  EXPECT_EQ(Outcome(config), "MODEL_NAME_INVALID config.model");
  config.Clear();
  config.set_offset_unit(static_cast<v1::OffsetUnit>(9));
  const auto unit = ParseOffsetUnit(config);
  ASSERT_FALSE(unit.ok());
  EXPECT_EQ(GetErrorDetail(unit.status())->field, "config.offset_unit");
}

// "é one. é two." with the second sentence picked.
Summary TwoSentences() {
  Summary summary;
  summary.text = "\u00E9 two.";
  summary.text_kind = TextKind::kGeneral;
  ScoredSentence first;
  first.span = {0, 7};
  first.score = 0.25;
  first.rank = 2;
  ScoredSentence second;
  second.span = {8, 15};
  second.score = 0.75;
  second.rank = 1;
  second.selected = true;
  second.parts = {{"centrality", 1.5}, {"position", -0.5}};
  summary.sentences = {first, second};
  return summary;
}

TEST(SummaryToProtoTest, SentencesCountInTheCallersUnit) {
  const std::string text = "\u00E9 one. \u00E9 two.";
  v1::Summary out;
  ToProto(TwoSentences(), {{text, OffsetUnit::kCodePoint, "models/m@1"}, SummaryMode::kExtractive},
          &out);
  EXPECT_EQ(out.text(), "\u00E9 two.");
  EXPECT_EQ(out.model_revision(), "models/m@1");
  EXPECT_EQ(out.finish_reason(), v1::FINISH_REASON_UNSPECIFIED);
  EXPECT_FALSE(out.has_sentence_attention());
  ASSERT_EQ(out.sentences_size(), 2);
  EXPECT_EQ(out.sentences(0).span().end(), 6u);
  EXPECT_FALSE(out.sentences(0).selected());
  const v1::ScoredSentence& second = out.sentences(1);
  EXPECT_EQ(second.span().start(), 7u);
  EXPECT_EQ(second.span().end(), 13u);
  EXPECT_FLOAT_EQ(second.score(), 0.75f);
  EXPECT_EQ(second.rank(), 1u);
  EXPECT_TRUE(second.selected());
  ASSERT_EQ(second.parts_size(), 2);
  EXPECT_EQ(second.parts(1).name(), "position");
  EXPECT_FLOAT_EQ(second.parts(1).value(), -0.5f);
}

TEST(SummaryToProtoTest, AttentionTravelsAsItIs) {
  Summary summary = TwoSentences();
  AttentionMatrix& matrix = summary.sentence_attention.emplace();
  matrix.kind = AttentionKind::kEncoderSelf;
  matrix.rows = matrix.columns = 2;
  matrix.weights = {0.5f, 0.5f, 0.25f, 0.75f};
  const std::string text = "\u00E9 one. \u00E9 two.";
  v1::Summary out;
  ToProto(summary, {{text, OffsetUnit::kByte, ""}, SummaryMode::kExtractive}, &out);
  EXPECT_EQ(out.sentence_attention().row_count(), 2u);
  EXPECT_FLOAT_EQ(out.sentence_attention().dense().weights(3), 0.75f);
}

TEST(SummaryToProtoTest, SupportsCountInTheSummary) {
  Summary summary;
  summary.text = "\u00E9 x. Then.";
  summary.sentences.resize(2);
  summary.sentences[0].span = {0, 4};
  summary.sentences[1].span = {5, 9};
  summary.supports.push_back({{6, 11}, {1, 0}, {0.75, 0.25}});
  summary.finish_reason = FinishReason::kLength;
  summary.truncated_input_tokens = 5;
  const std::string text = "One. Two.";
  v1::Summary out;
  ToProto(summary, {{text, OffsetUnit::kUtf16, ""}, SummaryMode::kAbstractive}, &out);
  EXPECT_EQ(out.finish_reason(), v1::FINISH_REASON_MAX_TOKENS);
  EXPECT_EQ(out.truncated_input_tokens(), 5u);
  ASSERT_EQ(out.supports_size(), 1);
  EXPECT_EQ(out.supports(0).summary().start(), 5u);
  EXPECT_EQ(out.supports(0).summary().end(), 10u);
  EXPECT_EQ(out.supports(0).sentence_indices(0), 1u);
  EXPECT_FLOAT_EQ(out.supports(0).weights(1), 0.25f);
}

TEST(SummaryToProtoTest, AFailedItemIsItsError) {
  SummarizeOutcome outcome;
  outcome.status = InvalidField("INPUT_TOO_LONG", "texts[0]", "too long");
  const std::string text;
  v1::SummarizeOutcome out;
  ToProto(outcome, {{text, OffsetUnit::kByte, ""}, SummaryMode::kExtractive}, &out);
  EXPECT_FALSE(out.has_summary());
  EXPECT_EQ(out.error().message(), "too long");
}

}  // namespace
}  // namespace attend::server
