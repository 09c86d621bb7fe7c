// The scale 1/sqrt(head_dim) of the scores is folded into the query projection at load. Sequences
// are attended one by one over exactly their own tokens: no masks, no padding.
#include "engine/layers/multi_head_attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "engine/base/check.h"
#include "engine/base/status_macros.h"

namespace attend {
namespace {

DenseSpec ProjectionSpec(const HeadShape& heads) {
  return {heads.hidden_size(), heads.hidden_size(), std::nullopt};
}

DenseSpec QuerySpec(const HeadShape& heads) {
  DenseSpec spec = ProjectionSpec(heads);
  spec.scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(heads.head_dim)));
  return spec;
}

// Columns [first, first + count) of some rows.
ConstMatrixView Columns(const Matrix& matrix, int64_t first_row, int64_t rows, int64_t first,
                        int64_t count) {
  return {matrix.row(first_row) + first, rows, count, matrix.cols()};
}

// Attends one sequence, and shows the weights to its observer if that wants them.
void AttendObserved(const AttentionSpec& spec, SequenceAttention attention,
                    AttentionObserver* observer, Workspace* workspace) {
  if (observer == nullptr || !observer->Wants(spec.kind, spec.layer)) {
    AttendSequence(spec.heads, attention);
    return;
  }
  const int64_t rows = attention.queries.rows, count = attention.keys.rows;
  workspace->probabilities.resize(static_cast<size_t>(spec.heads.num_heads * rows * count));
  attention.probabilities = workspace->probabilities.data();
  AttendSequence(spec.heads, attention);
  for (int h = 0; h < spec.heads.num_heads; ++h) {
    observer->OnAttention({spec.kind, spec.layer, h},
                          {attention.probabilities + h * rows * count, rows, count, count});
  }
}

AttentionObserver* ObserverOf(Observers observers, int sequence) {
  return observers.empty() ? nullptr : observers[static_cast<size_t>(sequence)];
}

}  // namespace

absl::StatusOr<SelfAttention> SelfAttention::Load(const WeightSource& source,
                                                  const AttentionSpec& spec) {
  const DenseSpec projection = ProjectionSpec(spec.heads);
  ATTEND_ASSIGN_OR_RETURN(
      Dense query_key_value,
      LoadFusedDense(
          source, {{"query", QuerySpec(spec.heads)}, {"key", projection}, {"value", projection}}));
  ATTEND_ASSIGN_OR_RETURN(Dense output, LoadDense(source, "output", projection));
  return SelfAttention(spec, std::move(query_key_value), std::move(output));
}

void SelfAttention::Forward(ConstMatrixView x, const RaggedBatch& batch, Observers observers,
                            Workspace* workspace, Matrix* out) const {
  const int64_t hidden = spec_.heads.hidden_size();
  Matrix& projected = workspace->projected;
  projected.Resize(x.rows, 3 * hidden);
  query_key_value_.Run(x, projected.view());
  workspace->context.Resize(x.rows, hidden);
  for (int i = 0; i < batch.num_sequences(); ++i) {
    const int64_t begin = batch.begin(i), length = batch.length(i);
    SequenceAttention attention;
    attention.queries = Columns(projected, begin, length, 0, hidden);
    attention.keys = Columns(projected, begin, length, hidden, hidden);
    attention.values = Columns(projected, begin, length, 2 * hidden, hidden);
    attention.causal = spec_.kind == AttentionKind::kDecoderSelf;
    attention.out = workspace->context.view().Rows(begin, length);
    AttendObserved(spec_, attention, ObserverOf(observers, i), workspace);
  }
  out->Resize(x.rows, hidden);
  output_.Run(workspace->context.view(), out->view());
}

