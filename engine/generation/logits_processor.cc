// Each processor touches only the entries it is about; a pass over the vocabulary happens only
// where the meaning needs one (forced tokens, renormalisation).
#include "engine/generation/logits_processor.h"

#include <algorithm>
#include <limits>

#include "engine/ops/logits.h"

namespace attend {
namespace {

constexpr float kBanned = -std::numeric_limits<float>::infinity();

void Force(int32_t token, absl::Span<float> scores) {
  std::fill(scores.begin(), scores.end(), kBanned);
  scores[static_cast<size_t>(token)] = 0.0f;
}

}  // namespace

LogitsProcessor::LogitsProcessor(const GenerationOptions& options,
                                 absl::Span<const int32_t> source_ids)
    : repetition_penalty_(options.repetition_penalty),
      no_repeat_ngram_size_(options.no_repeat_ngram_size),
      encoder_no_repeat_ngram_size_(options.encoder_no_repeat_ngram_size),
      min_length_(options.min_length),
      min_new_tokens_(options.min_new_tokens),
      prompt_length_(1 + static_cast<int>(options.prefix_tokens.size())),
      max_length_(options.max_length),
      eos_token_ids_(options.eos_token_ids),
      suppress_tokens_(options.suppress_tokens),
      forced_bos_(options.forced_bos_token_id),
      forced_eos_(options.forced_eos_token_id),
      renormalize_(options.renormalize_logits) {
  if (encoder_no_repeat_ngram_size_ > 0) source_ids_.assign(source_ids.begin(), source_ids.end());
  for (const std::vector<int32_t>& word : options.bad_words_ids) {
    // transformers drops a "word" that is just an end token: banning that would keep sequences from
    // ever ending.
    const bool is_end_token =
        word.size() == 1 && std::count(eos_token_ids_.begin(), eos_token_ids_.end(), word[0]) > 0;
    if (!word.empty() && !is_end_token) bad_words_.push_back(word);
  }
  has_lasting_bans_ = no_repeat_ngram_size_ > 0 || encoder_no_repeat_ngram_size_ > 0 ||
                      !bad_words_.empty() || !suppress_tokens_.empty();
}

LogitsProcessor::Effect LogitsProcessor::EffectAt(int length) const {
  if (renormalize_ || (forced_bos_ && length == 1) || ForcesEnd(length)) return Effect::kDense;
  if (repetition_penalty_ != 1.0f) return Effect::kFew;
  return has_lasting_bans_ || BansEnd(length) ? Effect::kBans : Effect::kNone;
}

void LogitsProcessor::Set(int32_t token, float score, absl::Span<float> scores) {
  float& entry = scores[static_cast<size_t>(token)];
  changes_.push_back({token, entry});
  entry = score;
}

void LogitsProcessor::Ban(int32_t token, absl::Span<float> scores) { Set(token, kBanned, scores); }

// Last first: the first change of an entry knows what it held before Apply.
void LogitsProcessor::Undo(absl::Span<float> scores) {
  for (auto it = changes_.rbegin(); it != changes_.rend(); ++it)
    scores[static_cast<size_t>(it->token)] = it->before;
  changes_.clear();
}

// Bans every token that would complete, after the last n - 1 ids, an n-gram that occurs in `text`.
void LogitsProcessor::BanNgrams(absl::Span<const int32_t> text, absl::Span<const int32_t> ids,
                                size_t n, absl::Span<float> scores) {
  if (ids.size() + 1 < n || text.size() < n) return;
  const absl::Span<const int32_t> tail = ids.subspan(ids.size() + 1 - n);
  for (size_t begin = 0; begin + n <= text.size(); ++begin) {
    if (std::equal(tail.begin(), tail.end(), text.begin() + static_cast<ptrdiff_t>(begin))) {
      const int32_t token = text[begin + n - 1];
      // Source and target vocabularies may differ in size; an id beyond ours cannot be produced
      // anyway.
      if (static_cast<size_t>(token) < scores.size()) Ban(token, scores);
    }
  }
}

void LogitsProcessor::Penalise(absl::Span<const int32_t> ids, absl::Span<float> scores) {
  // An id that occurs twice is penalised once, so all new scores are computed from the old ones
  // first.
  penalised_.clear();
  for (const int32_t id : ids) {
    const float score = scores[static_cast<size_t>(id)];
    penalised_.push_back(score < 0 ? score * repetition_penalty_ : score / repetition_penalty_);
  }
  for (size_t i = 0; i < ids.size(); ++i) Set(ids[i], penalised_[i], scores);
}

void LogitsProcessor::BanRepeats(absl::Span<const int32_t> ids, absl::Span<float> scores) {
  if (no_repeat_ngram_size_ > 0)
    BanNgrams(ids, ids, static_cast<size_t>(no_repeat_ngram_size_), scores);
  if (encoder_no_repeat_ngram_size_ > 0) {
    BanNgrams(source_ids_, ids, static_cast<size_t>(encoder_no_repeat_ngram_size_), scores);
  }
}

void LogitsProcessor::BanWords(absl::Span<const int32_t> ids, absl::Span<float> scores) {
  for (const std::vector<int32_t>& word : bad_words_) {
    const size_t before = word.size() - 1;
    // transformers looks at a longer word only once the sequence is at least as long as the whole
    // word.
    if (before > 0 && word.size() > ids.size()) continue;
    if (std::equal(word.begin(), word.end() - 1, ids.end() - static_cast<ptrdiff_t>(before))) {
      Ban(word.back(), scores);
    }
  }
}

void LogitsProcessor::Apply(absl::Span<const int32_t> ids, absl::Span<float> scores) {
  const int length = static_cast<int>(ids.size());
  changes_.clear();
  if (repetition_penalty_ != 1.0f) Penalise(ids, scores);
  BanRepeats(ids, scores);
  BanWords(ids, scores);
  if (BansEnd(length)) {
    for (const int32_t id : eos_token_ids_) Ban(id, scores);
  }
  if (forced_bos_ && length == 1) Force(*forced_bos_, scores);
  if (ForcesEnd(length)) Force(*forced_eos_, scores);
  for (const int32_t id : suppress_tokens_) Ban(id, scores);
  if (renormalize_) {
    const float normaliser = LogSumExp(scores);
    for (float& score : scores) score -= normaliser;
  }
}

}  // namespace attend
