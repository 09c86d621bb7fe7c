// What checkpoints say, and what callers may make of it.
#include "engine/generation/generation_options.h"

#include <cmath>
#include <limits>
#include <string>

#include "engine/base/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace attend {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int64_t kVocab = 100;

Json Parsed(const std::string& text, const std::string& origin) {
  absl::StatusOr<Json> json = Json::Parse(text, origin);
  EXPECT_TRUE(json.ok()) << json.status();
  return *json;
}

absl::StatusOr<GenerationOptions> Parse(const std::string& generation_config,
                                        const std::string& config = "{}") {
  const Json own =
      generation_config.empty() ? Json() : Parsed(generation_config, "generation_config.json");
  return ParseGenerationConfig(own, Parsed(config, "config.json"), kVocab);
}

GenerationOptions MustParse(const std::string& generation_config,
                            const std::string& config = "{}") {
  absl::StatusOr<GenerationOptions> options = Parse(generation_config, config);
  EXPECT_TRUE(options.ok()) << options.status();
  return options.ok() ? *options : GenerationOptions();
}

constexpr char kIds[] = R"("decoder_start_token_id": 99, "eos_token_id": 0, "pad_token_id": 99)";

std::string With(const std::string& fields) {
  return std::string("{") + kIds + (fields.empty() ? "" : ", ") + fields + "}";
}

TEST(ParseGenerationConfigTest, Defaults) {
  const GenerationOptions options = MustParse(With(""));
  EXPECT_EQ(options.num_beams, 1);
  EXPECT_EQ(options.max_length, 21);  // twenty new tokens and the start token
  EXPECT_EQ(options.length_penalty, 1.0f);
  EXPECT_EQ(options.early_stopping, EarlyStopping::kFalse);
  EXPECT_EQ(options.decoder_start_token_id, 99);
  EXPECT_THAT(options.eos_token_ids, ElementsAre(0));
  EXPECT_FALSE(options.sampling.has_value());
  EXPECT_FALSE(options.forced_eos_token_id.has_value());
  EXPECT_EQ(MustParse(With(""), R"({"max_position_embeddings": 16})").max_length, 16);
  EXPECT_EQ(MustParse(With(R"("max_length": 20)")).max_length, 21);
  EXPECT_EQ(MustParse(With(R"("max_length": 30)"), R"({"max_position_embeddings": 16})").max_length,
            30);
  EXPECT_EQ(MustParse(With(R"("max_length": 30, "max_new_tokens": 7)")).max_length, 8);
}

TEST(ParseGenerationConfigTest, EveryField) {
  const GenerationOptions options = MustParse(R"({
    "decoder_start_token_id": 5, "eos_token_id": [1, 2], "pad_token_id": null, "num_beams": 4, "num_return_sequences": 3,
    "length_penalty": 2, "early_stopping": "never", "max_length": 64, "min_length": 3, "min_new_tokens": 2,
    "no_repeat_ngram_size": 3, "encoder_no_repeat_ngram_size": 4, "repetition_penalty": 1.5,
    "bad_words_ids": [[7], [8, 9]], "forced_bos_token_id": 6, "forced_eos_token_id": [1], "suppress_tokens": [3],
    "renormalize_logits": true, "transformers_version": "4.48.3", "_from_model_config": true, "use_cache": false})");
  EXPECT_EQ(options.num_beams, 4);
  EXPECT_EQ(options.num_return_sequences, 3);
  EXPECT_EQ(options.length_penalty, 2.0f);
  EXPECT_EQ(options.early_stopping, EarlyStopping::kNever);
  EXPECT_EQ(options.max_length, 64);
  EXPECT_EQ(options.min_length, 0);  // min_new_tokens takes its place
  EXPECT_EQ(options.min_new_tokens, 2);
  EXPECT_EQ(options.no_repeat_ngram_size, 3);
  EXPECT_EQ(options.encoder_no_repeat_ngram_size, 4);
  EXPECT_EQ(options.repetition_penalty, 1.5f);
  EXPECT_THAT(options.bad_words_ids, ElementsAre(ElementsAre(7), ElementsAre(8, 9)));
  EXPECT_EQ(options.forced_bos_token_id, 6);
  EXPECT_EQ(options.forced_eos_token_id, 1);
  EXPECT_THAT(options.suppress_tokens, ElementsAre(3));
  EXPECT_TRUE(options.renormalize_logits);
  EXPECT_EQ(options.decoder_start_token_id, 5);
  EXPECT_THAT(options.eos_token_ids, ElementsAre(1, 2));
  EXPECT_EQ(options.pad_token_id, 1);  // a label only
}

