// All callers' rows go through the model together; afterwards each search sees only its own rows of
// the logits. That a row's numbers do not depend on its neighbours is the model's promise, so
// nothing here depends on who else is in the step.
#include "engine/scheduler/step_runner.h"

#include <algorithm>
#include <utility>

#include "engine/base/check.h"
#include "engine/generation/shortlisted_search.h"
#include "engine/layers/workspace.h"
#include "engine/ops/op_threads.h"

namespace attend {
namespace {

// What stays allocated between bursts: of free cache pages, of each matrix, of scratch memory.
constexpr int64_t kKeptPoolBytes = int64_t{4} << 20;
constexpr size_t kKeptMatrixBytes = size_t{4} << 20;

// With fewer logits than this a thread is not worth waking.
constexpr int64_t kLeastLogitsOfThread = int64_t{1} << 15;

Sequence* Find(const SequenceTable& table, SequenceId id) {
  const auto found = table.find(id);
  ATTEND_CHECK(found != table.end(), "a plan names a sequence that is gone");
  return found->second.get();
}

}  // namespace

StepRunner::StepRunner(const Model* model, int64_t kv_cache_bytes, EngineObserver* observer)
    : model_(model),
      observer_(observer),
      pool_(model->spec().decoder.num_layers, model->spec().decoder.heads().width(),
            kv_cache_bytes),
      workspace_(MakeWorkspace()),
      outputs_(model->MakeOutputSubset()) {}

StepRunner::~StepRunner() = default;

int64_t StepRunner::CrossBytes(int64_t source_tokens) const {
  return int64_t{2} * pool_.num_layers() * source_tokens * pool_.hidden_size() *
         static_cast<int64_t>(sizeof(float));
}

int64_t StepRunner::WorstCaseBytes(int64_t rows, int64_t max_length, int64_t source_tokens) const {
  // The last token is chosen but never fed back.
  const int64_t pages = (max_length - 1 + SelfCache::kPageTokens - 1) / SelfCache::kPageTokens;
  return rows * pages * pool_.page_bytes() + CrossBytes(source_tokens);
}

void StepRunner::Observe(StepPhase phase, size_t sequences, int64_t tokens,
                         absl::Duration duration) {
  if (observer_ == nullptr) return;
  observer_->OnStep({phase, static_cast<int>(sequences), tokens, duration});
}

// Counted first: a projection that fails half-way must be given back as a whole.
void StepRunner::ProjectCross(ConstMatrixView encoded, Sequence* sequence) {
  sequence->cross_bytes = CrossBytes(encoded.rows);
  pool_.AddCrossBytes(sequence->cross_bytes);
  model_->ProjectCross(encoded, workspace_.get(), &sequence->cross);
}

void StepRunner::Release(Sequence* sequence) {
  sequence->rows.clear();
  if (!sequence->candidates.empty()) outputs_->Remove(sequence->candidates);
  sequence->candidates.clear();
  sequence->cross = CrossCache();
  pool_.AddCrossBytes(-std::exchange(sequence->cross_bytes, 0));
}

// The scratch memory goes as well: what just ran out is needed elsewhere.
void StepRunner::Recover() {
  rearranged_.clear();
  decode_rows_.clear();
  decoded_.clear();
  attention_observers_.clear();
  hidden_ = Matrix();
  logits_ = Matrix();
  *workspace_ = Workspace();
  pool_.Trim(0);
}

void StepRunner::Trim() {
  pool_.Trim(kKeptPoolBytes);
  for (Matrix* matrix : {&hidden_, &logits_}) {
    if (matrix->allocated_bytes() > kKeptMatrixBytes) *matrix = Matrix();
  }
  const Workspace& scratch = *workspace_;
  const size_t scratch_bytes = scratch.projected.allocated_bytes() +
                               scratch.intermediate.allocated_bytes() +
                               scratch.probabilities.capacity() * sizeof(float);
  // Only the tokens of every list are in it when nothing runs.
  if (outputs_ != nullptr && outputs_->allocated_bytes() > int64_t{kKeptMatrixBytes})
    outputs_ = model_->MakeOutputSubset();
  if (scratch_bytes > kKeptMatrixBytes) workspace_ = MakeWorkspace();
}

void StepRunner::Run(const StepPlan& plan, const SequenceTable& table) {
  if (!plan.forced.empty()) RunForced(plan.forced, table);
  if (!plan.encode.empty()) RunEncode(plan.encode, table);
  if (!plan.decode.empty()) RunDecode(plan.decode, table);
}

void StepRunner::RunForced(absl::Span<const SequenceId> ids, const SequenceTable& table) {
  const MonotonicTime begin = MonotonicNow();
  sources_.Clear();
  attention_observers_.clear();
  for (const SequenceId id : ids) {
    const GenerationRequest& request = *Find(table, id)->request;
    sources_.Add(request.source_ids);
    attention_observers_.push_back(request.observer);
  }
  model_->Encode(sources_, attention_observers_, workspace_.get(), &hidden_);
  for (size_t i = 0; i < ids.size(); ++i) {
    const GenerationRequest& request = *Find(table, ids[i])->request;
    const int n = static_cast<int>(i);
    if (request.on_encoded)
      request.on_encoded(hidden_.view().Rows(sources_.begin(n), sources_.length(n)));
  }
  const MonotonicTime encoded = MonotonicNow();

  targets_.Clear();
  attention_observers_.clear();
  std::vector<const CrossCache*> crosses;
  for (size_t i = 0; i < ids.size(); ++i) {
    Sequence* sequence = Find(table, ids[i]);
    const GenerationRequest& request = *sequence->request;
    if (request.forced_target.empty()) continue;  // the encoder's weights only
    const int n = static_cast<int>(i);
    ProjectCross(hidden_.view().Rows(sources_.begin(n), sources_.length(n)), sequence);
    // The decoder reads the target one token late: row i is the step that writes token i.
    std::vector<int32_t> inputs = {request.options.decoder_start_token_id};
    inputs.insert(inputs.end(), request.forced_target.begin(), request.forced_target.end() - 1);
    targets_.Add(inputs);
    crosses.push_back(&sequence->cross);
    attention_observers_.push_back(request.observer);
  }
  if (!crosses.empty()) {
    model_->DecodeForced(targets_, crosses, attention_observers_, workspace_.get(), nullptr,
                         nullptr);
  }
  const MonotonicTime end = MonotonicNow();
  for (const SequenceId id : ids) {
    Sequence* sequence = Find(table, id);
    sequence->stats.encode = Elapsed(begin, encoded);
    sequence->stats.decode = Elapsed(encoded, end);
    sequence->stats.output_tokens = static_cast<int>(sequence->request->forced_target.size());
    sequence->stats.computed_tokens = sequence->stats.output_tokens;
    sequence->stats.peak_batch_sequences = static_cast<int>(ids.size());
  }
  Observe(StepPhase::kForced, ids.size(), sources_.total_tokens() + targets_.total_tokens(),
          Elapsed(begin, end));
}

void StepRunner::RunEncode(absl::Span<const SequenceId> ids, const SequenceTable& table) {
  const MonotonicTime begin = MonotonicNow();
  sources_.Clear();
  for (const SequenceId id : ids) sources_.Add(Find(table, id)->request->source_ids);
  model_->Encode(sources_, {}, workspace_.get(), &hidden_);
  for (size_t i = 0; i < ids.size(); ++i) {
    Sequence* sequence = Find(table, ids[i]);
    const int n = static_cast<int>(i);
    ProjectCross(hidden_.view().Rows(sources_.begin(n), sources_.length(n)), sequence);
    MakeSearchOf(sequence);
    sequence->rows.emplace_back(&pool_);
  }
  const absl::Duration duration = Elapsed(begin, MonotonicNow());
  for (const SequenceId id : ids) Find(table, id)->stats.encode = duration;
  Observe(StepPhase::kEncode, ids.size(), sources_.total_tokens(), duration);
}

void StepRunner::MakeSearchOf(Sequence* sequence) {
  const GenerationRequest& request = *sequence->request;
  std::vector<int32_t> candidates;
  if (outputs_ != nullptr) {
    candidates =
        model_->shortlist()->CandidatesOf(request.source_ids, RequiredTokens(request.options));
  }
  if (candidates.empty()) {
    sequence->search =
        MakeSearch(request.options, request.source_ids, model_->spec().target_vocab_size);
    return;
  }
  outputs_->Add(candidates);
  sequence->candidates = std::move(candidates);  // from now on Release takes them out
  sequence->search =
      MakeShortlistedSearch(request.options, request.source_ids, sequence->candidates);
}

// Logits of all rows; whether they are cut down to outputs_. One sequence that may write anything
// makes the whole projection worth its while for all.
bool StepRunner::ComputeLogits(absl::Span<const SequenceId> ids, const SequenceTable& table) {
  const bool are_cut_down =
      outputs_ != nullptr && std::all_of(ids.begin(), ids.end(), [&](SequenceId id) {
        return !Find(table, id)->candidates.empty();
      });
  if (are_cut_down) {
    model_->DecodeStep(decode_rows_, *outputs_, workspace_.get(), &logits_);
  } else {
    model_->DecodeStep(decode_rows_, workspace_.get(), &logits_);
  }
  return are_cut_down;
}

// What the sequence's search gets of its rows: its own candidates only, so that its result
// does not depend on whose tokens are beside them.
MatrixView StepRunner::LogitsOf(Sequence* sequence, MatrixView rows, bool are_cut_down) const {
  if (sequence->candidates.empty()) return rows;
  if (are_cut_down && sequence->slots_layout != outputs_->layout()) {
    outputs_->SlotsOf(sequence->candidates, &sequence->slots);
    sequence->slots_layout = outputs_->layout();
  }
  const std::vector<int32_t>& columns = are_cut_down ? sequence->slots : sequence->candidates;
  sequence->own_logits.Resize(rows.rows, static_cast<int64_t>(columns.size()));
  for (int64_t r = 0; r < rows.rows; ++r) {
    const float* from = rows.row(r);
    float* to = sequence->own_logits.row(r);
    for (const int32_t column : columns) *to++ = from[column];
  }
  return sequence->own_logits.view();
}

// Searches share nothing, so they run side by side. Rows are shared out, because several beams are
// several times the work; a search goes where its first row goes.
void StepRunner::AdvanceSearches(bool are_cut_down) {
  const int64_t least_rows = 1 + kLeastLogitsOfThread / std::max<int64_t>(1, logits_.cols());
  ParallelFor(logits_.rows(), least_rows, [&](int64_t begin, int64_t end) {
    for (const Decoded& decoded : decoded_) {
      if (decoded.first_row < begin || decoded.first_row >= end) continue;
      Sequence* sequence = decoded.sequence;
      const MatrixView rows =
          logits_.view().Rows(decoded.first_row, static_cast<int64_t>(sequence->rows.size()));
      sequence->search->Advance(LogitsOf(sequence, rows, are_cut_down));
    }
  });
}

// Gives every row of the search the cache of the row that it continues.
void StepRunner::Rearrange(Sequence* sequence) {
  const absl::Span<const SearchRow> next = sequence->search->rows();
  uses_.assign(sequence->rows.size(), 0);
  for (const SearchRow& row : next) ++uses_[static_cast<size_t>(row.parent)];
  rearranged_.clear();
  for (const SearchRow& row : next) {
    const auto parent = static_cast<size_t>(row.parent);
    // The last to continue a row takes its cache over; those before share its pages.
    if (--uses_[parent] == 0) {
      rearranged_.push_back(std::move(sequence->rows[parent]));
    } else {
      rearranged_.push_back(sequence->rows[parent].Fork());
    }
  }
  sequence->rows.swap(rearranged_);
  rearranged_.clear();
}

void StepRunner::RunDecode(absl::Span<const SequenceId> ids, const SequenceTable& table) {
  const MonotonicTime begin = MonotonicNow();
  decode_rows_.clear();
  decoded_.clear();
  for (const SequenceId id : ids) {
    Sequence* sequence = Find(table, id);
    const absl::Span<const SearchRow> rows = sequence->search->rows();
    ATTEND_CHECK(!rows.empty() && rows.size() == sequence->rows.size(),
                 "rows and caches of a sequence differ");
    decoded_.push_back({sequence, static_cast<int64_t>(decode_rows_.size())});
    for (size_t r = 0; r < rows.size(); ++r) {
      decode_rows_.push_back({rows[r].token, &sequence->rows[r], &sequence->cross});
    }
  }
  const auto num_rows = static_cast<int64_t>(decode_rows_.size());
  AdvanceSearches(ComputeLogits(ids, table));
  // One after the other: all take pages from the one pool.
  for (const Decoded& decoded : decoded_) {
    Sequence* sequence = decoded.sequence;
    sequence->stats.computed_tokens += static_cast<int>(sequence->rows.size());
    Rearrange(sequence);
  }
  const MonotonicTime end = MonotonicNow();
  for (const SequenceId id : ids) {
    Sequence* sequence = Find(table, id);
    SequenceStats& stats = sequence->stats;
    stats.decode += Elapsed(begin, end);
    stats.peak_batch_sequences = std::max(stats.peak_batch_sequences, static_cast<int>(ids.size()));
    if (stats.time_to_first_token == absl::ZeroDuration()) {
      stats.time_to_first_token = Elapsed(sequence->submitted, end);
      if (observer_ != nullptr) observer_->OnFirstToken(stats.time_to_first_token);
    }
  }
  Observe(StepPhase::kDecode, ids.size(), num_rows, Elapsed(begin, end));
}

}  // namespace attend
