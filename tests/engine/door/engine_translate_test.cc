// Translation end to end: the reference's own results, layout, hypotheses, overflow and streams.
#include <algorithm>
#include <cmath>
#include <future>
#include <thread>

#include "engine/text/offset_map.h"  // IsValidUtf8
#include "tests/engine/door/engine_fixture.h"

namespace attend {
namespace {

class TranslateTest : public EngineTest {};

// generate()'s arguments as a caller would give them; nullopt for those that a caller cannot set.
std::optional<GenerationOverrides> OverridesOf(const Json& params) {
  GenerationOverrides out;
  for (const std::string& key : params.Keys()) {
    if (key == "num_beams") {
      out.num_beams = static_cast<int>(*params.GetInt(key));
    } else if (key == "num_return_sequences") {
      out.num_return_sequences = static_cast<int>(*params.GetInt(key));
    } else if (key == "max_length") {
      out.max_new_tokens = static_cast<int>(*params.GetInt(key)) - 1;
    } else if (key == "max_new_tokens") {
      out.max_new_tokens = static_cast<int>(*params.GetInt(key));
    } else if (key == "no_repeat_ngram_size") {
      out.no_repeat_ngram_size = static_cast<int>(*params.GetInt(key));
    } else if (key == "repetition_penalty") {
      out.repetition_penalty = static_cast<float>(*params.GetNumber(key));
    } else if (key == "length_penalty") {
      out.length_penalty = static_cast<float>(*params.GetNumber(key));
    } else if (key == "early_stopping") {
      if (const auto name = params.GetString(key); name.ok()) {
        out.early_stopping = EarlyStopping::kNever;
      } else {
        out.early_stopping = *params.GetBool(key) ? EarlyStopping::kTrue : EarlyStopping::kFalse;
      }
    } else {
      return std::nullopt;
    }
  }
  return out;
}

TEST_F(TranslateTest, EqualsTheReference) {
  const Json golden = GoldenJson("generate.json");
  const std::vector<Json> inputs = golden.Get("inputs")->Elements();
  int compared = 0;
  for (const Json& a_case : golden.Get("cases")->Elements()) {
    const auto overrides = OverridesOf(*a_case.Get("params"));
    if (!overrides) continue;
    const std::string name = *a_case.GetString("name");
    for (const Json& result : a_case.Get("results")->Elements()) {
      if (!*result.GetBoolOr("stable", true)) continue;
      TranslateInput input;
      input.model = "tiny";
      input.texts = {*inputs[static_cast<size_t>(*result.GetInt("input"))].GetString("text")};
      input.decoding = *overrides;
      const auto output = Translate(engine_.get(), input);
      ASSERT_TRUE(output.ok()) << output.status();
      ASSERT_TRUE(output->outcomes[0].status.ok()) << output->outcomes[0].status;
      const Translation& translation = output->outcomes[0].translation;
      const std::vector<Json> texts = result.Get("text")->Elements();
      ASSERT_EQ(translation.hypotheses.size(), texts.size()) << name;
      for (size_t h = 0; h < texts.size(); ++h) {
        EXPECT_EQ(translation.hypotheses[h].text, *texts[h].AsString())
            << name << " " << input.texts[0];
        if (!result.Has("sequences_scores")) continue;
        const double score = *result.Get("sequences_scores")->Elements()[h].AsNumber();
        EXPECT_NEAR(translation.hypotheses[h].score, score, 1e-3) << name;
      }
      ++compared;
    }
  }
  EXPECT_GT(compared, 40);
}

TEST_F(TranslateTest, LargeCallsDoNotHoldTheCallersThread) {
  // Both are refused while they are prepared, so `done` tells where that was.
  const auto prepared_here = [this](size_t bytes) {
    TranslateInput input = TextsInput({std::string(bytes, 'a')});
    input.overflow = OverflowPolicy::kReject;
    std::promise<std::thread::id> thread;
    engine_->Translate(std::move(input), {}, [&](const absl::StatusOr<TranslateOutput>& output) {
      EXPECT_EQ(ReasonOf(output->outcomes[0].status), "INPUT_TOO_LONG");
      thread.set_value(std::this_thread::get_id());
    });
    return thread.get_future().get() == std::this_thread::get_id();
  };
  EXPECT_TRUE(prepared_here(2000));
  EXPECT_FALSE(prepared_here(200000));
}

TEST_F(TranslateTest, ManyTextsKeepTheirOrderAndEqualSingleCalls) {
  const std::vector<std::string> texts = {"The cat sat on the mat.", "", "Where is the old bridge?",
                                          "  \n", "My brother reads the question to the children."};
  const auto together = Translate(engine_.get(), TextsInput(texts, 4));
  ASSERT_TRUE(together.ok()) << together.status();
  ASSERT_EQ(together->outcomes.size(), texts.size());
  EXPECT_EQ(together->model, "tiny");
  EXPECT_EQ(together->revision, engine_->GetModel("tiny")->revision);
  for (size_t i = 0; i < texts.size(); ++i) {
    const auto alone = Translate(engine_.get(), TextsInput({texts[i]}, 4));
    ASSERT_TRUE(together->outcomes[i].status.ok());
    EXPECT_EQ(together->outcomes[i].translation.text, alone->outcomes[0].translation.text);
  }
  for (size_t blank : {1, 3}) {
    EXPECT_EQ(together->outcomes[blank].translation.text, "");
    EXPECT_EQ(together->outcomes[blank].translation.output_tokens, 0);
    EXPECT_EQ(together->outcomes[blank].translation.num_segments, 0);
  }
  EXPECT_GT(together->usage.input_tokens, 30);
  EXPECT_GT(together->usage.output_tokens, 10);
  // How many met in a step is a matter of time (engine_loop_test holds the loop to know).
  EXPECT_GE(together->usage.peak_batch_items, 1);
  EXPECT_LE(together->usage.peak_batch_items, 3);
}

TEST_F(TranslateTest, LayoutIsKept) {
  const std::string text = "\n  The cat sat on the mat.\n\n\tYes.  Where is the old bridge?\n";
  const auto output = Translate(engine_.get(), TextsInput({text}));
  ASSERT_TRUE(output.ok());
  const Translation& translation = output->outcomes[0].translation;
  ASSERT_EQ(translation.sentences.size(), 3u);
  EXPECT_EQ(translation.num_segments, 3);
  const auto part = [&](size_t s) {
    const ByteSpan span = translation.sentences[s].target;
    return translation.text.substr(span.begin, span.size());
  };
  EXPECT_EQ(translation.text, "\n  " + part(0) + "\n\n\t" + part(1) + "  " + part(2) + "\n");
  const std::vector<std::string> sentences = {"The cat sat on the mat.", "Yes.",
                                              "Where is the old bridge?"};
  double weighted = 0;
  for (size_t s = 0; s < 3; ++s) {
    const ByteSpan span = translation.sentences[s].source;
    EXPECT_EQ(text.substr(span.begin, span.size()), sentences[s]);
    const auto alone = Translate(engine_.get(), TextsInput({sentences[s]}));
    EXPECT_EQ(part(s), alone->outcomes[0].translation.text);
    EXPECT_DOUBLE_EQ(translation.sentences[s].score,
                     alone->outcomes[0].translation.hypotheses[0].score);
    weighted += translation.sentences[s].score *
                static_cast<double>(alone->outcomes[0].translation.output_tokens);
  }
  EXPECT_NEAR(translation.hypotheses[0].score,
              weighted / static_cast<double>(translation.output_tokens), 1e-9);
}

TEST_F(TranslateTest, HypothesesOfSeveralSentencesAreJoinedByRank) {
  TranslateInput input = TextsInput({"The cat sat on the mat. Yes."}, 3);
  input.decoding.num_return_sequences = 3;
  input.decoding.max_new_tokens = 20;
  const auto both = Translate(engine_.get(), input);
  ASSERT_TRUE(both.ok());
  const auto& hypotheses = both->outcomes[0].translation.hypotheses;
  ASSERT_EQ(hypotheses.size(), 3u);
  input.texts = {"The cat sat on the mat."};
  const auto first = Translate(engine_.get(), input);
  input.texts = {"Yes."};
  const auto second = Translate(engine_.get(), input);
  for (size_t h = 0; h < 3; ++h) {
    EXPECT_EQ(hypotheses[h].text, first->outcomes[0].translation.hypotheses[h].text + " " +
                                      second->outcomes[0].translation.hypotheses[h].text);
  }
  EXPECT_EQ(both->outcomes[0].translation.text, hypotheses[0].text);
}

TEST_F(TranslateTest, ALowerRankNeverScoresHigher) {
  TranslateInput input = TextsInput(
      {"Where is the old bridge? Yes. My brother reads. The cat sat on the mat. No. He answers."},
      4);
  input.decoding.num_return_sequences = 4;
  for (const float length_penalty : {0.0f, 1.0f, 2.0f}) {
    input.decoding.length_penalty = length_penalty;
    const auto output = Translate(engine_.get(), input);
    ASSERT_TRUE(output.ok()) << output.status();
    const auto& hypotheses = output->outcomes[0].translation.hypotheses;
    ASSERT_EQ(hypotheses.size(), 4u);
    for (size_t h = 1; h < hypotheses.size(); ++h)
      EXPECT_GE(hypotheses[h - 1].score, hypotheses[h].score) << length_penalty << " rank " << h;
  }
}

TEST_F(TranslateTest, TokensTellTheirPlaceAndProbability) {
  TranslateInput input = TextsInput({"The cat sat on the mat.\nYes."}, 2);
  input.include_tokens = true;
  const auto output = Translate(engine_.get(), input);
  ASSERT_TRUE(output.ok());
  const TranslatedHypothesis& best = output->outcomes[0].translation.hypotheses[0];
  ASSERT_EQ(static_cast<int64_t>(best.tokens.size()),
            output->outcomes[0].translation.output_tokens);
  uint32_t last = 0;
  for (const AttendedToken& token : best.tokens) {
    ASSERT_TRUE(token.log_prob.has_value());
    EXPECT_LE(*token.log_prob, 0.0f);
    EXPECT_EQ(token.word, -1);
    if (token.special) continue;
    EXPECT_GE(token.span.begin, last);
    EXPECT_LE(token.span.end, best.text.size());
    last = token.span.begin;
  }
  EXPECT_TRUE(best.tokens.back().special);
}

TEST_F(TranslateTest, TargetPrefixBeginsTheTranslation) {
  TranslateInput input = TextsInput({"The cat sat on the mat. Yes."}, 2);
  input.target_prefix = "Mon frère";
  const auto output = Translate(engine_.get(), input);
  ASSERT_TRUE(output.ok()) << output.status();
  EXPECT_EQ(output->outcomes[0].translation.text.rfind("Mon frère", 0), 0u)
      << output->outcomes[0].translation.text;
  const auto without = Translate(engine_.get(), TextsInput({"Yes."}, 2));
  const std::string& text = output->outcomes[0].translation.text;
  const std::string& yes = without->outcomes[0].translation.text;
  ASSERT_GE(text.size(), yes.size());
  EXPECT_EQ(text.substr(text.size() - yes.size()), yes);  // the second sentence is free

  input.decoding.max_new_tokens = 2;
  const auto refused = Translate(engine_.get(), input);
  EXPECT_EQ(ReasonOf(refused.status()), "OPTION_OUT_OF_RANGE");
  EXPECT_EQ(FieldOf(refused.status()), "config.decoding.target_prefix");
}

TEST_F(TranslateTest, APrefixIsTextOfTheVocabulary) {
  TranslateInput input = TextsInput({"Yes."});
  for (const std::string prefix : {"Le </s>", "<pad> Le", "Le \xE7\x8C\xAB"}) {
    input.target_prefix = prefix;
    const auto refused = Translate(engine_.get(), input);
    EXPECT_EQ(refused.status().code(), absl::StatusCode::kInvalidArgument) << prefix;
    EXPECT_EQ(ReasonOf(refused.status()), "OPTION_OUT_OF_RANGE") << prefix;
    EXPECT_EQ(FieldOf(refused.status()), "config.decoding.target_prefix") << prefix;
  }
}

TEST_F(TranslateTest, OutputIsBoundedByTheInput) {
  // The tiny model's own maximum is 63 new tokens; "Yes." has 5 input tokens, so 47 are the most.
  TranslateInput input = TextsInput({"Yes."});
  input.decoding.min_new_tokens = 47;
  auto output = Translate(engine_.get(), input);
  ASSERT_TRUE(output.ok()) << output.status();
  const int64_t input_tokens = output->outcomes[0].translation.input_tokens;
  EXPECT_EQ(output->outcomes[0].translation.output_tokens,
            std::max<int64_t>(47, 3 * input_tokens + 32));
  input.decoding.min_new_tokens = 60;  // the caller's minimum counts more than our rule
  output = Translate(engine_.get(), input);
  EXPECT_GE(output->outcomes[0].translation.output_tokens, 60);
  input.decoding.min_new_tokens.reset();
  input.decoding.max_new_tokens = 3;
  output = Translate(engine_.get(), input);
  EXPECT_LE(output->outcomes[0].translation.output_tokens, 3);
}

std::string LongSentence() {
  std::string text = "The cat sat";
  for (int i = 0; i < 60; ++i) text += i % 10 == 9 ? ", the old bridge" : " and the cat sat";
  return text + ".";
}

TEST_F(TranslateTest, OverflowPolicies) {
  TranslateInput input = TextsInput({"Yes.", LongSentence()});
  input.decoding.max_new_tokens = 8;
  auto output = Translate(engine_.get(), input);
  ASSERT_TRUE(output.ok());
  ASSERT_TRUE(output->outcomes[1].status.ok()) << output->outcomes[1].status;
  EXPECT_GT(output->outcomes[1].translation.num_segments, 1);
  EXPECT_EQ(output->outcomes[1].translation.truncated_input_tokens, 0);
  EXPECT_EQ(output->outcomes[1].translation.sentences.back().source.end, LongSentence().size());

  input.overflow = OverflowPolicy::kReject;
  output = Translate(engine_.get(), input);
  ASSERT_TRUE(output.ok());
  EXPECT_TRUE(output->outcomes[0].status.ok());
  EXPECT_EQ(output->outcomes[1].status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReasonOf(output->outcomes[1].status), "INPUT_TOO_LONG");
  EXPECT_EQ(FieldOf(output->outcomes[1].status), "texts[1]");
  EXPECT_EQ(MetadataOf(output->outcomes[1].status, "limit"), "128");

  input.overflow = OverflowPolicy::kTruncate;
  output = Translate(engine_.get(), input);
  ASSERT_TRUE(output->outcomes[1].status.ok());
  EXPECT_EQ(output->outcomes[1].translation.num_segments, 1);
  EXPECT_GT(output->outcomes[1].translation.truncated_input_tokens, 0);
  EXPECT_EQ(output->outcomes[1].translation.input_tokens, 128);
  // The sentence that was translated ends where reading ended.
  const ByteSpan read = output->outcomes[1].translation.sentences[0].source;
  EXPECT_EQ(read.begin, 0u);
  EXPECT_GT(read.end, 100u);
  EXPECT_LT(read.end, LongSentence().size());
}

TEST_F(TranslateTest, OddTextsDoNoHarm) {
  std::string emoji, word(100000, 'x');
  for (int i = 0; i < 3000; ++i) emoji += "😀";
  const std::vector<std::string> texts = {std::string("a\0b", 3),
                                          "\xEF\xBB\xBF",
                                          "\xEF\xBB\xBFYes.",
                                          "\xE2\x80\x8F\xE2\x80\xAA"
                                          "abc",
                                          emoji,
                                          word,
                                          "\xE2\x80\x8B",
                                          "e\xCC\x81\xCC\x81\xCC\x81",
                                          "\r\n\r\n.\r\n",
                                          ">>fra<<",
                                          "</s>"};
  TranslateInput input = TextsInput(texts);
  input.decoding.max_new_tokens = 2;
  input.include_word_links = true;
  input.include_tokens = true;
  const auto output = Translate(engine_.get(), input);
  ASSERT_TRUE(output.ok()) << output.status();
  for (size_t i = 0; i < texts.size(); ++i) {
    EXPECT_TRUE(output->outcomes[i].status.ok()) << i << output->outcomes[i].status;
    EXPECT_TRUE(IsValidUtf8(output->outcomes[i].translation.text));
  }
}

TEST_F(TranslateTest, StreamedPiecesMakeTheText) {
  const std::vector<std::string> texts = {
      "The cat sat on the mat.",
      "\n The cat sat on the mat.\n\n Where is the old bridge?  Yes.\n",
      "😀 dog 中文 Qx. The café's naïve owner said: \"déjà vu\" — twice.",
      "Yes.",
      "",
      " \n",
      LongSentence()};
  for (const std::string& text : texts) {
    for (int beams : {1, 2, 4}) {
      for (int hypotheses : {1, beams}) {
        TranslateInput input = TextsInput({text}, beams);
        input.decoding.num_return_sequences = hypotheses;
        const auto whole = Translate(engine_.get(), input);
        std::string streamed;
        int deltas = 0;
        auto finished = std::make_shared<std::atomic<bool>>(false);
        input.on_delta = [&, finished](const std::string& delta) {
          EXPECT_FALSE(finished->load());
          EXPECT_TRUE(IsValidUtf8(delta));
          EXPECT_FALSE(delta.empty());
          streamed += delta;
          ++deltas;
        };
        const auto output = Translate(engine_.get(), input);
        finished->store(true);
        ASSERT_TRUE(output.ok()) << output.status();
        EXPECT_EQ(streamed, output->outcomes[0].translation.text) << beams << " " << text;
        EXPECT_EQ(streamed, whole->outcomes[0].translation.text);
        EXPECT_EQ(deltas == 0, streamed.empty());  // how many there are is a matter of timing
      }
    }
  }
}

TEST_F(TranslateTest, SamplingWithoutASeedDrawsAnew) {
  TranslateInput input = TextsInput({"The cat sat on the mat."});
  input.decoding.sampling.emplace();
  input.decoding.sampling->temperature = 5.0f;
  std::set<std::string> texts;
  for (int i = 0; i < 20; ++i)
    texts.insert(Translate(engine_.get(), input)->outcomes[0].translation.text);
  EXPECT_GT(texts.size(), 1u);
}

TEST_F(TranslateTest, SamplesOfOneCallAreDrawnApart) {
  const std::string sentence = "The cat sat on the mat.";
  TranslateInput input = TextsInput({sentence + "\n" + sentence, sentence, sentence});
  input.decoding.sampling.emplace();
  input.decoding.sampling->temperature = 5.0f;
  const auto unseeded = Translate(engine_.get(), input);
  ASSERT_TRUE(unseeded.ok()) << unseeded.status();
  EXPECT_NE(unseeded->outcomes[1].translation.text, unseeded->outcomes[2].translation.text);

  // With a seed a text gives the same wherever it stands; its sentences differ all the same.
  input.decoding.sampling->seed = 17;
  const auto seeded = Translate(engine_.get(), input);
  ASSERT_TRUE(seeded.ok()) << seeded.status();
  const std::string& alone = seeded->outcomes[1].translation.text;
  EXPECT_EQ(alone, seeded->outcomes[2].translation.text);
  const std::string& twice = seeded->outcomes[0].translation.text;
  EXPECT_EQ(twice.substr(0, twice.find('\n')), alone);
  EXPECT_NE(twice, alone + "\n" + alone);
}

TEST_F(TranslateTest, SamplingIsRepeatable) {
  TranslateInput input = TextsInput({"The cat sat on the mat."});
  input.decoding.sampling.emplace();
  input.decoding.sampling->seed = 17;
  input.decoding.num_beams.reset();
  const auto first = Translate(engine_.get(), input);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->outcomes[0].translation.text,
            Translate(engine_.get(), input)->outcomes[0].translation.text);
}

}  // namespace
}  // namespace attend
