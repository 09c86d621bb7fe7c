// Each step scores every continuation of every beam, keeps the best max(2, 1 + end tokens) *
// num_beams of them in a small heap (the vocabulary is scanned, never sorted, and the logits are
// copied only for processors that read log-probabilities), and walks these from the best down: an
// end token among the first num_beams closes a hypothesis, anything else becomes a beam until there
// are num_beams.
//
// As in transformers, all beams start equal but for a handicap of -1e9 on all except the first. So
// until the first free choice they share one row; and where only one token is possible (a forced
// first token) they stay duplicates instead of turning into impossible beams.
#include "engine/generation/beam_search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "engine/base/check.h"
#include "engine/generation/logits_processor.h"
#include "engine/ops/logits.h"

namespace attend {
namespace {

constexpr float kHandicap = -1e9f;

struct Beam {
  std::vector<int32_t> ids;      // with the start token
  std::vector<float> log_probs;  // one less
  float score = 0;               // sum of processed log-probabilities; float as in transformers
};

// A hypothesis that may be returned.
struct Finished {
  double score = 0;
  std::vector<int32_t> ids;
  std::vector<float> log_probs;
  bool is_complete = false;  // the model ended it
};

struct Candidate {
  float score;
  int beam;
  int32_t token;
};

// Higher scores first; of equal ones the lower beam, then the lower token: the order of topk over
// [beam, token].
bool Better(const Candidate& a, const Candidate& b) {
  if (a.score != b.score) return a.score > b.score;
  return a.beam != b.beam ? a.beam < b.beam : a.token < b.token;
}

class BeamSearch final : public SearchState {
 public:
  BeamSearch(const GenerationOptions& options, absl::Span<const int32_t> source_ids,
             int64_t vocab_size)
      : options_(options),
        vocab_size_(static_cast<size_t>(vocab_size)),
        num_beams_(static_cast<size_t>(options.num_beams)),
        num_candidates_(std::max<size_t>(2, 1 + options.eos_token_ids.size()) * num_beams_),
        prompt_length_(1 + options.prefix_tokens.size()),
        processor_(options, source_ids),
        beams_(num_beams_) {
    for (size_t b = 0; b < num_beams_; ++b) {
      beams_[b].ids = {options.decoder_start_token_id};
      beams_[b].score = b == 0 ? 0.0f : kHandicap;
    }
    candidates_.reserve(num_candidates_ + 1);
    normalisers_.resize(num_beams_);
    rows_ = {{options.decoder_start_token_id, 0}};
  }

  absl::Span<const SearchRow> rows() const override { return rows_; }
  void Advance(MatrixView logits) override;
  void Stop() override;
  absl::Span<const int32_t> settled() const override;
  std::vector<Hypothesis> Hypotheses() const override;
  int num_generated() const override { return num_generated_; }

 private:
  void TakePrefixToken(absl::Span<const float> logits);
  void CollectCandidates(MatrixView logits);
  void OfferRow(size_t row, absl::Span<const float> scores, float subtract);
  void Offer(int beam, absl::Span<const float> scores, float subtract);
  void ContinueBeams(ConstMatrixView logits);
  void AddFinished(Beam beam, bool is_complete);
  void AddRunningBeams();
  bool IsDone(float best_sum) const;
  const Finished* BestFinished() const;
  int RowOf(int beam) const { return shares_row_ ? 0 : beam; }

