// Means, maxima and word folds are linear or element-wise, so one running matrix per kind is all
// that is held; only rollout (Abnar & Zuidema 2020: multiply A + I, row-normalised, through the
// layers) keeps one mean a layer. Order of work on a row: drop special columns and scale to one,
// then sum columns and average rows into words, then keep what is large enough.
#include "engine/tasks/attention_fold.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "engine/base/check.h"

namespace attend {
namespace {

bool Contains(const std::vector<int>& sorted, int value) {
  return std::binary_search(sorted.begin(), sorted.end(), value);
}

// Adds (scaled) or takes the maximum of `weights` into `sum`, in its shape.
void Accumulate(ConstMatrixView weights, float scale, bool maximum, Matrix* sum) {
  for (int64_t r = 0; r < sum->rows(); ++r) {
    const float* in = weights.row(r);
    float* out = sum->row(r);
    for (int64_t c = 0; c < sum->cols(); ++c) {
      out[c] = maximum ? std::max(out[c], in[c]) : out[c] + scale * in[c];
    }
  }
}

// (A + I) with rows scaled to one, in place.
void AddIdentity(Matrix* a) {
  for (int64_t r = 0; r < a->rows(); ++r) {
    float* row = a->row(r);
    row[r] += 1.0f;
    const float sum = std::accumulate(row, row + a->cols(), 0.0f);
    for (int64_t c = 0; c < a->cols(); ++c) row[c] /= sum;
  }
}

Matrix Multiply(const Matrix& a, const Matrix& b) {
  Matrix out(a.rows(), b.cols());
  out.SetZero();
  for (int64_t r = 0; r < a.rows(); ++r) {
    float* to = out.row(r);
    for (int64_t k = 0; k < a.cols(); ++k) {
      const float factor = a.row(r)[k];
      if (factor == 0.0f) continue;  // causal attention is half zeros
      const float* from = b.row(k);
      for (int64_t c = 0; c < b.cols(); ++c) to[c] += factor * from[c];
    }
  }
  return out;
}

void ScaleToOne(std::vector<float>* row) {
  const float sum = std::accumulate(row->begin(), row->end(), 0.0f);
  if (sum <= 0.0f) return;
  for (float& weight : *row) weight /= sum;
}

// One row of the answer in the making. Only columns that were touched are looked at again: words
// may be far more than tokens (an unknown token can cover a page of Chinese).
class AnswerRow {
 public:
  explicit AnswerRow(int columns) : weights_(static_cast<size_t>(columns), 0.0f) {}

  void Add(int column, float weight) {
    float& to = weights_[static_cast<size_t>(column)];
    if (weight == 0.0f) return;
    if (to == 0.0f) touched_.push_back(static_cast<uint32_t>(column));
    to += weight;
  }
  void ScaleToOne() {
    float sum = 0;
    for (uint32_t column : touched_) sum += weights_[column];
    if (sum <= 0.0f) return;
    for (uint32_t column : touched_) weights_[column] /= sum;
  }
  void WriteDense(float* to) const {
    for (uint32_t column : touched_) to[column] = weights_[column];
  }
  // The largest weights first, the earlier column on a tie.
  void AppendSparse(int top_k, float min_weight, AttentionMatrix* out) {
    touched_.erase(std::remove_if(touched_.begin(), touched_.end(),
                                  [&](uint32_t c) { return Drop(c, min_weight); }),
                   touched_.end());
    const size_t keep =
        top_k > 0 ? std::min(touched_.size(), static_cast<size_t>(top_k)) : touched_.size();
    std::partial_sort(touched_.begin(), touched_.begin() + static_cast<ptrdiff_t>(keep),
                      touched_.end(), [this](uint32_t a, uint32_t b) {
                        return weights_[a] != weights_[b] ? weights_[a] > weights_[b] : a < b;
                      });
    for (size_t i = 0; i < keep; ++i) {
      out->column_indices.push_back(touched_[i]);
      out->weights.push_back(weights_[touched_[i]]);
    }
  }
  void Clear() {
    for (uint32_t column : touched_) weights_[column] = 0.0f;
    touched_.clear();
  }

 private:
  // Forgets the column when its weight is too small to be told.
  bool Drop(uint32_t column, float min_weight) {
    if (weights_[column] >= min_weight) return false;
    weights_[column] = 0.0f;
    return true;
  }