TEST(ParseGenerationConfigTest, NullMeansAbsent) {
  const GenerationOptions options = MustParse(With(
      R"("num_beams": null, "max_length": null, "early_stopping": null, "length_penalty": null, "bad_words_ids": null,
         "forced_bos_token_id": null, "do_sample": null, "temperature": null, "suppress_tokens": null)"));
  EXPECT_EQ(options.num_beams, 1);
  EXPECT_EQ(options.max_length, 21);
  EXPECT_THAT(options.bad_words_ids, IsEmpty());
}

TEST(ParseGenerationConfigTest, OldFoldersHaveItInConfigJson) {
  const GenerationOptions options = MustParse(
      "",
      R"({"max_length": 512, "num_beams": 6, "bad_words_ids": [[99]], "forced_eos_token_id": 0, "eos_token_id": 0,
              "decoder_start_token_id": 99, "pad_token_id": 99, "d_model": 512, "max_position_embeddings": 512})");
  EXPECT_EQ(options.max_length, 512);
  EXPECT_EQ(options.num_beams, 6);
  EXPECT_THAT(options.bad_words_ids, ElementsAre(ElementsAre(99)));
  EXPECT_EQ(options.forced_eos_token_id, 0);
}

TEST(ParseGenerationConfigTest, OwnFileWinsButSpecialIdsFallBack) {
  const GenerationOptions options = MustParse(
      R"({"num_beams": 2})",
      R"({"num_beams": 6, "max_length": 512, "decoder_start_token_id": 9, "eos_token_id": 3})");
  EXPECT_EQ(options.num_beams, 2);
  EXPECT_EQ(options.max_length, 21);
  EXPECT_EQ(options.decoder_start_token_id, 9);
  EXPECT_THAT(options.eos_token_ids, ElementsAre(3));
  EXPECT_EQ(MustParse(R"({"bos_token_id": 4, "eos_token_id": 3})").decoder_start_token_id, 4);
}

TEST(ParseGenerationConfigTest, SamplingOfTheCheckpoint) {
  const GenerationOptions options =
      MustParse(With(R"("do_sample": true, "temperature": 0.7, "top_p": 0.9, "num_beams": 4)"));
  ASSERT_TRUE(options.sampling.has_value());
  EXPECT_EQ(options.sampling->temperature, 0.7f);
  EXPECT_EQ(options.sampling->top_k, 50);
  EXPECT_EQ(options.sampling->top_p, 0.9f);
  // Without do_sample they are what a caller's sampling starts from, unless they are impossible.
  const GenerationOptions named = MustParse(With(R"("temperature": 0.7, "top_k": 5)"));
  EXPECT_FALSE(named.sampling.has_value());
  EXPECT_EQ(named.sampling_defaults.temperature, 0.7f);
  EXPECT_EQ(named.sampling_defaults.top_k, 5);
  const GenerationOptions impossible = MustParse(With(R"("temperature": 0, "top_p": 7)"));
  EXPECT_FALSE(impossible.sampling.has_value());
  EXPECT_EQ(impossible.sampling_defaults.temperature, 1.0f);
}

