// Only what survives top-k is ever ordered. Without top-k, top-p takes tokens off a heap until
// their mass is reached, which costs a logarithm per kept token instead of a sort of the
// vocabulary.
#include "engine/generation/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace attend {

Sampler::Sampler(const SamplingOptions& options, uint64_t stream)
    : options_(options), state_(options.seed + stream * 0xD1B54A32D192ED03ull) {}

// SplitMix64 (Steele, Lea and Flood, 2014): a counter and a mix of its bits.
double Sampler::NextUniform() {
  state_ += 0x9E3779B97F4A7C15ull;
  uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  z ^= z >> 31;
  return static_cast<double>(z >> 11) * 0x1.0p-53;
}

bool Sampler::Better(const Choice& a, const Choice& b) {
  return a.score != b.score ? a.score > b.score : a.token < b.token;
}

// Leaves in choices_ the k best tokens, and those that tie with the k-th, as transformers does.
void Sampler::KeepTopK(absl::Span<const float> scores) {
  choices_.clear();
  const auto k = static_cast<size_t>(options_.top_k);
  const bool bounded = k > 0 && k < scores.size();
  float threshold = -std::numeric_limits<float>::infinity();
  if (bounded) {
    // A min-heap of the k best scores so far.
    const auto worse_on_top = [](const Choice& a, const Choice& b) { return a.score > b.score; };
    for (const float score : scores) {
      if (choices_.size() == k) {
        if (!(score > choices_.front().score)) continue;
        std::pop_heap(choices_.begin(), choices_.end(), worse_on_top);
        choices_.pop_back();
      }
      if (std::isnan(score)) continue;
      choices_.push_back({score, 0, 0});
      std::push_heap(choices_.begin(), choices_.end(), worse_on_top);
    }
    if (choices_.size() == k) threshold = choices_.front().score;
    choices_.clear();
  }
  for (size_t i = 0; i < scores.size(); ++i) {
    if (scores[i] >= threshold && scores[i] > -std::numeric_limits<float>::infinity()) {
      choices_.push_back({scores[i], static_cast<int32_t>(i), 0});
    }
  }
}

// Keeps the best tokens while the mass before each is below top_p of the total; returns the mass
// kept.
double Sampler::KeepTopP(double total) {
  const double wanted = static_cast<double>(options_.top_p) * total;
  const auto worse_below = [](const Choice& a, const Choice& b) { return Better(b, a); };
  std::make_heap(choices_.begin(), choices_.end(), worse_below);
  auto heap_end = choices_.end();
  double mass = 0;
  while (heap_end != choices_.begin() && (heap_end == choices_.end() || mass < wanted)) {
    std::pop_heap(choices_.begin(), heap_end, worse_below);
    --heap_end;
    mass += heap_end->weight;
  }
  choices_.erase(choices_.begin(), heap_end);
  return mass;
}

int32_t Sampler::Sample(absl::Span<const float> scores) {
  const double draw = NextUniform();  // always one per token, whatever the options
  KeepTopK(scores);
  if (choices_.empty()) return 0;
  float largest = choices_[0].score;
  for (const Choice& choice : choices_) largest = std::max(largest, choice.score);
  double total = 0;
  for (Choice& choice : choices_) {
    // The largest becomes 0 before dividing, so that no temperature overflows.
    choice.score = choice.score == largest ? 0.0f : (choice.score - largest) / options_.temperature;
    choice.weight = std::exp(static_cast<double>(choice.score));
    total += choice.weight;
  }
  if (options_.top_p < 1.0f) total = KeepTopP(total);
  double left = draw * total;
  for (const Choice& choice : choices_) {
    left -= choice.weight;
    if (left < 0) return choice.token;
  }
  // Rounding may leave a last crumb: it belongs to the last token that has any weight.
  for (auto it = choices_.rbegin(); it != choices_.rend(); ++it) {
    if (it->weight > 0) return it->token;
  }
  return choices_.back().token;
}

}  // namespace attend
