// What changes the scores of the next token before one is chosen: transformers' logits processors,
// in transformers' order. Greedy search and sampling apply them to raw logits, beam search to
// log-softmax scores. Most touch a few entries only and can be undone, so that no search need copy
// a row of the whole vocabulary.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/types/span.h"
#include "engine/generation/generation_options.h"

namespace attend {

class LogitsProcessor {
 public:
  // `source_ids`: what the encoder read. `options` is copied in part, not kept.
  LogitsProcessor(const GenerationOptions& options, absl::Span<const int32_t> source_ids);

  // What Apply does to the scores of a sequence of this length.
  enum class Effect {
    kNone,
    kBans,   // some entries become -inf, whatever they and the others are
    kFew,    // some entries change
    kDense,  // any entry may change: cannot be undone
  };
  Effect EffectAt(int length) const;

  // ids: the sequence so far with the start token; scores: [vocab_size], changed in place. Tokens
  // that must not come get -inf. Not const because it keeps scratch memory and what Undo needs.
  // REQUIRES: every id < scores.size().
  void Apply(absl::Span<const int32_t> ids, absl::Span<float> scores);

  // An entry that the last Apply wrote; one that it wrote twice is there twice.
  struct Change {
    int32_t token;
    float before;
  };
  // Of the last Apply, in order. REQUIRES: its effect was not kDense.
  absl::Span<const Change> changes() const { return changes_; }
  // Puts back what the last Apply changed, to the bit. REQUIRES: as changes(); the same scores.
  void Undo(absl::Span<float> scores);

  // Whether Apply forces the end token on a sequence of this length.
  bool ForcesEnd(int length) const { return forced_eos_.has_value() && length == max_length_ - 1; }

 private:
  bool BansEnd(int length) const {
    return length < min_length_ || length - prompt_length_ < min_new_tokens_;
  }
  // The only way to write a single entry.
  void Set(int32_t token, float score, absl::Span<float> scores);
  void Ban(int32_t token, absl::Span<float> scores);
  void BanNgrams(absl::Span<const int32_t> text, absl::Span<const int32_t> ids, size_t n,
                 absl::Span<float> scores);
  void Penalise(absl::Span<const int32_t> ids, absl::Span<float> scores);
  void BanRepeats(absl::Span<const int32_t> ids, absl::Span<float> scores);
  void BanWords(absl::Span<const int32_t> ids, absl::Span<float> scores);

  float repetition_penalty_;
  int no_repeat_ngram_size_, encoder_no_repeat_ngram_size_;
  std::vector<std::vector<int32_t>> bad_words_;
  int min_length_, min_new_tokens_, prompt_length_, max_length_;
  std::vector<int32_t> eos_token_ids_, suppress_tokens_, source_ids_;
  std::optional<int32_t> forced_bos_, forced_eos_;
  bool renormalize_;
  bool has_lasting_bans_;         // those that do not depend on the length alone
  std::vector<float> penalised_;  // scratch: new scores of ids, all computed before any is written
  std::vector<Change> changes_;
};

}  // namespace attend