  std::vector<float> weights_;
  std::vector<uint32_t> touched_;
};

}  // namespace

FoldAxis::FoldAxis(const TextAxis& axis, AttentionGranularity granularity, bool drop_special) {
  const size_t count = axis.tokens.size();
  slot.assign(count, -1);
  share.assign(count, 1.0f);
  dropped.assign(count, false);
  for (size_t i = 0; i < count; ++i) dropped[i] = drop_special && axis.tokens[i].special;
  if (granularity == AttentionGranularity::kToken) {
    for (size_t i = 0; i < count; ++i) {
      if (dropped[i]) continue;
      slot[i] = size++;
      order.push_back(static_cast<int>(i));
    }
    return;
  }
  size = static_cast<int>(axis.words.size());
  std::vector<int> members(axis.words.size(), 0);
  for (size_t i = 0; i < count; ++i) {
    slot[i] = axis.tokens[i].special ? -1 : axis.tokens[i].word;
    if (slot[i] < 0) continue;
    ++members[static_cast<size_t>(slot[i])];
    order.push_back(static_cast<int>(i));
  }
  std::stable_sort(order.begin(), order.end(), [this](int a, int b) {
    return slot[static_cast<size_t>(a)] < slot[static_cast<size_t>(b)];
  });
  for (size_t i = 0; i < count; ++i) {
    if (slot[i] >= 0) share[i] = 1.0f / static_cast<float>(members[static_cast<size_t>(slot[i])]);
  }
}

AttentionFolder::AttentionFolder(ResolvedSelection selection, const TextAxis& source,
                                 const TextAxis& target)
    : selection_(std::move(selection)),
      source_(source, selection_.granularity, selection_.drop_special),
      target_(target, selection_.granularity, selection_.drop_special) {
  for (const KindHeads& kind : selection_.kinds) {
    Fold fold;
    fold.rows = kind.kind == AttentionKind::kEncoderSelf ? &source_ : &target_;
    fold.columns = kind.kind == AttentionKind::kDecoderSelf ? &target_ : &source_;
    for (const std::vector<int>& heads : kind.heads) fold.num_layers += heads.empty() ? 0 : 1;
    folds_.push_back(std::move(fold));
  }
}

bool AttentionFolder::Wants(AttentionKind kind, int layer) const {
  for (const KindHeads& k : selection_.kinds) {
    if (k.kind != kind) continue;
    return layer >= 0 && static_cast<size_t>(layer) < k.heads.size() &&
           !k.heads[static_cast<size_t>(layer)].empty();
  }
  return false;
}

void AttentionFolder::OnAttention(const AttentionSite& site, ConstMatrixView weights) {
  if (!Wants(site.kind, site.layer)) return;
  size_t k = 0;
  while (selection_.kinds[k].kind != site.kind) ++k;
  const std::vector<int>& heads = selection_.kinds[k].heads[static_cast<size_t>(site.layer)];
  if (!Contains(heads, site.head)) return;
  Fold& fold = folds_[k];
  const int64_t rows = static_cast<int64_t>(fold.rows->slot.size());
  const int64_t columns = static_cast<int64_t>(fold.columns->slot.size());
  ATTEND_CHECK(weights.rows >= rows && weights.cols >= columns,
               "attention is smaller than its axes");

  if (selection_.reduction == AttentionReduction::kNone) {
    AttentionMatrix matrix = Shape(fold, site.kind, weights);
    matrix.head = HeadIndex{site.layer, site.head};
    fold.matrices.push_back(std::move(matrix));
    return;
  }
  const bool rollout = selection_.reduction == AttentionReduction::kRollout;
  ATTEND_CHECK(!rollout || site.layer >= fold.last_layer, "layers out of order");
  if (fold.sums.empty() || (rollout && site.layer != fold.last_layer)) {
    fold.sums.emplace_back(rows, columns);
    fold.sums.back().SetZero();
  }
  fold.last_layer = site.layer;
  float scale = 1.0f / static_cast<float>(heads.size());
  if (!rollout) scale /= static_cast<float>(fold.num_layers);
  Accumulate(weights, scale, selection_.reduction == AttentionReduction::kMax, &fold.sums.back());
}

std::vector<AttentionMatrix> AttentionFolder::Finish() {
  std::vector<AttentionMatrix> out;
  for (size_t k = 0; k < folds_.size(); ++k) {
    Fold& fold = folds_[k];
    if (selection_.reduction == AttentionReduction::kNone) {
      std::stable_sort(fold.matrices.begin(), fold.matrices.end(),
                       [](const auto& a, const auto& b) {
                         return std::make_pair(a.head->layer, a.head->head) <
                                std::make_pair(b.head->layer, b.head->head);
                       });
      for (AttentionMatrix& matrix : fold.matrices) out.push_back(std::move(matrix));
      continue;
    }
    Matrix sum;
    for (Matrix& layer : fold.sums) {
      if (selection_.reduction == AttentionReduction::kRollout) AddIdentity(&layer);
      sum = sum.rows() == 0 ? std::move(layer) : Multiply(layer, sum);
    }
    if (sum.rows() == 0) {  // an axis without tokens, or a pass that showed nothing
      sum.Resize(static_cast<int64_t>(fold.rows->slot.size()),
                 static_cast<int64_t>(fold.columns->slot.size()));
      sum.SetZero();
    }
    AttentionMatrix matrix = Shape(fold, selection_.kinds[k].kind, sum.view());
    out.push_back(std::move(matrix));
  }
  folds_.clear();
  return out;
}

AttentionMatrix AttentionFolder::Shape(const Fold& fold, AttentionKind kind,
                                       ConstMatrixView weights) const {
  const FoldAxis& rows = *fold.rows;
  const FoldAxis& columns = *fold.columns;
  AttentionMatrix out;
  out.kind = kind;
  out.rows = rows.size;
  out.columns = columns.size;
  out.sparse = selection_.sparse();
  if (out.sparse) {
    out.row_offsets.push_back(0);
  } else {
    out.weights.assign(static_cast<size_t>(rows.size) * static_cast<size_t>(columns.size), 0.0f);
  }
  const bool as_is = !out.sparse && !selection_.drop_special &&
                     selection_.granularity == AttentionGranularity::kToken;
  if (as_is) {  // most of what is asked for in bulk: this thread is the engine loop's
    for (int r = 0; r < rows.size; ++r) {
      std::copy_n(weights.row(r), columns.size,
                  out.weights.begin() + static_cast<ptrdiff_t>(r) * columns.size);
    }
    return out;
  }
  AnswerRow row(columns.size);
  std::vector<float> kept(columns.slot.size());
  size_t next = 0;
  for (int r = 0; r < rows.size; ++r) {
    for (; next < rows.order.size() && rows.slot[static_cast<size_t>(rows.order[next])] == r;
         ++next) {
      const int token = rows.order[next];
      const float* in = weights.row(token);
      for (size_t c = 0; c < kept.size(); ++c) kept[c] = columns.dropped[c] ? 0.0f : in[c];
      if (selection_.drop_special) ScaleToOne(&kept);
      for (int c : columns.order) {
        row.Add(columns.slot[static_cast<size_t>(c)],
                rows.share[static_cast<size_t>(token)] * kept[static_cast<size_t>(c)]);
      }
    }
    // Tokens of no word (a lone space piece) took some of a row along: words alone make up the row
    // again.
    if (selection_.drop_special && selection_.granularity == AttentionGranularity::kWord)
      row.ScaleToOne();
    if (out.sparse) {
      row.AppendSparse(selection_.top_k, selection_.min_weight, &out);
      out.row_offsets.push_back(static_cast<uint32_t>(out.weights.size()));
    } else {
      row.WriteDense(out.weights.data() +
                     static_cast<size_t>(r) * static_cast<size_t>(columns.size));
    }
    row.Clear();
  }
  return out;
}

AttentionResult MakeResult(const ResolvedSelection& selection, const TextAxis& source,
                           const TextAxis& target, std::vector<AttentionMatrix> matrices) {
  const auto listed = [&](const TextAxis& axis) {
    std::vector<AttendedToken> tokens;
    for (const AttendedToken& token : axis.tokens) {
      if (!selection.drop_special || !token.special) tokens.push_back(token);
    }
    return tokens;
  };
  AttentionResult result;
  result.source_tokens = listed(source);
  result.target_tokens = listed(target);
  result.source_words = source.words;
  result.target_words = target.words;
  result.matrices = std::move(matrices);
  return result;
}

bool AttentionFanOut::Wants(AttentionKind kind, int layer) const {
  return std::any_of(observers_.begin(), observers_.end(),
                     [&](const AttentionObserver* o) { return o->Wants(kind, layer); });
}

void AttentionFanOut::OnAttention(const AttentionSite& site, ConstMatrixView weights) {
  for (AttentionObserver* observer : observers_) {
    if (observer->Wants(site.kind, site.layer)) observer->OnAttention(site, weights);
  }
}

}  // namespace attend