TEST(ParseGenerationConfigTest, ErrorsNameTheKey) {
  const struct {
    const char* fields;
    const char* key;
  } cases[] = {
      {R"("num_beams": 0)", "num_beams"},
      {R"("num_beams": "four")", "num_beams"},
      {R"("num_beams": 99999999999)", "num_beams"},
      {R"("max_length": -1)", "max_length"},
      {R"("max_length": 1e30)", "max_length"},
      {R"("min_length": -1)", "min_length"},
      {R"("length_penalty": "x")", "length_penalty"},
      {R"("length_penalty": 1e300)", "length_penalty"},
      {R"("early_stopping": "sometimes")", "early_stopping"},
      {R"("early_stopping": 3)", "early_stopping"},
      {R"("repetition_penalty": 0)", "repetition_penalty"},
      {R"("no_repeat_ngram_size": -2)", "no_repeat_ngram_size"},
      {R"("bad_words_ids": [[100]])", "bad_words_ids"},
      {R"("bad_words_ids": [[]])", "bad_words_ids"},
      {R"("bad_words_ids": [5])", "bad_words_ids"},
      {R"("bad_words_ids": 5)", "bad_words_ids"},
      {R"("bad_words_ids": [["a"]])", "bad_words_ids"},
      {R"("forced_bos_token_id": -1)", "forced_bos_token_id"},
      {R"("forced_eos_token_id": [1, 2])", "forced_eos_token_id"},
      {R"("forced_eos_token_id": 100)", "forced_eos_token_id"},
      {R"("suppress_tokens": [1000])", "suppress_tokens"},
      {R"("renormalize_logits": "yes")", "renormalize_logits"},
      {R"("do_sample": true, "temperature": 0)", "temperature"},
      {R"("do_sample": true, "top_p": 1.5)", "top_p"},
      {R"("do_sample": true, "top_k": -1)", "top_k"},
  };
  for (const auto& c : cases) {
    const absl::StatusOr<GenerationOptions> options = Parse(With(c.fields));
    ASSERT_FALSE(options.ok()) << c.fields;
    EXPECT_EQ(options.status().code(), absl::StatusCode::kDataLoss) << c.fields;
    EXPECT_THAT(std::string(options.status().message()), HasSubstr(c.key));
    EXPECT_THAT(std::string(options.status().message()), HasSubstr("generation_config.json"));
    ASSERT_TRUE(GetErrorDetail(options.status()).has_value());
    EXPECT_EQ(GetErrorDetail(options.status())->reason, "CHECKPOINT_CORRUPT");
  }
  for (const char* text :
       {R"({"eos_token_id": 100, "decoder_start_token_id": 1})",
        R"({"eos_token_id": "0", "decoder_start_token_id": 1})",
        R"({"eos_token_id": 0, "decoder_start_token_id": 100})", R"({"eos_token_id": 0})",
        R"({"eos_token_id": 0, "decoder_start_token_id": 1, "pad_token_id": 200})"}) {
    EXPECT_EQ(Parse(text).status().code(), absl::StatusCode::kDataLoss) << text;
  }
}

TEST(ParseGenerationConfigTest, SettingsThatWeLackAreRefusedNotIgnored) {
  for (const char* fields :
       {R"("num_beam_groups": 2)", R"("penalty_alpha": 0.6)", R"("sequence_bias": [[[1], 2.0]])",
        R"("begin_suppress_tokens": [1])", R"("do_sample": true, "typical_p": 0.5)"}) {
    const absl::Status status = Parse(With(fields)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << fields;
    EXPECT_EQ(GetErrorDetail(status)->reason, "CAPABILITY_MISSING");
  }
  // Their neutral values, as old config.json files spell them all out, are fine.
  MustParse(
      "",
      With(
          R"("num_beam_groups": 1, "diversity_penalty": 0.0, "typical_p": 1.0, "begin_suppress_tokens": null,
                        "encoder_repetition_penalty": 1.0, "exponential_decay_length_penalty": null, "top_k": 50)"));
}

GenerationLimits Limits() { return {8, 64, kVocab}; }

TEST(ResolveGenerationOptionsTest, NothingSetKeepsTheCheckpoint) {
  GenerationOptions checkpoint =
      MustParse(With(R"("num_beams": 4, "length_penalty": 0.6, "max_length": 512)"));
  const auto options = ResolveGenerationOptions(checkpoint, {}, Limits());
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->num_beams, 4);
  EXPECT_EQ(options->length_penalty, 0.6f);
  EXPECT_EQ(options->max_length, 65);  // as far as there are positions, and the start token
}

TEST(ResolveGenerationOptionsTest, OverridesLieOnTop) {
  GenerationOverrides overrides;
  overrides.num_beams = 3;
  overrides.num_return_sequences = 2;
  overrides.max_new_tokens = 10;
  overrides.min_new_tokens = 4;
  overrides.no_repeat_ngram_size = 3;
  overrides.length_penalty = 0.0f;
  overrides.repetition_penalty = 1.2f;
  overrides.early_stopping = EarlyStopping::kNever;
  const auto options =
      ResolveGenerationOptions(MustParse(With(R"("num_beams": 4)")), overrides, Limits());
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->num_beams, 3);
  EXPECT_EQ(options->num_return_sequences, 2);
  EXPECT_EQ(options->max_length, 11);
  EXPECT_EQ(options->min_new_tokens, 4);
  EXPECT_EQ(options->no_repeat_ngram_size, 3);
  EXPECT_EQ(options->length_penalty, 0.0f);
  EXPECT_EQ(options->repetition_penalty, 1.2f);
  EXPECT_EQ(options->early_stopping, EarlyStopping::kNever);
}

