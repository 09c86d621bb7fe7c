// Attention end to end: equal to the reference, and sound in every shape.
#include <algorithm>
#include <cmath>

#include "tests/engine/door/engine_fixture.h"

namespace attend {
namespace {

class AttentionTest : public EngineTest {};

void ExpectMatrix(const AttentionMatrix& matrix, const Json& rows) {
  const std::vector<Json> golden_rows = rows.Elements();
  ASSERT_EQ(static_cast<size_t>(matrix.rows), golden_rows.size());
  size_t cell = 0;
  for (const Json& row : golden_rows) {
    const std::vector<Json> values = row.Elements();
    ASSERT_EQ(static_cast<size_t>(matrix.columns), values.size());
    for (const Json& value : values) ASSERT_NEAR(matrix.weights[cell++], *value.AsNumber(), 1e-4);
  }
}

TEST_F(AttentionTest, EqualsTheReference) {
  const std::vector<std::pair<AttentionKind, const char*>> kinds = {
      {AttentionKind::kEncoderSelf, "encoder"},
      {AttentionKind::kDecoderSelf, "decoder"},
      {AttentionKind::kCross, "cross"}};
  int compared = 0;
  for (const Json& single : GoldenJson("forward.json").Get("single")->Elements()) {
    if (!single.Has("attentions") || *single.Get("attentions")->GetString("kind") != "full")
      continue;
    AttentionInput input = SourceInput(">>fra<< " + *single.GetString("text"), {});
    for (const auto& [kind, name] : kinds) input.selection.kinds.push_back(kind);
    input.target = *single.GetString("target");
    input.selection.reduction = AttentionReduction::kNone;
    const auto output = GetAttention(engine_.get(), input);
    ASSERT_TRUE(output.ok()) << output.status();
    const AttentionResult& attention = output->attention;
    EXPECT_EQ(attention.target_text, *input.target);
    const std::vector<int64_t> source_ids = *single.Get("input_ids")->AsInts();
    ASSERT_EQ(attention.source_tokens.size(), source_ids.size());
    for (size_t i = 0; i < source_ids.size(); ++i)
      EXPECT_EQ(attention.source_tokens[i].id, source_ids[i]);
    // Row i wrote target token i, whose input was the token before.
    const std::vector<int64_t> decoder_ids = *single.Get("decoder_input_ids")->AsInts();
    ASSERT_EQ(attention.target_tokens.size(), decoder_ids.size());
    for (size_t i = 1; i < decoder_ids.size(); ++i)
      EXPECT_EQ(attention.target_tokens[i - 1].id, decoder_ids[i]);
    size_t next = 0;
    for (const auto& [kind, name] : kinds) {
      const std::vector<Json> layers = single.Get("attentions")->Get(name)->Elements();
      for (size_t l = 0; l < layers.size(); ++l) {
        const std::vector<Json> heads = layers[l].Elements();
        for (size_t h = 0; h < heads.size(); ++h, ++next) {
          ASSERT_LT(next, attention.matrices.size());
          EXPECT_EQ(attention.matrices[next].kind, kind);
          EXPECT_EQ(*attention.matrices[next].head,
                    (HeadIndex{static_cast<int>(l), static_cast<int>(h)}));
          ExpectMatrix(attention.matrices[next], heads[h]);
          ++compared;
        }
      }
    }
    EXPECT_EQ(next, attention.matrices.size());
  }
  EXPECT_GE(compared, 48);
}

TEST_F(AttentionTest, MeanIsTheMeanOfAll) {
  AttentionInput input = SourceInput("The cat sat on the mat.", {AttentionKind::kCross});
  input.target = "Le chat est assis.";
  input.selection.reduction = AttentionReduction::kNone;
  const auto all = GetAttention(engine_.get(), input);
  input.selection.reduction = AttentionReduction::kMean;
  const auto mean = GetAttention(engine_.get(), input);
  ASSERT_TRUE(all.ok() && mean.ok());
  ASSERT_EQ(mean->attention.matrices.size(), 1u);
  for (size_t i = 0; i < mean->attention.matrices[0].weights.size(); ++i) {
    float sum = 0;
    for (const AttentionMatrix& matrix : all->attention.matrices) sum += matrix.weights[i];
    EXPECT_NEAR(mean->attention.matrices[0].weights[i],
                sum / static_cast<float>(all->attention.matrices.size()), 1e-6);
  }
}

TEST_F(AttentionTest, RowsSumToOneInEveryShape) {
  for (AttentionReduction reduction :
       {AttentionReduction::kNone, AttentionReduction::kMean, AttentionReduction::kRollout}) {
    for (AttentionGranularity granularity :
         {AttentionGranularity::kToken, AttentionGranularity::kWord}) {
      AttentionInput input =
          SourceInput("My brother reads the question.",
                      {AttentionKind::kEncoderSelf, AttentionKind::kDecoderSelf});
      if (reduction != AttentionReduction::kRollout)
        input.selection.kinds.push_back(AttentionKind::kCross);
      input.target = "Mon frère lit la question.";
      input.selection.reduction = reduction;
      input.selection.granularity = granularity;
      input.selection.drop_special = true;
      const auto output = GetAttention(engine_.get(), input);
      ASSERT_TRUE(output.ok()) << output.status();
      const AttentionResult& a = output->attention;
      for (const AttentionMatrix& matrix : a.matrices) {
        const bool words = granularity == AttentionGranularity::kWord;
        const size_t source = words ? a.source_words.size() : a.source_tokens.size();
        const size_t target = words ? a.target_words.size() : a.target_tokens.size();
        EXPECT_EQ(static_cast<size_t>(matrix.rows),
                  matrix.kind == AttentionKind::kEncoderSelf ? source : target);
        EXPECT_EQ(static_cast<size_t>(matrix.columns),
                  matrix.kind == AttentionKind::kDecoderSelf ? target : source);
        for (int r = 0; r < matrix.rows; ++r) {
          float sum = 0;
          for (int c = 0; c < matrix.columns; ++c)
            sum += matrix.weights[static_cast<size_t>(r * matrix.columns + c)];
          EXPECT_NEAR(sum, 1.0f, 1e-4f);
        }
      }
      for (const AttendedToken& token : a.source_tokens) EXPECT_FALSE(token.special);
    }
  }
}

TEST_F(AttentionTest, TheModelWritesAMissingTarget) {
  TranslateInput translate;
  translate.model = "tiny";
  translate.texts = {"The cat sat on the mat."};
  const auto translated = Translate(engine_.get(), translate);
  ASSERT_TRUE(translated.ok());
  const auto output =
      GetAttention(engine_.get(), SourceInput(translate.texts[0], {AttentionKind::kCross}));
  ASSERT_TRUE(output.ok()) << output.status();
  EXPECT_EQ(output->attention.target_text, translated->outcomes[0].translation.text);
  EXPECT_EQ(static_cast<int64_t>(output->attention.target_tokens.size()),
            translated->outcomes[0].translation.output_tokens);
  EXPECT_TRUE(output->attention.target_tokens[0].log_prob.has_value());
  EXPECT_GT(output->usage.attention, absl::ZeroDuration());
  EXPECT_GT(output->usage.output_tokens, 0);
}

TEST_F(AttentionTest, EncoderSelfRunsNoDecoder) {
  const auto output =
      GetAttention(engine_.get(), SourceInput("The cat sat.", {AttentionKind::kEncoderSelf}));
  ASSERT_TRUE(output.ok()) << output.status();
  EXPECT_TRUE(output->attention.target_tokens.empty());
  EXPECT_EQ(output->usage.output_tokens, 0);
  EXPECT_EQ(output->attention.matrices[0].rows,
            static_cast<int>(output->attention.source_tokens.size()));
}

TEST_F(AttentionTest, SparseKeepsTheLargest) {
  AttentionInput input = SourceInput("The cat sat on the mat.", {AttentionKind::kCross});
  input.target = "Le chat.";
  const auto dense = GetAttention(engine_.get(), input);
  input.selection.top_k = 3;
  const auto sparse = GetAttention(engine_.get(), input);
  ASSERT_TRUE(dense.ok() && sparse.ok());
  const AttentionMatrix& d = dense->attention.matrices[0];
  const AttentionMatrix& s = sparse->attention.matrices[0];
  ASSERT_TRUE(s.sparse);
  ASSERT_EQ(s.row_offsets.size(), static_cast<size_t>(s.rows) + 1);
  for (int r = 0; r < s.rows; ++r) {
    std::vector<float> row(d.weights.begin() + r * d.columns,
                           d.weights.begin() + (r + 1) * d.columns);
    const uint32_t begin = s.row_offsets[static_cast<size_t>(r)];
    ASSERT_EQ(s.row_offsets[static_cast<size_t>(r) + 1] - begin, 3u);
    for (uint32_t e = begin; e < begin + 3; ++e) EXPECT_EQ(s.weights[e], row[s.column_indices[e]]);
    std::sort(row.rbegin(), row.rend());
    for (uint32_t e = 0; e < 3; ++e) EXPECT_EQ(s.weights[begin + e], row[e]);
  }
}

TEST_F(AttentionTest, FoldedAttentionOfATranslationIsThatOfItsBestHypothesis) {
  TranslateInput translate = TextsInput({"Yes.\nThe cat sat on the mat."}, 4);
  translate.attention.emplace();
  translate.attention->kinds = {AttentionKind::kCross};
  const auto translated = Translate(engine_.get(), translate);
  ASSERT_TRUE(translated.ok()) << translated.status();
  ASSERT_TRUE(translated->outcomes[0].status.ok()) << translated->outcomes[0].status;
  const Translation& translation = translated->outcomes[0].translation;
  ASSERT_EQ(translation.attentions.size(), 2u);
  for (size_t s = 0; s < 2; ++s) {
    const SentencePair& pair = translation.sentences[s];
    AttentionInput input = SourceInput(
        translate.texts[0].substr(pair.source.begin, pair.source.size()), {AttentionKind::kCross});
    const auto alone = GetAttention(engine_.get(), input);
    ASSERT_TRUE(alone.ok());
    EXPECT_EQ(alone->attention.target_text,
              translation.text.substr(pair.target.begin, pair.target.size()));
    const AttentionResult& a = translation.attentions[s];
    ASSERT_EQ(a.matrices[0].weights.size(), alone->attention.matrices[0].weights.size());
    for (size_t i = 0; i < a.matrices[0].weights.size(); ++i) {
      EXPECT_NEAR(a.matrices[0].weights[i], alone->attention.matrices[0].weights[i], 1e-5);
    }
    // Spans count in the whole text.
    for (size_t t = 0; t < a.source_tokens.size(); ++t) {
      if (a.source_tokens[t].special) continue;
      EXPECT_EQ(a.source_tokens[t].span.begin,
                alone->attention.source_tokens[t].span.begin + pair.source.begin);
    }
    for (size_t t = 0; t < a.target_tokens.size(); ++t) {
      if (a.target_tokens[t].special) continue;
      EXPECT_EQ(a.target_tokens[t].span.begin,
                alone->attention.target_tokens[t].span.begin + pair.target.begin);
    }
    for (const AttendedWord& word : a.target_words) {
      EXPECT_EQ(translation.text.substr(word.span.begin, word.span.size()), word.text);
    }
  }
}

TEST_F(AttentionTest, WordLinksAreSound) {
  TranslateInput input =
      TextsInput({"The cat sat on the mat. Where is the old bridge?", "Yes."}, 2);
  input.include_word_links = true;
  input.include_tokens = true;
  const auto output = Translate(engine_.get(), input);
  ASSERT_TRUE(output.ok()) << output.status();
  for (size_t i = 0; i < 2; ++i) {
    const Translation& t = output->outcomes[i].translation;
    EXPECT_FALSE(t.links.empty());
    for (const AttendedWord& word : t.source_words) {
      EXPECT_EQ(input.texts[i].substr(word.span.begin, word.span.size()), word.text);
    }
    for (const AttendedWord& word : t.target_words) {
      EXPECT_EQ(t.text.substr(word.span.begin, word.span.size()), word.text);
    }
    for (size_t l = 0; l < t.links.size(); ++l) {
      const WordLink& link = t.links[l];
      ASSERT_LT(static_cast<size_t>(link.source_word), t.source_words.size());
      ASSERT_LT(static_cast<size_t>(link.target_word), t.target_words.size());
      EXPECT_GT(link.score, 0.0f);
      EXPECT_LE(link.score, 1.0f);
      if (l > 0) {
        EXPECT_LT(std::make_pair(t.links[l - 1].target_word, t.links[l - 1].source_word),
                  std::make_pair(link.target_word, link.source_word));
      }
    }
    for (const AttendedToken& token : t.hypotheses[0].tokens) {
      if (token.word < 0) continue;
      const ByteSpan word = t.target_words[static_cast<size_t>(token.word)].span;
      EXPECT_LT(token.span.begin, word.end);
      EXPECT_GT(token.span.end, word.begin);
    }
  }
  // Links stay within their sentence.
  const Translation& two = output->outcomes[0].translation;
  for (const WordLink& link : two.links) {
    const bool source_first = two.source_words[static_cast<size_t>(link.source_word)].span.begin <
                              two.sentences[1].source.begin;
    const bool target_first = two.target_words[static_cast<size_t>(link.target_word)].span.begin <
                              two.sentences[1].target.begin;
    EXPECT_EQ(source_first, target_first);
  }
}

TEST_F(AttentionTest, AlignWordsEqualsTheLinksOfATranslation) {
  TranslateInput translate = TextsInput({"The cat sat on the mat."}, 4);
  translate.include_word_links = true;
  const auto translated = Translate(engine_.get(), translate);
  ASSERT_TRUE(translated.ok());
  AlignInput input;
  input.model = "tiny";
  input.source = translate.texts[0];
  input.target = translated->outcomes[0].translation.text;
  input.source_language = "en-GB";
  const auto aligned = AlignWords(engine_.get(), input);
  ASSERT_TRUE(aligned.ok()) << aligned.status();
  ASSERT_EQ(aligned->target_words.size(), translated->outcomes[0].translation.target_words.size());
  EXPECT_FALSE(aligned->links.empty());
  input.min_score = 0.5f;
  const auto strong = AlignWords(engine_.get(), input);
  ASSERT_TRUE(strong.ok());
  size_t expected = 0;
  for (const WordLink& link : aligned->links) expected += link.score >= 0.5f ? 1 : 0;
  EXPECT_EQ(strong->links.size(), expected);
}

TEST_F(AttentionTest, TokensAndDetokenization) {
  const std::string text = "The café's naïve owner.";
  const auto tokens = engine_->Tokenize("tiny", text, false);
  ASSERT_TRUE(tokens.ok());
  EXPECT_TRUE(tokens->back().special);
  const auto ordinary = engine_->Tokenize("tiny", text, true);
  EXPECT_EQ(ordinary->size() + 1, tokens->size());
  for (const AttendedToken& token : *ordinary) EXPECT_LE(token.span.end, text.size());
  std::vector<int32_t> ids;
  const auto sentence = engine_->Tokenize("tiny", "The cat sat.", false);
  for (const AttendedToken& token : *sentence) ids.push_back(token.id);
  EXPECT_EQ(*engine_->Detokenize("tiny", ids, false), "The cat sat.");
  EXPECT_NE(engine_->Detokenize("tiny", ids, true)->find("</s>"), std::string::npos);
  EXPECT_EQ(FieldOf(engine_->Detokenize("tiny", {2, 320}, false).status()), "ids[1]");
  EXPECT_EQ(Engine::SplitSentences("Yes. No.", "en").size(), 2u);
}

TEST_F(AttentionTest, TheBundledModelServes) {
  const std::string directory = std::string(ATTEND_SOURCE_DIR) + "/models/en-fr";
  if (!std::filesystem::exists(directory + "/config.json")) GTEST_SKIP() << "no bundled model";
  AddModel("en-fr", directory);
  const ModelInfo info = *engine_->GetModel("en-fr");
  EXPECT_EQ(info.language_pairs.at(0).source, "en");
  EXPECT_EQ(info.language_pairs.at(0).target, "fr");
  TranslateInput input;
  input.model = "en-fr";
  input.texts = {"The cat is sleeping on the chair.\n\nWhere is the station?"};
  input.include_word_links = true;
  const auto output = Translate(engine_.get(), input);
  ASSERT_TRUE(output.ok()) << output.status();
  ASSERT_TRUE(output->outcomes[0].status.ok()) << output->outcomes[0].status;
  const Translation& translation = output->outcomes[0].translation;
  EXPECT_NE(translation.text.find("\n\n"), std::string::npos);
  EXPECT_GE(translation.links.size(), 4u);
  std::string streamed;
  input.on_delta = [&](const std::string& delta) { streamed += delta; };
  ASSERT_TRUE(Translate(engine_.get(), input).ok());
  EXPECT_EQ(streamed, translation.text);
}

}  // namespace
}  // namespace attend
