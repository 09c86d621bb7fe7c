// One walk over each matrix, on the engine loop's thread, as folding it would be.
#include "engine/tasks/query/query_weights.h"

#include <algorithm>
#include <utility>

#include "engine/base/check.h"

namespace attend {
namespace {

std::vector<HeadIndex> Flatten(const KindHeads& heads) {
  std::vector<HeadIndex> flat;
  for (size_t layer = 0; layer < heads.heads.size(); ++layer) {
    for (const int head : heads.heads[layer]) flat.push_back({static_cast<int>(layer), head});
  }
  return flat;
}

}  // namespace

QueryWeights::QueryWeights(KindHeads heads, std::vector<int> query, const TextAxis& axis)
    : kind_(heads.kind), heads_(Flatten(heads)), query_(std::move(query)) {
  ATTEND_CHECK(!query_.empty(), "a query has tokens");
  for (const AttendedToken& token : axis.tokens) {
    is_special_.push_back(token.special);
    is_in_word_.push_back(!token.special && token.word >= 0);
  }
  const std::vector<float> zeros(axis.tokens.size(), 0.0f);
  weights_.assign(heads_.size(), {zeros, zeros, zeros});
}

bool QueryWeights::Wants(AttentionKind kind, int layer) const {
  return kind == kind_ && std::any_of(heads_.begin(), heads_.end(),
                                      [layer](HeadIndex h) { return h.layer == layer; });
}

void QueryWeights::OnAttention(const AttentionSite& site, ConstMatrixView weights) {
  const HeadIndex head{site.layer, site.head};
  if (site.kind != kind_ || std::find(heads_.begin(), heads_.end(), head) == heads_.end()) return;
  const size_t size = is_special_.size();
  ATTEND_CHECK(
      weights.rows >= static_cast<int64_t>(size) && weights.cols >= static_cast<int64_t>(size),
      "attention is smaller than its text");
  PerHead& out = weights_[IndexOf(head)];
  // Of each row, special columns left out. It may be so small that its inverse is infinite: a head
  // that has nothing to say gives all but nothing to ordinary tokens. So it is divided by.
  std::vector<float> ordinary(size, 0.0f);
  for (size_t r = 0; r < size; ++r) {
    const float* row = weights.row(static_cast<int64_t>(r));
    float in_words = 0;
    for (size_t c = 0; c < size; ++c) {
      if (!is_special_[c]) ordinary[r] += row[c];
      if (is_in_word_[c]) in_words += row[c];
    }
    if (ordinary[r] <= 0) continue;
    out.words[r] = in_words / ordinary[r];
    for (const int query : query_) out.to[r] += row[query] / ordinary[r];
  }
  float sum = 0;
  for (const int query : query_) {
    const float* row = weights.row(query);
    const float mass = ordinary[static_cast<size_t>(query)];
    for (size_t c = 0; c < size && mass > 0; ++c) {
      if (!is_in_word_[c]) continue;
      out.from[c] += row[c] / mass;
      sum += row[c] / mass;
    }
  }
  if (sum <= 0) return;
  for (float& weight : out.from) weight /= sum;
}

size_t QueryWeights::IndexOf(HeadIndex head) const {
  const auto found = std::find(heads_.begin(), heads_.end(), head);
  ATTEND_CHECK(found != heads_.end(), "a head that was not watched");
  return static_cast<size_t>(found - heads_.begin());
}

float QueryWeights::FromQuery(HeadIndex head, const std::vector<int>& tokens) const {
  const PerHead& weights = weights_[IndexOf(head)];
  float sum = 0;
  for (const int token : tokens) sum += weights.from[static_cast<size_t>(token)];
  return sum;
}

float QueryWeights::ToQuery(HeadIndex head, const std::vector<int>& tokens) const {
  const PerHead& weights = weights_[IndexOf(head)];
  float at_query = 0, at_words = 0;
  for (const int token : tokens) {
    at_query += weights.to[static_cast<size_t>(token)];
    at_words += weights.words[static_cast<size_t>(token)];
  }
  return at_words > 0 ? at_query / at_words : 0.0f;
}

}  // namespace attend