TEST(ResolveGenerationOptionsTest, CheckpointsBeyondTheLimitsAreCutNotRefused) {
  GenerationOverrides overrides;
  overrides.max_new_tokens = std::numeric_limits<int>::max();
  const auto options = ResolveGenerationOptions(
      MustParse(With(R"("num_beams": 12, "num_return_sequences": 12)")), overrides, Limits());
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->num_beams, 8);
  EXPECT_EQ(options->num_return_sequences, 8);
  EXPECT_EQ(options->max_length, 65);  // as far as there are positions, and the start token
}

TEST(ResolveGenerationOptionsTest, SamplingAndBeams) {
  const GenerationOptions beams = MustParse(With(R"("num_beams": 4)"));
  GenerationOverrides overrides;
  overrides.sampling.emplace();
  overrides.sampling->seed = 9;
  overrides.num_return_sequences = 5;
  auto options = ResolveGenerationOptions(beams, overrides, Limits());
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->num_beams, 1);
  EXPECT_EQ(options->num_return_sequences, 5);
  EXPECT_EQ(options->sampling->seed, 9u);
  EXPECT_EQ(options->sampling->top_k, 50);

  overrides.num_beams = 2;
  EXPECT_EQ(GetErrorDetail(ResolveGenerationOptions(beams, overrides, Limits()).status())->field,
            "beam_size");

  const GenerationOptions samples = MustParse(With(R"("do_sample": true, "num_beams": 4)"));
  options = ResolveGenerationOptions(samples, {}, Limits());
  EXPECT_TRUE(options->sampling.has_value());
  EXPECT_EQ(options->num_beams, 1);
  GenerationOverrides only_beams;
  only_beams.num_beams = 2;
  options = ResolveGenerationOptions(samples, only_beams, Limits());
  EXPECT_FALSE(options->sampling.has_value());
  EXPECT_EQ(options->num_beams, 2);
  only_beams.num_beams = 1;  // greedy search
  options = ResolveGenerationOptions(samples, only_beams, Limits());
  EXPECT_FALSE(options->sampling.has_value());
  EXPECT_EQ(options->num_beams, 1);
}

TEST(ResolveGenerationOptionsTest, SamplingStartsFromTheCheckpoint) {
  GenerationOverrides sample;
  sample.sampling.emplace().top_p = 0.5f;
  const auto options = ResolveGenerationOptions(
      MustParse(With(R"("temperature": 0.7, "top_k": 5, "top_p": 0.9)")), sample, Limits());
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->sampling->temperature, 0.7f);
  EXPECT_EQ(options->sampling->top_k, 5);
  EXPECT_EQ(options->sampling->top_p, 0.5f);
  // A way of sampling that we lack is refused when somebody samples, not before.
  const GenerationOptions typical = MustParse(With(R"("typical_p": 0.5)"));
  EXPECT_TRUE(ResolveGenerationOptions(typical, {}, Limits()).ok());
  const absl::Status refused = ResolveGenerationOptions(typical, sample, Limits()).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(GetErrorDetail(refused)->reason, "CAPABILITY_MISSING");
}

