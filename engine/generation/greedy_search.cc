// One sequence per sample. All samples share one row until the first free choice (start token and
// forced prefix are the same for all), then each has its own; a row leaves as soon as its sequence
// ends.
#include "engine/generation/greedy_search.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "engine/base/check.h"
#include "engine/generation/logits_processor.h"
#include "engine/generation/sampler.h"
#include "engine/ops/logits.h"

namespace attend {
namespace {

class GreedySearch final : public SearchState {
 public:
  GreedySearch(const GenerationOptions& options, absl::Span<const int32_t> source_ids,
               int64_t vocab_size)
      : options_(options),
        vocab_size_(static_cast<size_t>(vocab_size)),
        processor_(options, source_ids) {
    const int num_samples = options.sampling ? options.num_return_sequences : 1;
    sequences_.resize(static_cast<size_t>(num_samples));
    for (int i = 0; i < num_samples; ++i) {
      sequences_[static_cast<size_t>(i)].ids = {options.decoder_start_token_id};
      live_.push_back(i);
      if (options.sampling) samplers_.emplace_back(*options.sampling, static_cast<uint64_t>(i));
    }
    rows_ = {{options.decoder_start_token_id, 0}};
  }

  absl::Span<const SearchRow> rows() const override { return rows_; }
  void Advance(MatrixView logits) override;

  void Stop() override {
    live_.clear();
    rows_.clear();
  }

  absl::Span<const int32_t> settled() const override;
  std::vector<Hypothesis> Hypotheses() const override;

  int num_generated() const override {
    size_t longest = 0;
    for (const Sequence& sequence : sequences_) longest = std::max(longest, sequence.ids.size());
    return static_cast<int>(longest) - 1;
  }

 private:
  struct Sequence {
    std::vector<int32_t> ids;      // with the start token
    std::vector<float> log_probs;  // one less
    bool has_ended = false;        // with an end token
    bool was_cut = false;          // that was forced, against the model's own choice
  };

  int32_t Choose(int sample, absl::Span<float> logits, const RowSummary& raw);
  int32_t ChangedArgMax(absl::Span<const float> scores, const RowSummary& raw) const;
  bool TakesPrefix() const { return next_prefix_ < options_.prefix_tokens.size(); }

