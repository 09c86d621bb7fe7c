// Scores and finish reasons of a text of several sentences are folded from its sentences': the
// score is the mean over them, weighted by the length of each sentence's best hypothesis (one
// weight for all ranks, so that a lower rank never scores higher), and the text ended as the worst
// of them did.
#include "engine/tasks/translation_parts.h"

#include <algorithm>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/error.h"
#include "engine/base/status_macros.h"
#include "engine/tasks/call_checks.h"

namespace attend {
namespace {

const Hypothesis& Ranked(const GenerationResult& result, size_t rank) {
  return result.hypotheses[std::min(rank, result.hypotheses.size() - 1)];
}

absl::StatusOr<std::vector<int32_t>> PrefixTokens(const TaskModel& model,
                                                  const EngineLimits& limits,
                                                  const TargetStart& start,
                                                  const std::string& field) {
  std::vector<int32_t> ids;
  if (start.prefix.empty()) return ids;
  ATTEND_RETURN_IF_ERROR(CheckText(start.prefix, limits, field));
  const auto encode = [&](std::string_view text) {
    return start.language != nullptr
               ? model.tokenizer->EncodeIn(text, TextSide::kTarget, *start.language)
               : model.tokenizer->Encode(text, TextSide::kTarget);
  };
  // What stands around every text is the tokenizer's own: a language token before it, the end.
  const EncodedText empty = encode("");
  const EncodedText encoded = encode(start.prefix);
  const size_t num_end = std::min(encoded.num_end_tokens, encoded.tokens.size());
  for (size_t i = 0; i + num_end < encoded.tokens.size(); ++i) {
    const EncodedToken& token = encoded.tokens[i];
    const bool leads =
        i + std::min(empty.num_end_tokens, empty.tokens.size()) < empty.tokens.size() &&
        empty.tokens[i].id == token.id;
    if (model.tokenizer->IsSpecial(token.id) && !leads) {
      return InvalidField("OPTION_OUT_OF_RANGE", field,
                          absl::StrCat("the prefix holds what the model cannot write: '",
                                       token.piece, "' is no text of its vocabulary"));
    }
    ids.push_back(token.id);
  }
  ATTEND_RETURN_IF_ERROR(CheckVocabulary(ids, model.spec->target_vocab_size, model));
  return ids;
}

// Spreads small numbers over all bits (the finaliser of SplitMix64); 0 stays 0.
uint64_t Mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

// Worse ends count more.
int Severity(FinishReason reason) {
  switch (reason) {
    case FinishReason::kEos:
      return 0;
    case FinishReason::kLength:
      return 1;
    case FinishReason::kRepetition:
      return 2;
  }
  return 0;
}

// Tokens of one hypothesis of the whole text. Words are numbered only where the answer lists them.
void AppendTokens(const TextAxis& axis, int first_word, bool with_words,
                  std::vector<AttendedToken>* out) {
  for (const AttendedToken& token : axis.tokens) {
    out->push_back(token);
    out->back().word = with_words && token.word >= 0 ? token.word + first_word : -1;
  }
}

void AppendLinks(ForcedReading* reading, Translation* out) {
  const int first_source = static_cast<int>(out->source_words.size());
  const int first_target = static_cast<int>(out->target_words.size());
  for (WordLink link : reading->TakeLinks()) {
    link.source_word += first_source;
    link.target_word += first_target;
    out->links.push_back(link);
  }
  const auto& source = reading->source().words;
  const auto& target = reading->target().words;
  out->source_words.insert(out->source_words.end(), source.begin(), source.end());
  out->target_words.insert(out->target_words.end(), target.begin(), target.end());
}

TranslatedHypothesis AssembleHypothesis(const TextWork& work, size_t rank, const JoinedText& joined,
                                        const Tokenizer& tokenizer, const TranslationShape& shape) {
  TranslatedHypothesis out;
  out.text = joined.text;
  double weighted = 0;
  double length = 0;
  int first_word = 0;
  for (size_t s = 0; s < work.segments.size(); ++s) {
    const Hypothesis& hypothesis = Ranked(work.results[s], rank);
    const double tokens =
        static_cast<double>(std::max<size_t>(1, Ranked(work.results[s], 0).tokens.size()));
    weighted += hypothesis.score * tokens;
    length += tokens;
    if (Severity(hypothesis.finish_reason) > Severity(out.finish_reason)) {
      out.finish_reason = hypothesis.finish_reason;
    }
    if (!shape.include_tokens) continue;
    const TextAxis axis = AxisOfDecoded(tokenizer, hypothesis.tokens, joined.parts[s],
                                        hypothesis.log_probs, joined.offsets[s]);
    AppendTokens(axis, first_word, shape.include_word_links && rank == 0, &out.tokens);
    first_word += static_cast<int>(axis.words.size());
  }
  out.score = length > 0 ? weighted / length : 0;
  return out;
}

}  // namespace

absl::StatusOr<GenerationOptions> PrepareOptions(const TaskModel& model, const EngineLimits& limits,
                                                 const GenerationOverrides& overrides,
                                                 const TargetStart& start, std::string_view field) {
  const std::string path(field);
  GenerationLimits generation_limits;
  generation_limits.max_num_beams = limits.max_num_beams;
  generation_limits.max_target_positions =
      static_cast<int>(model.spec->decoder.max_position_embeddings);
  generation_limits.vocab_size = model.spec->target_vocab_size;
  auto options = ResolveGenerationOptions(*model.generation, overrides, generation_limits);
  if (!options.ok()) return WithFieldPrefix(options.status(), path + ".");
  // No seed: each call draws its own, so that asking twice samples twice.
  if (options->sampling && !(overrides.sampling && overrides.sampling->seed)) {
    options->sampling->seed = std::random_device()();
    options->sampling->seed_is_drawn = true;
  }
  ATTEND_ASSIGN_OR_RETURN(options->prefix_tokens,
                          PrefixTokens(model, limits, start, path + ".target_prefix"));
  if (start.language != nullptr) options->forced_bos_token_id = start.language->id;
  if (static_cast<int64_t>(options->prefix_tokens.size()) + 2 > options->max_length) {
    return InvalidField(
        "OPTION_OUT_OF_RANGE", path + ".target_prefix",
        absl::StrCat("the prefix has ", options->prefix_tokens.size(), " tokens and at most ",
                     options->max_length - 1, " may be written"));
  }
  return *std::move(options);
}

GenerationOptions OptionsOfSegment(const GenerationOptions& options,
                                   const GenerationOverrides& overrides, int64_t num_input_tokens,
                                   SegmentPlace place) {
  GenerationOptions out = options;
  if (place.segment > 0) out.prefix_tokens.clear();
  if (out.sampling) {
    // With the caller's seed a text gives the same whatever texts are beside it.
    const bool seeded = overrides.sampling && overrides.sampling->seed;
    const uint64_t text = seeded ? 0 : static_cast<uint64_t>(place.text);
    out.sampling->seed ^= Mix(text << 32 | static_cast<uint64_t>(place.segment));
  }
  if (overrides.max_new_tokens.has_value()) return out;
  int64_t most = 1 + 3 * num_input_tokens + 32 + static_cast<int64_t>(out.prefix_tokens.size());
  most = std::max<int64_t>({most, out.min_length, 1 + static_cast<int64_t>(out.min_new_tokens)});
  out.max_length = static_cast<int>(std::min<int64_t>(out.max_length, most));
  return out;
}

JoinedText JoinSegments(const TextWork& work, size_t rank, const Tokenizer& tokenizer) {
  JoinedText out;
  if (work.segments.empty()) return out;
  out.text = work.layout[0];
  for (size_t s = 0; s < work.segments.size(); ++s) {
    DecodedText part = tokenizer.Decode(Ranked(work.results[s], rank).tokens, TextSide::kTarget,
                                        /*keep_special=*/false);
    out.offsets.push_back(static_cast<uint32_t>(out.text.size()));
    out.text += part.text;
    out.text += work.layout[s + 1];
    out.parts.push_back(std::move(part));
  }
  return out;
}

Translation AssembleTranslation(TextWork* work, const Tokenizer& tokenizer,
                                const TranslationShape& shape) {
  Translation out;
  size_t num_hypotheses = 1;
  for (const GenerationResult& result : work->results) {
    num_hypotheses = std::max(num_hypotheses, result.hypotheses.size());
  }
  for (size_t rank = 0; rank < num_hypotheses; ++rank) {
    const JoinedText joined = JoinSegments(*work, rank, tokenizer);
    out.hypotheses.push_back(AssembleHypothesis(*work, rank, joined, tokenizer, shape));
    if (rank > 0) continue;
    for (size_t s = 0; s < work->segments.size(); ++s) {
      SentencePair pair;
      pair.source = {work->segments[s].span.begin, work->segments[s].read_end};
      pair.target.begin = joined.offsets[s];
      pair.target.end = joined.offsets[s] + static_cast<uint32_t>(joined.parts[s].text.size());
      pair.score = Ranked(work->results[s], 0).score;
      out.sentences.push_back(pair);
    }
  }
  out.text = out.hypotheses[0].text;
  out.num_segments = static_cast<int>(work->segments.size());
  for (size_t s = 0; s < work->segments.size(); ++s) {
    out.truncated_input_tokens += work->segments[s].truncated_tokens;
    const SequenceStats& stats = work->results[s].stats;
    out.input_tokens += stats.input_tokens;
    out.output_tokens += stats.output_tokens;
    out.duration = std::max(out.duration, stats.queue + stats.encode + stats.decode);
    if (shape.include_word_links) AppendLinks(work->readings[s].get(), &out);
    if (shape.include_attention) out.attentions.push_back(work->readings[s]->TakeAttention());
  }
  return out;
}

}  // namespace attend
