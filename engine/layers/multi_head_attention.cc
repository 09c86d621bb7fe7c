// The scale of the scores is folded into the query projection at load. Sequences
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

// Into heads: query, key, value.
DenseSpec ProjectionSpec(const AttentionSpec& spec) {
  return {spec.hidden_size, spec.heads.width(), std::nullopt, 1.0f, spec.linear_bias};
}

DenseSpec QuerySpec(const AttentionSpec& spec) {
  DenseSpec query = ProjectionSpec(spec);
  switch (spec.score_scale) {
    case ScoreScale::kInverseSqrtHeadDim:
      query.scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(spec.heads.head_dim)));
      break;
    case ScoreScale::kNone:
      break;
  }
  return query;
}

DenseSpec OutputSpec(const AttentionSpec& spec) {
  return {spec.heads.width(), spec.hidden_size, std::nullopt, 1.0f, spec.linear_bias};
}

const DistanceBias* BiasOf(const AttentionSpec& spec) {
  return spec.relative_bias != nullptr ? spec.relative_bias->view() : nullptr;
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

AttentionSpec AttentionSpecOf(const StackSpec& spec, AttentionKind kind, int layer) {
  return {kind, layer, spec.heads(), spec.hidden_size, spec.linear_bias, spec.score_scale, nullptr};
}

absl::StatusOr<SelfAttention> SelfAttention::Load(const WeightSource& source,
                                                  const AttentionSpec& spec) {
  const DenseSpec projection = ProjectionSpec(spec);
  ATTEND_ASSIGN_OR_RETURN(Dense query_key_value, LoadFusedDense(source, {{"query", QuerySpec(spec)},
                                                                         {"key", projection},
                                                                         {"value", projection}}));
  ATTEND_ASSIGN_OR_RETURN(Dense output, LoadDense(source, "output", OutputSpec(spec)));
  return SelfAttention(spec, std::move(query_key_value), std::move(output));
}

void SelfAttention::Forward(ConstMatrixView x, const RaggedBatch& batch, Observers observers,
                            Workspace* workspace, Matrix* out) const {
  const int64_t width = spec_.heads.width();
  Matrix& projected = workspace->projected;
  projected.Resize(x.rows, 3 * width);
  query_key_value_.Run(x, projected.view());
  workspace->context.Resize(x.rows, width);
  for (int i = 0; i < batch.num_sequences(); ++i) {
    const int64_t begin = batch.begin(i), length = batch.length(i);
    SequenceAttention attention;
    attention.queries = Columns(projected, begin, length, 0, width);
    attention.keys = Columns(projected, begin, length, width, width);
    attention.values = Columns(projected, begin, length, 2 * width, width);
    attention.causal = spec_.kind == AttentionKind::kDecoderSelf;
    attention.out = workspace->context.view().Rows(begin, length);
    attention.bias = BiasOf(spec_);
    AttendObserved(spec_, attention, ObserverOf(observers, i), workspace);
  }
  out->Resize(x.rows, output_.outputs());
  output_.Run(workspace->context.view(), out->view());
}

void SelfAttention::Step(ConstMatrixView x, absl::Span<const DecodeRow> rows, Workspace* workspace,
                         Matrix* out) const {
  const int64_t width = spec_.heads.width();
  const size_t row_bytes = static_cast<size_t>(width) * sizeof(float);
  Matrix& projected = workspace->projected;
  projected.Resize(x.rows, 3 * width);
  query_key_value_.Run(x, projected.view());
  workspace->context.Resize(x.rows, width);

  // All runs first: queries point into the vector.
  constexpr int kPage = SelfCache::kPageTokens;
  workspace->runs.clear();
  for (size_t r = 0; r < rows.size(); ++r) {
    SelfCache* cache = rows[r].self;
    const int length = cache->length();
    const float* row = projected.row(static_cast<int64_t>(r));
    std::memcpy(cache->key(spec_.layer, length - 1), row + width, row_bytes);
    std::memcpy(cache->value(spec_.layer, length - 1), row + 2 * width, row_bytes);
    for (int token = 0; token < length; token += kPage) {
      workspace->runs.push_back({cache->key(spec_.layer, token), cache->value(spec_.layer, token),
                                 std::min(kPage, length - token), width});
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
  AttendRows(spec_.heads, workspace->queries, BiasOf(spec_));
  out->Resize(x.rows, output_.outputs());
  output_.Run(workspace->context.view(), out->view());
}

absl::StatusOr<CrossAttention> CrossAttention::Load(const WeightSource& source,
                                                    const AttentionSpec& spec) {
  const DenseSpec projection = ProjectionSpec(spec);
  ATTEND_ASSIGN_OR_RETURN(Dense query, LoadDense(source, "query", QuerySpec(spec)));
  ATTEND_ASSIGN_OR_RETURN(Dense key, LoadDense(source, "key", projection));
  ATTEND_ASSIGN_OR_RETURN(Dense value, LoadDense(source, "value", projection));
  ATTEND_ASSIGN_OR_RETURN(Dense output, LoadDense(source, "output", OutputSpec(spec)));
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
  const int64_t width = spec_.heads.width();
  const size_t layer = static_cast<size_t>(spec_.layer);
  workspace->projected.Resize(x.rows, width);
  query_.Run(x, workspace->projected.view());
  workspace->context.Resize(x.rows, width);
  for (int i = 0; i < batch.num_sequences(); ++i) {
    const int64_t begin = batch.begin(i), length = batch.length(i);
    const CrossCache& source = *cross[static_cast<size_t>(i)];
    SequenceAttention attention;
    attention.queries = workspace->projected.view().Rows(begin, length);
    attention.keys = source.keys[layer].view();
    attention.values = source.values[layer].view();
    attention.out = workspace->context.view().Rows(begin, length);
    attention.bias = BiasOf(spec_);
    AttendObserved(spec_, attention, ObserverOf(observers, i), workspace);
  }
  out->Resize(x.rows, output_.outputs());
  output_.Run(workspace->context.view(), out->view());
}

void CrossAttention::Step(ConstMatrixView x, absl::Span<const DecodeRow> rows, Workspace* workspace,
                          Matrix* out) const {
  const int64_t width = spec_.heads.width();
  const size_t layer = static_cast<size_t>(spec_.layer);
  workspace->projected.Resize(x.rows, width);
  query_.Run(x, workspace->projected.view());
  workspace->context.Resize(x.rows, width);
  workspace->runs.clear();
  for (const DecodeRow& row : rows) {
    const Matrix& keys = row.cross->keys[layer];
    workspace->runs.push_back({keys.data(), row.cross->values[layer].data(), keys.rows(), width});
  }
  workspace->queries.clear();
  for (size_t r = 0; r < rows.size(); ++r) {
    const int64_t index = static_cast<int64_t>(r);
    workspace->queries.push_back(
        {workspace->projected.row(index), {&workspace->runs[r], 1}, workspace->context.row(index)});
  }
  AttendRows(spec_.heads, workspace->queries, BiasOf(spec_));
  out->Resize(x.rows, output_.outputs());
  output_.Run(workspace->context.view(), out->view());
}

}  // namespace attend