  const GenerationOptions options_;
  const size_t vocab_size_, num_beams_, num_candidates_, prompt_length_;
  LogitsProcessor processor_;
  std::vector<Beam> beams_;  // running; in row order once they do not share a row
  std::vector<Beam>
      next_beams_;  // the step's new beams; swapped, so that their memory is used again
  std::vector<Finished> finished_;  // at most num_beams, in the order they came
  std::vector<SearchRow> rows_;
  bool shares_row_ = true;  // all beams read row 0: before the first free choice
  size_t next_prefix_ = 0;
  int num_generated_ = 0;
  std::vector<float> scores_;  // scratch: log-probabilities of a row whose processors read them
  std::vector<float> normalisers_;     // of each row of the step
  std::vector<Candidate> candidates_;  // worst on top while collecting, best first after
  mutable std::vector<int32_t> settled_;
};

void BeamSearch::TakePrefixToken(absl::Span<const float> logits) {
  const int32_t token = options_.prefix_tokens[next_prefix_++];
  const float log_prob = logits[static_cast<size_t>(token)] - LogSumExp(logits);
  for (Beam& beam : beams_) {
    beam.ids.push_back(token);
    beam.log_probs.push_back(log_prob);
  }
  ++num_generated_;
  rows_ = {{token, 0}};
  if (beams_[0].ids.size() >= static_cast<size_t>(options_.max_length)) Stop();
}

// Puts the continuations of one beam before the heap of the best candidates. Of a token the
// log-probability is scores[token] - subtract.
void BeamSearch::Offer(int beam, absl::Span<const float> scores, float subtract) {
  const float sum = beams_[static_cast<size_t>(beam)].score;
  constexpr float kNothing = -std::numeric_limits<float>::infinity();
  const auto score_of = [&](size_t token) { return (scores[token] - subtract) + sum; };
  size_t token = 0;
  for (; token < scores.size() && candidates_.size() < num_candidates_; ++token) {
    const float score = score_of(token);
    candidates_.push_back(
        {std::isnan(score) ? kNothing : score, beam, static_cast<int32_t>(token)});
    std::push_heap(candidates_.begin(), candidates_.end(), Better);
  }
  // An equal score that comes later has the higher index and loses: strictly greater is right.
  const auto next = [&](size_t begin) {
    return static_cast<size_t>(
        NextAbove(scores, static_cast<int64_t>(begin), subtract, sum, candidates_.front().score));
  };
  for (token = next(token); token < scores.size(); token = next(token + 1)) {
    std::pop_heap(candidates_.begin(), candidates_.end(), Better);
    candidates_.back() = {score_of(token), beam, static_cast<int32_t>(token)};
    std::push_heap(candidates_.begin(), candidates_.end(), Better);
  }
}

// Beams that share a row are equal in all but their handicap.
void BeamSearch::OfferRow(size_t row, absl::Span<const float> scores, float subtract) {
  const size_t first = shares_row_ ? 0 : row, end = shares_row_ ? num_beams_ : row + 1;
  for (size_t b = first; b < end; ++b) Offer(static_cast<int>(b), scores, subtract);
}

// A ban means the same before and after the normaliser is subtracted: it needs no copy.
void BeamSearch::CollectCandidates(MatrixView logits) {
  using Effect = LogitsProcessor::Effect;
  candidates_.clear();
  for (size_t r = 0; r < rows_.size(); ++r) {
    const absl::Span<float> row(logits.row(static_cast<int64_t>(r)), vocab_size_);
    const std::vector<int32_t>& ids = beams_[r].ids;
    const float normaliser = normalisers_[r] = LogSumExp(row);
    const Effect effect = processor_.EffectAt(static_cast<int>(ids.size()));
    if (effect == Effect::kNone || effect == Effect::kBans) {
      processor_.Apply(ids, row);
      OfferRow(r, row, normaliser);
      processor_.Undo(row);
      continue;
    }
    scores_.resize(vocab_size_);
    for (size_t i = 0; i < vocab_size_; ++i) scores_[i] = row[i] - normaliser;
    processor_.Apply(ids, absl::MakeSpan(scores_));
    OfferRow(r, scores_, 0);
  }
  std::sort_heap(candidates_.begin(), candidates_.end(), Better);
}

void BeamSearch::AddFinished(Beam beam, bool is_complete) {
  // Stopped within the prompt there is no length yet; one keeps the score finite.
  const double length =
      std::max(1.0, static_cast<double>(beam.ids.size()) - static_cast<double>(prompt_length_));
  const double score = static_cast<double>(beam.score) /
                       std::pow(length, static_cast<double>(options_.length_penalty));
  if (finished_.size() == num_beams_) {
    // The first of the worst gives way, and only to something strictly better.
    const auto worst =
        std::min_element(finished_.begin(), finished_.end(),
                         [](const Finished& a, const Finished& b) { return a.score < b.score; });
    if (!(score > worst->score)) return;
    finished_.erase(worst);
  }
  finished_.push_back(
      {score, {beam.ids.begin() + 1, beam.ids.end()}, std::move(beam.log_probs), is_complete});
}

void BeamSearch::ContinueBeams(ConstMatrixView logits) {
  next_beams_.resize(num_beams_);
  rows_.clear();
  size_t num_next = 0;
  const bool forces_end = processor_.ForcesEnd(static_cast<int>(beams_[0].ids.size()));
  for (size_t rank = 0; rank < candidates_.size() && num_next < num_beams_; ++rank) {
    const Candidate& candidate = candidates_[rank];
    const Beam& parent = beams_[static_cast<size_t>(candidate.beam)];
    const int row = RowOf(candidate.beam);
    const float log_prob =
        logits.row(row)[candidate.token] - normalisers_[static_cast<size_t>(row)];
    const bool ends = std::count(options_.eos_token_ids.begin(), options_.eos_token_ids.end(),
                                 candidate.token) > 0;
    if (ends && rank >= num_beams_) continue;
    if (!ends) {
      Beam& next = next_beams_[num_next++];
      next.ids.assign(parent.ids.begin(), parent.ids.end());
      next.ids.push_back(candidate.token);
      next.log_probs.assign(parent.log_probs.begin(), parent.log_probs.end());
      next.log_probs.push_back(log_prob);
      next.score = candidate.score;
      rows_.push_back({candidate.token, row});
      continue;
    }
    // Whichever end token won, the reference writes the first of the list.
    Beam ended = parent;
    ended.ids.push_back(options_.eos_token_ids.front());
    ended.log_probs.push_back(log_prob);
    ended.score = candidate.score;
    const bool is_complete =
        !forces_end || ArgMax({logits.row(row), vocab_size_}) == candidate.token;
    AddFinished(std::move(ended), is_complete);
  }
  next_beams_.resize(num_next);
  beams_.swap(next_beams_);
}

// transformers' BeamHypotheses.is_done; best_sum is the best candidate of this step, ended ones
// included.
bool BeamSearch::IsDone(float best_sum) const {
  if (finished_.size() < num_beams_) return false;
  const double penalty = static_cast<double>(options_.length_penalty);
  double length = static_cast<double>(num_generated_ + 1) - static_cast<double>(prompt_length_);
  switch (options_.early_stopping) {
    case EarlyStopping::kTrue:
      return true;
    case EarlyStopping::kFalse:
      break;
    case EarlyStopping::kNever:
      if (penalty > 0)
        length = static_cast<double>(options_.max_length) - static_cast<double>(prompt_length_);
      break;
  }
  const double attainable =
      static_cast<double>(best_sum) / std::pow(std::max(length, 1.0), penalty);
  const auto worst =
      std::min_element(finished_.begin(), finished_.end(),
                       [](const Finished& a, const Finished& b) { return a.score < b.score; });
  return worst->score >= attainable;
}

void BeamSearch::AddRunningBeams() {
  // Until the first free choice the beams are one and the same sequence.
  const size_t count = shares_row_ ? 1 : beams_.size();
  for (size_t b = 0; b < count; ++b) AddFinished(beams_[b], /*is_complete=*/false);
}

void BeamSearch::Advance(MatrixView logits) {
  ATTEND_CHECK(logits.rows == static_cast<int64_t>(rows_.size()) &&
                   static_cast<size_t>(logits.cols) == vocab_size_,
               "logits do not match the rows of the search");
  if (next_prefix_ < options_.prefix_tokens.size()) {
    TakePrefixToken({logits.row(0), vocab_size_});
    return;
  }
  CollectCandidates(logits);
  const float best_sum = candidates_.front().score;
  ContinueBeams(logits);
  shares_row_ = false;
  ++num_generated_;
  if (IsDone(best_sum)) {
    rows_.clear();
  } else if (num_generated_ + 1 >= options_.max_length || beams_.empty()) {
    Stop();
  }
}

void BeamSearch::Stop() {
  if (rows_.empty() && !finished_.empty()) return;
  AddRunningBeams();
  rows_.clear();
}

const Finished* BeamSearch::BestFinished() const {
  const Finished* best = nullptr;
  for (const Finished& finished : finished_) {
    if (best == nullptr || finished.score >= best->score)
      best = &finished;  // of equal ones the last, as transformers
  }
  return best;
}

absl::Span<const int32_t> BeamSearch::settled() const {
  // Of the finished only the best can still become the answer. settled_ is a prefix of all
  // candidates for it already, so only what follows needs comparing.
  const Finished* best = BestFinished();
  if (finished()) {
    if (best != nullptr) settled_.assign(best->ids.begin(), best->ids.end());
    return settled_;
  }
  const absl::Span<const int32_t> first = absl::MakeConstSpan(beams_[0].ids).subspan(1);
  size_t common = best == nullptr ? first.size() : std::min(first.size(), best->ids.size());
  const auto shorten = [&](absl::Span<const int32_t> other) {
    for (size_t i = settled_.size(); i < common; ++i) {
      if (first[i] != other[i]) common = i;
    }
  };
  if (best != nullptr) shorten(best->ids);
  for (const Beam& beam : beams_) shorten(absl::MakeConstSpan(beam.ids).subspan(1));
  for (size_t i = settled_.size(); i < common; ++i) settled_.push_back(first[i]);
  return settled_;
}

std::vector<Hypothesis> BeamSearch::Hypotheses() const {
  std::vector<const Finished*> order;
  for (auto it = finished_.rbegin(); it != finished_.rend(); ++it) order.push_back(&*it);
  std::stable_sort(order.begin(), order.end(),
                   [](const Finished* a, const Finished* b) { return a->score > b->score; });
  order.resize(std::min(order.size(), static_cast<size_t>(options_.num_return_sequences)));
  std::vector<Hypothesis> hypotheses;
  for (const Finished* finished : order) {
    Hypothesis hypothesis;
    hypothesis.tokens = finished->ids;
    hypothesis.log_probs = finished->log_probs;
    hypothesis.score = finished->score;
    hypothesis.finish_reason = finished->is_complete ? FinishReason::kEos : FinishReason::kLength;
    hypotheses.push_back(std::move(hypothesis));
  }
  return hypotheses;
}

}  // namespace

std::unique_ptr<SearchState> MakeBeamSearch(const GenerationOptions& options,
                                            absl::Span<const int32_t> source_ids,
                                            int64_t vocab_size) {
  return std::make_unique<BeamSearch>(options, source_ids, vocab_size);
}

}  // namespace attend