void SelfAttention::Step(ConstMatrixView x, absl::Span<const DecodeRow> rows, Workspace* workspace,
                         Matrix* out) const {
  const int64_t hidden = spec_.heads.hidden_size();
  const size_t row_bytes = static_cast<size_t>(hidden) * sizeof(float);
  Matrix& projected = workspace->projected;
  projected.Resize(x.rows, 3 * hidden);
  query_key_value_.Run(x, projected.view());
  workspace->context.Resize(x.rows, hidden);

  // All runs first: queries point into the vector.
  constexpr int kPage = SelfCache::kPageTokens;
  workspace->runs.clear();
  for (size_t r = 0; r < rows.size(); ++r) {
    SelfCache* cache = rows[r].self;
    const int length = cache->length();
    const float* row = projected.row(static_cast<int64_t>(r));
    std::memcpy(cache->key(spec_.layer, length - 1), row + hidden, row_bytes);
    std::memcpy(cache->value(spec_.layer, length - 1), row + 2 * hidden, row_bytes);
    for (int token = 0; token < length; token += kPage) {
      workspace->runs.push_back({cache->key(spec_.layer, token), cache->value(spec_.layer, token),
                                 std::min(kPage, length - token), hidden});
    }
  }
  workspace->queries.clear();
  const KeyValueRun* runs = workspace->runs.data();
  for (size_t r = 0; r < rows.size(); ++r) {
    const int64_t index = static_cast<int64_t>(r);
    const size_t pages = static_cast<size_t>((rows[r].self->length() + kPage - 1) / kPage);
    workspace->queries.push_back(
        {projected.row(index), {runs, pages}, workspace->context.row(index)});
    runs += pages;
  }
  AttendRows(spec_.heads, workspace->queries);
  out->Resize(x.rows, hidden);
  output_.Run(workspace->context.view(), out->view());
}

absl::StatusOr<CrossAttention> CrossAttention::Load(const WeightSource& source,
                                                    const AttentionSpec& spec) {
  const DenseSpec projection = ProjectionSpec(spec.heads);
  ATTEND_ASSIGN_OR_RETURN(Dense query, LoadDense(source, "query", QuerySpec(spec.heads)));
  ATTEND_ASSIGN_OR_RETURN(Dense key, LoadDense(source, "key", projection));
  ATTEND_ASSIGN_OR_RETURN(Dense value, LoadDense(source, "value", projection));
  ATTEND_ASSIGN_OR_RETURN(Dense output, LoadDense(source, "output", projection));
  return CrossAttention(spec, std::move(query), std::move(key), std::move(value),
                        std::move(output));
}

void CrossAttention::Project(ConstMatrixView encoded, Matrix* keys, Matrix* values) const {
  keys->Resize(encoded.rows, key_.outputs());
  values->Resize(encoded.rows, value_.outputs());
  key_.Run(encoded, keys->view());
  value_.Run(encoded, values->view());
}

void CrossAttention::Forward(ConstMatrixView x, const RaggedBatch& batch,
                             absl::Span<const CrossCache* const> cross, Observers observers,
                             Workspace* workspace, Matrix* out) const {
  const int64_t hidden = spec_.heads.hidden_size();
  const size_t layer = static_cast<size_t>(spec_.layer);
  workspace->projected.Resize(x.rows, hidden);
  query_.Run(x, workspace->projected.view());
  workspace->context.Resize(x.rows, hidden);
  for (int i = 0; i < batch.num_sequences(); ++i) {
    const int64_t begin = batch.begin(i), length = batch.length(i);
    const CrossCache& source = *cross[static_cast<size_t>(i)];
    SequenceAttention attention;
    attention.queries = workspace->projected.view().Rows(begin, length);
    attention.keys = source.keys[layer].view();
    attention.values = source.values[layer].view();
    attention.out = workspace->context.view().Rows(begin, length);
    AttendObserved(spec_, attention, ObserverOf(observers, i), workspace);
  }
  out->Resize(x.rows, hidden);
  output_.Run(workspace->context.view(), out->view());
}

void CrossAttention::Step(ConstMatrixView x, absl::Span<const DecodeRow> rows, Workspace* workspace,
                          Matrix* out) const {
  const int64_t hidden = spec_.heads.hidden_size();
  const size_t layer = static_cast<size_t>(spec_.layer);
  workspace->projected.Resize(x.rows, hidden);
  query_.Run(x, workspace->projected.view());
  workspace->context.Resize(x.rows, hidden);
  workspace->runs.clear();
  for (const DecodeRow& row : rows) {
    const Matrix& keys = row.cross->keys[layer];
    workspace->runs.push_back({keys.data(), row.cross->values[layer].data(), keys.rows(), hidden});
  }
  workspace->queries.clear();
  for (size_t r = 0; r < rows.size(); ++r) {
    const int64_t index = static_cast<int64_t>(r);
    workspace->queries.push_back(
        {workspace->projected.row(index), {&workspace->runs[r], 1}, workspace->context.row(index)});
  }
  AttendRows(spec_.heads, workspace->queries);
  out->Resize(x.rows, hidden);
  output_.Run(workspace->context.view(), out->view());
}

}  // namespace attend
