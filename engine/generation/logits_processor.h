// What changes the scores of the next token before one is chosen: transformers' logits processors,
// in transformers' order. Greedy search and sampling apply them to raw logits, beam search to
// log-softmax scores.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "engine/generation/generation_options.h"

namespace attend {

class LogitsProcessor {
 public:
  // `source_ids`: what the encoder read. `options` is copied in part, not kept.
  LogitsProcessor(const GenerationOptions& options, absl::Span<const int32_t> source_ids);

  // ids: the sequence so far with the start token; scores: [vocab_size], changed in place. Tokens
  // that must not come get -inf. Not const because it keeps scratch memory. REQUIRES: every id <
  // scores.size().
  void Apply(absl::Span<const int32_t> ids, absl::Span<float> scores);

  // Whether Apply forces the end token on a sequence of this length.
  bool ForcesEnd(int length) const { return forced_eos_.has_value() && length == max_length_ - 1; }

  // Whether Apply would leave the scores of a sequence of this length as they are.
  bool LeavesUnchanged(int length) const;

 private:
  void Penalise(absl::Span<const int32_t> ids, absl::Span<float> scores);
  void BanRepeats(absl::Span<const int32_t> ids, absl::Span<float> scores) const;
  void BanWords(absl::Span<const int32_t> ids, absl::Span<float> scores) const;

  float repetition_penalty_;
  int no_repeat_ngram_size_, encoder_no_repeat_ngram_size_;
  std::vector<std::vector<int32_t>> bad_words_;
  int min_length_, min_new_tokens_, prompt_length_, max_length_;
  std::vector<int32_t> eos_token_ids_, suppress_tokens_, source_ids_;
  std::optional<int32_t> forced_bos_, forced_eos_;
  bool renormalize_;
  bool has_lasting_effect_;       // any processor that does not depend on the length alone
  std::vector<float> penalised_;  // scratch: new scores of ids, all computed before any is written
};

}  // namespace attend