  const GenerationOptions options_;
  const size_t vocab_size_;
  LogitsProcessor processor_;
  std::vector<Sampler> samplers_;  // one per sample; empty: greedy
  std::vector<Sequence> sequences_;
  std::vector<int> live_;  // samples that still run, in row order
  std::vector<SearchRow> rows_;
  size_t next_prefix_ = 0;
  std::vector<float> scores_;  // scratch: a row of which any entry may change
};

// Of a row with the processor's changes, which seldom touch the winner of the raw row: unless they
// did, or made another entry beat it, it is still the winner.
int32_t GreedySearch::ChangedArgMax(absl::Span<const float> scores, const RowSummary& raw) const {
  for (const LogitsProcessor::Change& change : processor_.changes()) {
    const float score = scores[static_cast<size_t>(change.token)];
    const bool beats = score > raw.largest || (score == raw.largest && change.token < raw.arg_max);
    if (beats || change.token == raw.arg_max) return ArgMax(scores);
  }
  return raw.arg_max;
}

int32_t GreedySearch::Choose(int sample, absl::Span<float> logits, const RowSummary& raw) {
  const std::vector<int32_t>& ids = sequences_[static_cast<size_t>(sample)].ids;
  Sampler* const sampler = samplers_.empty() ? nullptr : &samplers_[static_cast<size_t>(sample)];
  if (processor_.EffectAt(static_cast<int>(ids.size())) == LogitsProcessor::Effect::kDense) {
    scores_.assign(logits.begin(), logits.end());
    processor_.Apply(ids, absl::MakeSpan(scores_));
    return sampler == nullptr ? ArgMax(scores_) : sampler->Sample(scores_);
  }
  processor_.Apply(ids, logits);
  const int32_t token = sampler == nullptr ? ChangedArgMax(logits, raw) : sampler->Sample(logits);
  processor_.Undo(logits);
  return token;
}

void GreedySearch::Advance(MatrixView logits) {
  ATTEND_CHECK(logits.rows == static_cast<int64_t>(rows_.size()) &&
                   static_cast<size_t>(logits.cols) == vocab_size_,
               "logits do not match the rows of the search");
  const bool shares_row = rows_.size() == 1;
  const bool takes_prefix = TakesPrefix();
  // All live sequences have the same length.
  const bool forces_end =
      !takes_prefix && !live_.empty() &&
      processor_.ForcesEnd(static_cast<int>(sequences_[static_cast<size_t>(live_[0])].ids.size()));
  const int32_t forced = takes_prefix ? options_.prefix_tokens[next_prefix_++] : 0;
  RowSummary raw;
  rows_.clear();
  size_t num_live = 0;
  for (size_t i = 0; i < live_.size(); ++i) {
    const int sample = live_[i];
    Sequence& sequence = sequences_[static_cast<size_t>(sample)];
    const int parent = shares_row ? 0 : static_cast<int>(i);
    const absl::Span<float> row(logits.row(parent), vocab_size_);
    if (i == 0 || !shares_row) raw = Summarise(row);
    const int32_t token = takes_prefix ? forced : Choose(sample, row, raw);
    sequence.ids.push_back(token);
    sequence.log_probs.push_back(row[static_cast<size_t>(token)] - raw.log_sum_exp);
    sequence.has_ended = !takes_prefix && std::count(options_.eos_token_ids.begin(),
                                                     options_.eos_token_ids.end(), token);
    sequence.was_cut = forces_end && raw.arg_max != token;
    if (sequence.has_ended || sequence.ids.size() >= static_cast<size_t>(options_.max_length))
      continue;
    live_[num_live++] = sample;
    if (!takes_prefix || rows_.empty()) rows_.push_back({token, parent});
  }
  live_.resize(num_live);
  // The last forced token is fed in one row, which all samples then share once more.
}

absl::Span<const int32_t> GreedySearch::settled() const {
  const absl::Span<const int32_t> first(sequences_[0].ids);
  size_t common = first.size();
  for (const Sequence& sequence : sequences_) {
    const auto differ = std::mismatch(first.begin(), first.begin() + static_cast<ptrdiff_t>(common),
                                      sequence.ids.begin(), sequence.ids.end());
    common = static_cast<size_t>(differ.first - first.begin());
  }
  return first.subspan(1, common - 1);
}

std::vector<Hypothesis> GreedySearch::Hypotheses() const {
  std::vector<Hypothesis> hypotheses;
  for (const Sequence& sequence : sequences_) {
    Hypothesis hypothesis;
    hypothesis.tokens.assign(sequence.ids.begin() + 1, sequence.ids.end());
    hypothesis.log_probs = sequence.log_probs;
    const size_t first_chosen = std::min(next_prefix_, sequence.log_probs.size());
    const size_t end_chosen = sequence.log_probs.size() - (sequence.was_cut ? 1 : 0);
    const size_t num_chosen = end_chosen - std::min(first_chosen, end_chosen);
    double sum = 0;
    for (size_t i = first_chosen; i < end_chosen; ++i)
      sum += static_cast<double>(sequence.log_probs[i]);
    hypothesis.score = num_chosen == 0 ? 0 : sum / static_cast<double>(num_chosen);
    const bool complete = sequence.has_ended && !sequence.was_cut;
    hypothesis.finish_reason = complete ? FinishReason::kEos : FinishReason::kLength;
    hypotheses.push_back(std::move(hypothesis));
  }
  std::stable_sort(hypotheses.begin(), hypotheses.end(),
                   [](const Hypothesis& a, const Hypothesis& b) { return a.score > b.score; });
  return hypotheses;
}

}  // namespace

std::unique_ptr<SearchState> MakeGreedySearch(const GenerationOptions& options,
                                              absl::Span<const int32_t> source_ids,
                                              int64_t vocab_size) {
  return std::make_unique<GreedySearch>(options, source_ids, vocab_size);
}

}  // namespace attend
