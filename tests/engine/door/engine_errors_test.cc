// Every row of the error tables that the engine answers for.
#include <cmath>
#include <cstring>
#include <limits>

#include "tests/engine/door/engine_fixture.h"

namespace attend {
namespace {

class EngineErrors : public EngineTest {
 protected:
  void ExpectTranslate(const TranslateInput& input, absl::StatusCode code,
                       const std::string& reason, const std::string& field) {
    const auto output = Translate(engine_.get(), input);
    ASSERT_FALSE(output.ok());
    EXPECT_EQ(output.status().code(), code) << output.status();
    EXPECT_EQ(ReasonOf(output.status()), reason) << output.status();
    EXPECT_EQ(FieldOf(output.status()), field);
  }
  void ExpectAttention(const AttentionInput& input, absl::StatusCode code,
                       const std::string& reason, const std::string& field) {
    const auto output = GetAttention(engine_.get(), input);
    ASSERT_FALSE(output.ok());
    EXPECT_EQ(output.status().code(), code) << output.status();
    EXPECT_EQ(ReasonOf(output.status()), reason) << output.status();
    EXPECT_EQ(FieldOf(output.status()), field);
  }
};

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kNotFound = absl::StatusCode::kNotFound;

TEST_F(EngineErrors, ItemsOfACall) {
  ExpectTranslate(TextsInput({}), kInvalid, "NO_ITEMS", "texts");
  TranslateInput input = TextsInput(std::vector<std::string>(65, "Yes."));
  ExpectTranslate(input, kInvalid, "TOO_MANY_ITEMS", "texts");
  EXPECT_EQ(MetadataOf(Translate(engine_.get(), input).status(), "limit"), "64");
  input.texts.resize(2);
  input.on_delta = [](const std::string&) { ADD_FAILURE() << "a call that fails streams nothing"; };
  ExpectTranslate(input, kInvalid, "TOO_MANY_ITEMS", "texts");
}

TEST_F(EngineErrors, TextsThatAreTooLongFailAlone) {
  std::string sentences;
  for (int i = 0; i < 2049; ++i) sentences += "Yes.\n";
  TranslateInput input =
      TextsInput({"Yes.", std::string(256 * 1024 + 1, 'a'), sentences, "No.", "\xFF\xFE"});
  input.decoding.max_new_tokens = 2;
  const auto output = Translate(engine_.get(), input);
  ASSERT_TRUE(output.ok()) << output.status();
  EXPECT_TRUE(output->outcomes[0].status.ok());
  EXPECT_EQ(ReasonOf(output->outcomes[1].status), "INPUT_TOO_LONG");
  EXPECT_EQ(FieldOf(output->outcomes[1].status), "texts[1]");
  EXPECT_EQ(MetadataOf(output->outcomes[1].status, "limit"), "262144");
  EXPECT_EQ(ReasonOf(output->outcomes[2].status), "INPUT_TOO_LONG");
  EXPECT_EQ(MetadataOf(output->outcomes[2].status, "limit"), "2048");
  EXPECT_TRUE(output->outcomes[3].status.ok());
  EXPECT_EQ(output->outcomes[4].status.code(), kInvalid);
}

TEST_F(EngineErrors, Models) {
  TranslateInput input = TextsInput({"Yes."});
  input.model = "nothing";
  ExpectTranslate(input, kNotFound, "MODEL_NOT_FOUND", "");
  const auto detail = GetErrorDetail(Translate(engine_.get(), input).status());
  EXPECT_EQ(detail->resource_name, "models/nothing");
  EXPECT_EQ(engine_->GetModel("nothing").status().code(), kNotFound);
  EXPECT_EQ(engine_->Tokenize("nothing", "a", false).status().code(), kNotFound);

  ASSERT_TRUE(engine_->Register("slow", GoldenPath("model")).ok());
  input.model = "slow";
  ExpectTranslate(input, absl::StatusCode::kUnavailable, "MODEL_LOADING", "");
  EXPECT_TRUE(GetErrorDetail(Translate(engine_.get(), input).status())->retry_after.has_value());
  EXPECT_EQ(engine_->GetModel("slow")->state, ModelState::kLoading);

  ASSERT_TRUE(engine_->Register("broken", GoldenPath("no_such_folder")).ok());
  EXPECT_FALSE(engine_->Load("broken").ok());
  input.model = "broken";
  ExpectTranslate(input, absl::StatusCode::kFailedPrecondition, "MODEL_FAILED", "");
  EXPECT_NE(MetadataOf(Translate(engine_.get(), input).status(), "cause").find("no_such_folder"),
            std::string::npos);
  EXPECT_EQ(engine_->GetModel("broken")->state, ModelState::kFailed);
  EXPECT_FALSE(engine_->GetModel("broken")->error.ok());

  EXPECT_EQ(engine_->Register("tiny", "x").code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(engine_->Register("", "x").code(), kInvalid);
  EXPECT_EQ(engine_->Register("models/x", "x").code(), kInvalid);
  EXPECT_EQ(engine_->Load("nothing").code(), kNotFound);
  EXPECT_EQ(engine_->Load("tiny").code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(EngineErrors, Languages) {
  TranslateInput input = TextsInput({"Yes."});
  input.source_language = "EN-gb";
  input.target_language = "fr";
  EXPECT_TRUE(Translate(engine_.get(), input).ok());
  input.model = "";
  EXPECT_TRUE(Translate(engine_.get(), input).ok());
  input.source_language = "en_";
  ExpectTranslate(input, kInvalid, "LANGUAGE_CODE_INVALID", "config.source_language_code");
  input.source_language = "en";
  input.target_language = "x";
  ExpectTranslate(input, kInvalid, "LANGUAGE_CODE_INVALID", "config.target_language_code");
  input.target_language = "ja";
  ExpectTranslate(input, kNotFound, "LANGUAGE_PAIR_NOT_SERVED", "");
  EXPECT_EQ(MetadataOf(Translate(engine_.get(), input).status(), "served"), "en>fr");
  input.model = "tiny";
  ExpectTranslate(input, kNotFound, "LANGUAGE_PAIR_NOT_SERVED", "");

  input = TextsInput({"Yes."});
  input.model = "";
  EXPECT_TRUE(Translate(engine_.get(), input).ok());  // the only one
  AddModel("other", GoldenPath("model"));
  ExpectTranslate(input, kInvalid, "OPTION_OUT_OF_RANGE", "config.model");
  ASSERT_TRUE(engine_->Register("slow", GoldenPath("model")).ok());
  input.target_language = "ja";  // perhaps the one that is being loaded
  ExpectTranslate(input, absl::StatusCode::kUnavailable, "MODEL_LOADING", "");

  AlignInput align;
  align.model = "tiny";
  align.source = align.target = "Yes.";
  align.source_language = "!";
  EXPECT_EQ(FieldOf(AlignWords(engine_.get(), align).status()), "source_language_code");
}

TEST_F(EngineErrors, DecodingOptions) {
  TranslateInput input = TextsInput({"Yes."}, 9);
  ExpectTranslate(input, kInvalid, "BEAM_TOO_LARGE", "config.decoding.beam_size");
  input = TextsInput({"Yes."}, 2);
  input.decoding.num_return_sequences = 3;
  ExpectTranslate(input, kInvalid, "OPTION_OUT_OF_RANGE", "config.decoding.hypothesis_count");
  input = TextsInput({"Yes."}, 2);
  input.decoding.length_penalty = std::nanf("");
  ExpectTranslate(input, kInvalid, "OPTION_OUT_OF_RANGE", "config.decoding.length_penalty");
  input = TextsInput({"Yes."}, 1);
  input.decoding.repetition_penalty = -1.0f;
  ExpectTranslate(input, kInvalid, "OPTION_OUT_OF_RANGE", "config.decoding.repetition_penalty");
}

TEST_F(EngineErrors, AttentionOfATranslation) {
  TranslateInput input = TextsInput({"Yes.", "No."});
  input.attention.emplace();
  input.attention->kinds = {AttentionKind::kCross};
  input.attention->has_head_list = true;
  input.attention->heads = {{0, 0}, {2, 0}};
  ExpectTranslate(input, kInvalid, "HEAD_OUT_OF_RANGE",
                  "config.attention.head_list.heads[1].layer");

  EngineOptions options;
  options.limits.max_attention_bytes = 1000;
  Start(options);
  input.attention->heads.clear();
  input.attention->has_head_list = false;
  input.decoding.max_new_tokens = 20;
  input.texts = {"Yes.", "The cat sat on the mat. Where is the old bridge? My brother reads."};
  const auto output = Translate(engine_.get(), input);
  ASSERT_TRUE(output.ok());
  EXPECT_TRUE(output->outcomes[0].status.ok());
  EXPECT_EQ(ReasonOf(output->outcomes[1].status), "ATTENTION_TOO_LARGE");
}

TEST_F(EngineErrors, AttentionCalls) {
  const std::vector<AttentionKind> cross = {AttentionKind::kCross};
  ExpectAttention(SourceInput("", cross), kInvalid, "EMPTY_INPUT", "source");
  ExpectAttention(SourceInput(" \n", cross), kInvalid, "EMPTY_INPUT", "source");
  AttentionInput input = SourceInput("Yes.", cross);
  input.target = " ";
  ExpectAttention(input, kInvalid, "EMPTY_INPUT", "target");

  std::string words;
  for (int i = 0; i < 200; ++i) words += "bridge ";
  ExpectAttention(SourceInput(words, cross), kInvalid, "INPUT_TOO_LONG", "source");
  EXPECT_EQ(MetadataOf(GetAttention(engine_.get(), SourceInput(words, cross)).status(), "limit"),
            "128");
  input.target = words;
  ExpectAttention(input, kInvalid, "INPUT_TOO_LONG", "target");
  ExpectAttention(SourceInput(std::string(256 * 1024 + 1, 'a'), cross), kInvalid, "INPUT_TOO_LONG",
                  "source");

  input = SourceInput("Yes.", cross);
  input.selection.heads = {{0, 0}, {0, 1}, {1, 0}, {2, 0}};
  input.selection.has_head_list = true;
  ExpectAttention(input, kInvalid, "HEAD_OUT_OF_RANGE", "selection.head_list.heads[3].layer");
  EXPECT_EQ(MetadataOf(GetAttention(engine_.get(), input).status(), "limit"), "2");

  input = SourceInput("Yes.", cross);
  input.selection.preset = "coreference";
  ExpectAttention(input, kNotFound, "PRESET_NOT_FOUND", "selection.preset");
  EXPECT_EQ(MetadataOf(GetAttention(engine_.get(), input).status(), "presets"), "alignment");

  input = SourceInput("Yes.", cross);
  input.selection.reduction = AttentionReduction::kRollout;
  ExpectAttention(input, kInvalid, "REDUCTION_NOT_APPLICABLE", "selection.reduction");
  ExpectAttention(SourceInput("Yes.", {}), kInvalid, "OPTION_OUT_OF_RANGE", "selection.kinds");

  input = SourceInput("The cat sat on the mat.", cross);
  input.target = "Le chat.";
  input.max_bytes = 100;
  ExpectAttention(input, kInvalid, "ATTENTION_TOO_LARGE", "selection");
  EXPECT_EQ(MetadataOf(GetAttention(engine_.get(), input).status(), "limit"), "100");
  input.target.reset();  // too large only once it is written
  ExpectAttention(input, kInvalid, "ATTENTION_TOO_LARGE", "selection");
}

TEST_F(EngineErrors, AlignWords) {
  AlignInput input;
  input.model = "tiny";
  input.source = "Yes.";
  EXPECT_EQ(FieldOf(AlignWords(engine_.get(), input).status()), "target");
  input.target = "Oui.";
  input.min_score = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(FieldOf(AlignWords(engine_.get(), input).status()), "min_score");
}

TEST_F(EngineErrors, WhatALoadReports) {
  const std::string directory = CopyModel("report");
  std::string vocabulary = ReadText(directory + "/vocab.json");
  vocabulary.replace(vocabulary.rfind('}'), 1, ", \"one too many\": 320}");
  Write(directory, "vocab.json", vocabulary);
  AddModel("report", directory);
  const LoadReport load = engine_->GetModel("report")->load;
  EXPECT_EQ(static_cast<int64_t>(load.used.size()), load.num_tensors);
  EXPECT_EQ(load.used[0].name, "model.shared.weight");
  EXPECT_EQ(load.used[0].type, "F32");
  EXPECT_EQ(load.used[0].stored_bytes, 320 * 32 * 4);
  EXPECT_EQ(load.stored_bytes, 4 * load.num_parameters);
  EXPECT_TRUE(load.tied.empty());
  EXPECT_TRUE(load.ignored.empty());
  ASSERT_EQ(load.pieces.size(), 2u);
  EXPECT_EQ(load.pieces[0].file, "source.spm");
  EXPECT_EQ(load.pieces[0].num_known, load.pieces[0].num_pieces);
  ASSERT_EQ(load.notes.size(), 1u);
  EXPECT_NE(load.notes[0].find("'one too many': 320"), std::string::npos) << load.notes[0];
}

TEST_F(EngineErrors, FoldersWhosePartsDisagree) {
  const auto load_fails = [&](const std::string& name, const std::string& directory,
                              const std::string& mention) {
    ASSERT_TRUE(engine_->Register(name, directory).ok());
    const absl::Status status = engine_->Load(name);
    ASSERT_FALSE(status.ok());
    EXPECT_NE(std::string(status.message()).find(mention), std::string::npos) << status;
    // A program reads the cause from the detail.
    EXPECT_NE(ReasonOf(status), "") << status;
  };
  std::string directory = CopyModel("presets");
  Write(directory, "attention_presets.json",
        R"({"alignment": {"kind": "cross", "heads": [[7, 0]]}})");
  load_fails("presets", directory, "[7, 0]");

  directory = CopyModel("other_pieces");
  std::filesystem::copy_file(std::string(ATTEND_SOURCE_DIR) + "/models/en-fr/target.spm",
                             directory + "/target.spm",
                             std::filesystem::copy_options::overwrite_existing);
  load_fails("other_pieces", directory, "target.spm: expected a model of which at least half");

  directory = CopyModel("other_end");
  Write(directory, "generation_config.json", R"({"eos_token_id": 5})");
  load_fails("other_end", directory,
             "tokenizer: expected end token 5, as the generation options have it, found 0");

  directory = CopyModel("short");
  Write(directory, "tokenizer_config.json", R"({"model_max_length": 1})");
  load_fails("short", directory, "model_max_length: expected more than 1 tokens");
  // [CLS] and [SEP] leave no room for a word.
  const std::string bert = temporary_.path() + "/bert";
  std::filesystem::copy(ATTEND_SOURCE_DIR "/tests/golden/minilm_tiny/model", bert,
                        std::filesystem::copy_options::recursive);
  Write(bert, "tokenizer_config.json", R"({"model_max_length": 2})");
  load_fails("narrow", bert, "model_max_length: expected more than 2 tokens");

  directory = CopyModel("generation_list");
  Write(directory, "generation_config.json", "[]");
  load_fails("generation_list", directory,
             "generation_config.json: expected an object, found an array");

  directory = CopyModel("pointer");
  Write(directory, "model.safetensors",
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n");
  load_fails("pointer", directory, "model.safetensors: is a Git LFS pointer");

  directory = CopyModel("weights");
  std::filesystem::resize_file(directory + "/model.safetensors", 100000);
  load_fails("weights", directory, "model.safetensors");

  directory = CopyModel("overflow");
  std::string weights = ReadText(directory + "/model.safetensors");
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, weights.data(), sizeof(header_bytes));
  const auto header = Json::Parse(weights.substr(8, header_bytes), "header");
  ASSERT_TRUE(header.ok());
  const std::vector<int64_t> offsets =
      *header->Get("model.shared.weight")->Get("data_offsets")->AsInts();
  const float large = 1e30f;  // finite, but not its square
  for (int64_t at = offsets[0]; at < offsets[1]; at += 4)
    std::memcpy(&weights[8 + header_bytes + static_cast<size_t>(at)], &large, 4);
  Write(directory, "model.safetensors", weights);
  load_fails("overflow", directory, "warm-up: expected finite log-probabilities, found ");

  directory = CopyModel("no_tokenizer");
  std::filesystem::remove(directory + "/source.spm");
  load_fails("no_tokenizer", directory, "source.spm");
}

}  // namespace
}  // namespace attend
