#include "engine/tasks/summary/sentence_scores.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "engine/base/check.h"
#include "engine/tasks/summary/text_kind.h"

namespace attend {
namespace {

constexpr size_t kLeastWords = 3;
constexpr double kFlat = 1e-9;        // a deviation below it is none
constexpr double kFullPosition = 40;  // sentences from which on the place counts in full
constexpr double kMostPenalty = 2;    // what a redundancy of 1 takes off for an equal sentence
constexpr double kLastResort = 1000;  // taken off what is not eligible
constexpr double kDefaultShare = 1.0 / 3;
constexpr size_t kDefaultMost = 10;
constexpr size_t kMostCompared = 1000;  // picks that look at likeness; keeps the work linear

struct KindWeights {
  double attention = 1, length = 0, cue = 0, redundancy = 0.5;
  std::optional<double> position;  // unset: grows with the length of the text
};

KindWeights WeightsOf(TextKind kind) {
  KindWeights weights;
  switch (kind) {
    case TextKind::kAuto:
    case TextKind::kGeneral:
      break;
    case TextKind::kPaper:
      weights.cue = 1.5;
      break;
    case TextKind::kReviews:
      weights.attention = 0;
      weights.length = -0.5;
      weights.position = 0;
      weights.redundancy = 1;
      break;
    case TextKind::kNews:
      weights.position = 3;
      weights.redundancy = 0;
      break;
  }
  return weights;
}

// Standard deviations from the mean.
std::vector<double> Standardised(std::vector<double> values) {
  const auto n = static_cast<double>(values.size());
  double mean = 0, squares = 0;
  for (const double value : values) mean += value / n;
  for (const double value : values) squares += (value - mean) * (value - mean);
  const double deviation = std::sqrt(squares / n);
  for (double& value : values) value = deviation > kFlat ? (value - mean) / deviation : 0;
  return values;
}

std::vector<double> Softmax(const std::vector<double>& raw) {
  std::vector<double> out = raw;
  if (out.empty()) return out;
  const double highest = *std::max_element(raw.begin(), raw.end());
  double sum = 0;
  for (double& value : out) sum += value = std::exp(value - highest);
  for (double& value : out) value /= sum;
  return out;
}

// Adds signals to a sum and remembers what each brought.
class ScoreSum {
 public:
  ScoreSum(size_t n, std::vector<std::vector<ScorePart>>* parts) : sum_(n), parts_(parts) {}

  void Add(const char* name, double weight, const std::vector<double>& values) {
    if (weight == 0) return;
    for (size_t i = 0; i < sum_.size(); ++i) {
      sum_[i] += weight * values[i];
      (*parts_)[i].push_back({name, weight * values[i]});
    }
  }
  // The scale of what was added so far.
  void Standardise() { sum_ = Standardised(std::move(sum_)); }
  std::vector<double> Take() { return std::move(sum_); }

 private:
  std::vector<double> sum_;
  std::vector<std::vector<ScorePart>>* const parts_;
};

std::vector<double> Places(const std::vector<bool>& eligible) {
  std::vector<double> out;
  int place = 0;
  for (const bool is_eligible : eligible) {
    out.push_back(-std::log1p(place));
    place += is_eligible ? 1 : 0;
  }
  return out;
}

}  // namespace

SentenceScores ScoreSentences(const SentenceSignals& signals, TextKind kind) {
  ATTEND_CHECK(kind != TextKind::kAuto, "the kind of text must be known");
  const KindWeights weights = WeightsOf(kind);
  const size_t n = signals.terms.size();
  SentenceScores out;
  out.redundancy = weights.redundancy;
  out.parts.resize(n);
  if (n == 0) return out;
  std::vector<double> lengths, cues;
  for (const std::vector<std::string>& terms : signals.terms) {
    out.eligible.push_back(terms.size() >= kLeastWords);
    lengths.push_back(std::log1p(static_cast<double>(terms.size())));
    cues.push_back(IsCue(terms) ? 1 : 0);
  }
  ScoreSum sum(n, &out.parts);
  sum.Add("vocabulary", 1, Standardised(signals.vectors->Centrality()));
  if (!signals.encoder.embedding.empty())
    sum.Add("embedding", 1, Standardised(signals.encoder.embedding));
  if (!signals.encoder.attention.empty())
    sum.Add("attention", weights.attention, Standardised(signals.encoder.attention));
  sum.Standardise();
  const double position =
      weights.position.value_or(std::min(1.0, static_cast<double>(n) / kFullPosition));
  sum.Add("length", weights.length, Standardised(lengths));
  sum.Add("position", position, Standardised(Places(out.eligible)));
  sum.Add("cue", weights.cue, cues);
  out.raw = sum.Take();
  out.scores = Softmax(out.raw);
  return out;
}

namespace {

size_t MostSentences(const SummaryBudget& budget, size_t n) {
  if (budget.characters) return n;
  size_t most = n;
  if (budget.sentences) {
    most = static_cast<size_t>(std::min<int64_t>(*budget.sentences, static_cast<int64_t>(n)));
  } else {
    const double share = budget.ratio.value_or(kDefaultShare);
    most = std::max<size_t>(1, static_cast<size_t>(std::lround(share * static_cast<double>(n))));
    if (!budget.ratio) most = std::min(most, kDefaultMost);
  }
  return std::min(most, n);
}

}  // namespace

std::vector<size_t> SelectSentences(const SentenceScores& scores, const SentenceTerms& vectors,
                                    double redundancy, const SummaryBudget& budget,
                                    absl::Span<const int64_t> lengths) {
  const size_t n = scores.raw.size();
  const size_t most = MostSentences(budget, n);
  int64_t room = budget.characters.value_or(std::numeric_limits<int64_t>::max());
  std::vector<double> values = scores.raw;  // less what likeness takes off
  for (size_t i = 0; i < n; ++i) values[i] -= scores.eligible[i] ? 0 : kLastResort;
  std::vector<double> likeness(n);
  std::vector<size_t> order, left(n);
  std::iota(left.begin(), left.end(), size_t{0});
  const auto by_value = [&](size_t a, size_t b) { return values[a] > values[b]; };
  const auto take = [&](size_t chosen) {
    order.push_back(chosen);
    room -= budget.characters ? lengths[chosen] : 0;
  };
  while (order.size() < std::min(most, kMostCompared)) {
    if (budget.characters) {
      const auto too_long = [&](size_t i) { return lengths[i] > room; };
      left.erase(std::remove_if(left.begin(), left.end(), too_long), left.end());
    }
    if (left.empty()) return order;
    const auto best = std::min_element(left.begin(), left.end(), by_value);
    const size_t chosen = *best;
    left.erase(best);
    take(chosen);
    if (redundancy == 0) continue;
    const std::vector<double> cosines = vectors.CosinesWith(chosen);
    for (const size_t i : left) {
      const double more = std::max(0.0, cosines[i] - likeness[i]);
      likeness[i] += more;
      values[i] -= kMostPenalty * redundancy * more;
    }
  }
  // A summary of so many sentences is no longer chosen for variety.
  std::stable_sort(left.begin(), left.end(), by_value);
  for (const size_t i : left) {
    if (order.size() == most) break;
    if (!budget.characters || lengths[i] <= room) take(i);
  }
  return order;
}

}  // namespace attend