TEST(ResolveGenerationOptionsTest, FewestNewTokensReplaceTheFewestOfTheCheckpoint) {
  const GenerationOptions longish = MustParse(With(R"("min_length": 30, "max_length": 60)"));
  EXPECT_EQ(ResolveGenerationOptions(longish, {}, Limits())->min_length, 30);
  GenerationOverrides fewer;
  fewer.min_new_tokens = 3;
  const auto options = ResolveGenerationOptions(longish, fewer, Limits());
  EXPECT_EQ(options->min_length, 0);
  EXPECT_EQ(options->min_new_tokens, 3);
  EXPECT_EQ(MustParse(With(R"("min_length": 30, "min_new_tokens": 2)")).min_length, 0);
}

TEST(ResolveGenerationOptionsTest, BadValuesNameTheField) {
  const float nan = std::numeric_limits<float>::quiet_NaN(),
              inf = std::numeric_limits<float>::infinity();
  using Set = void (*)(GenerationOverrides*, float);
  const struct {
    const char* field;
    Set set;
    std::vector<float> bad;
  } floats[] = {
      {"length_penalty",
       [](GenerationOverrides* o, float v) { o->length_penalty = v; },
       {nan, inf, -inf, -101, 101}},
      {"repetition_penalty",
       [](GenerationOverrides* o, float v) { o->repetition_penalty = v; },
       {nan, inf, -1, 0}},
      {"sampling.temperature",
       [](GenerationOverrides* o, float v) { o->sampling.emplace().temperature = v; },
       {nan, inf, -1, 0}},
      {"sampling.top_p",
       [](GenerationOverrides* o, float v) { o->sampling.emplace().top_p = v; },
       {nan, inf, -1, 0, 1.01f}},
      {"sampling.top_k",
       [](GenerationOverrides* o, float v) { o->sampling.emplace().top_k = static_cast<int>(v); },
       {-1}},
      {"beam_size",
       [](GenerationOverrides* o, float v) { o->num_beams = static_cast<int>(v); },
       {0, -1}},
      {"hypothesis_count",
       [](GenerationOverrides* o, float v) { o->num_return_sequences = static_cast<int>(v); },
       {0, -1, 2, 9}},
      {"max_output_tokens",
       [](GenerationOverrides* o, float v) { o->max_new_tokens = static_cast<int>(v); },
       {0, -1}},
      {"min_output_tokens",
       [](GenerationOverrides* o, float v) { o->min_new_tokens = static_cast<int>(v); },
       {-1, 21}},
      {"no_repeat_ngram_size",
       [](GenerationOverrides* o, float v) { o->no_repeat_ngram_size = static_cast<int>(v); },
       {-1}},
  };
  const GenerationOptions checkpoint = MustParse(With(""));
  for (const auto& c : floats) {
    for (const float value : c.bad) {
      GenerationOverrides overrides;
      c.set(&overrides, value);
      const auto options = ResolveGenerationOptions(checkpoint, overrides, Limits());
      ASSERT_FALSE(options.ok()) << c.field << " " << value;
      EXPECT_EQ(options.status().code(), absl::StatusCode::kInvalidArgument);
      EXPECT_EQ(GetErrorDetail(options.status())->field, c.field);
      EXPECT_EQ(GetErrorDetail(options.status())->reason, "OPTION_OUT_OF_RANGE");
    }
  }
  GenerationOverrides overrides;
  overrides.num_beams = 9;
  const absl::Status status = ResolveGenerationOptions(checkpoint, overrides, Limits()).status();
  EXPECT_EQ(GetErrorDetail(status)->reason, "BEAM_TOO_LARGE");
  EXPECT_EQ(GetErrorDetail(status)->field, "beam_size");
}

}  // namespace
}  // namespace attend
