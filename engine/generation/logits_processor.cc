// Each processor touches only the entries it is about; a pass over the vocabulary happens only
// where the meaning needs one (forced tokens, renormalisation).
#include "engine/generation/logits_processor.h"

#include <algorithm>
#include <limits>

#include "engine/ops/logits.h"

namespace attend {
namespace {

constexpr float kBanned = -std::numeric_limits<float>::infinity();

// Bans every token that would complete, after the last n - 1 ids, an n-gram that occurs in `text`.
void BanNgrams(absl::Span<const int32_t> text, absl::Span<const int32_t> ids, size_t n,
               absl::Span<float> scores) {
  if (ids.size() + 1 < n || text.size() < n) return;
  const absl::Span<const int32_t> tail = ids.subspan(ids.size() + 1 - n);
  for (size_t begin = 0; begin + n <= text.size(); ++begin) {
    if (std::equal(tail.begin(), tail.end(), text.begin() + static_cast<ptrdiff_t>(begin))) {
      const auto token = static_cast<size_t>(text[begin + n - 1]);
      // Source and target vocabularies may differ in size; an id beyond ours cannot be produced
      // anyway.
      if (token < scores.size()) scores[token] = kBanned;
    }
  }
}

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
  has_lasting_effect_ = repetition_penalty_ != 1.0f || no_repeat_ngram_size_ > 0 ||
                        encoder_no_repeat_ngram_size_ > 0 || !bad_words_.empty() ||
                        !suppress_tokens_.empty() || renormalize_;
}

bool LogitsProcessor::LeavesUnchanged(int length) const {
  return !has_lasting_effect_ && length >= min_length_ &&
         length - prompt_length_ >= min_new_tokens_ && !(forced_bos_ && length == 1) &&
         !ForcesEnd(length);
}

void LogitsProcessor::Penalise(absl::Span<const int32_t> ids, absl::Span<float> scores) {
  // An id that occurs twice is penalised once, so all new scores are computed from the old ones
  // first.
  penalised_.clear();
  for (const int32_t id : ids) {
    const float score = scores[static_cast<size_t>(id)];
    penalised_.push_back(score < 0 ? score * repetition_penalty_ : score / repetition_penalty_);
  }
  for (size_t i = 0; i < ids.size(); ++i) scores[static_cast<size_t>(ids[i])] = penalised_[i];
}

void LogitsProcessor::BanRepeats(absl::Span<const int32_t> ids, absl::Span<float> scores) const {
  if (no_repeat_ngram_size_ > 0)
    BanNgrams(ids, ids, static_cast<size_t>(no_repeat_ngram_size_), scores);
  if (encoder_no_repeat_ngram_size_ > 0) {
    BanNgrams(source_ids_, ids, static_cast<size_t>(encoder_no_repeat_ngram_size_), scores);
  }
}

void LogitsProcessor::BanWords(absl::Span<const int32_t> ids, absl::Span<float> scores) const {
  for (const std::vector<int32_t>& word : bad_words_) {
    const size_t before = word.size() - 1;
    // transformers looks at a longer word only once the sequence is at least as long as the whole
    // word.
    if (before > 0 && word.size() > ids.size()) continue;
    if (std::equal(word.begin(), word.end() - 1, ids.end() - static_cast<ptrdiff_t>(before))) {
      scores[static_cast<size_t>(word.back())] = kBanned;
    }
  }
}

void LogitsProcessor::Apply(absl::Span<const int32_t> ids, absl::Span<float> scores) {
  const int length = static_cast<int>(ids.size());
  if (LeavesUnchanged(length)) return;
  if (repetition_penalty_ != 1.0f) Penalise(ids, scores);
  BanRepeats(ids, scores);
  BanWords(ids, scores);
  if (length < min_length_ || length - prompt_length_ < min_new_tokens_) {
    for (const int32_t id : eos_token_ids_) scores[static_cast<size_t>(id)] = kBanned;
  }
  if (forced_bos_ && length == 1) Force(*forced_bos_, scores);
  if (ForcesEnd(length)) Force(*forced_eos_, scores);
  for (const int32_t id : suppress_tokens_) scores[static_cast<size_t>(id)] = kBanned;
  if (renormalize_) {
    const float normaliser = LogSumExp(scores);
    for (float& score : scores) score -= normaliser;
  }
}

}  // namespace attend
