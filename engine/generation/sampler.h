// Draws a token from processed logits: temperature, top-k and top-p in that order, as transformers'
// warpers, then one random number. The generator is our own (SplitMix64), so a seed means the same
// draws on every platform.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "engine/generation/generation_options.h"

namespace attend {

class Sampler {
 public:
  // `stream` separates samples that share one seed.
  Sampler(const SamplingOptions& options, uint64_t stream);

  // scores: processed logits, [vocab_size], not empty. Where every score is -inf or NaN the first
  // token is drawn.
  int32_t Sample(absl::Span<const float> scores);

 private:
  struct Choice {
    float score;  // shifted so that the largest is 0, divided by the temperature
    int32_t token;
    double weight;  // exp(score)
  };
  static bool Better(const Choice& a, const Choice& b);
  void KeepTopK(absl::Span<const float> scores);
  double KeepTopP(double total);
  double NextUniform();

  SamplingOptions options_;
  uint64_t state_;
  std::vector<Choice> choices_;
};

}  // namespace attend
