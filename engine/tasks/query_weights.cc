// Linear in the text, on the engine loop's thread.
#include "engine/tasks/query_weights.h"

#include <algorithm>
#include <utility>

#include "engine/base/check.h"

namespace attend {

QueryWeights::QueryWeights(KindHeads heads, std::vector<int> query, int num_tokens)
    : heads_(std::move(heads)),
      query_(std::move(query)),
      from_query_(static_cast<size_t>(num_tokens), 0.0f),
      to_query_(static_cast<size_t>(num_tokens), 0.0f) {
  ATTEND_CHECK(!query_.empty(), "a query has tokens");
  size_t num_heads = 0;
  for (const std::vector<int>& layer : heads_.heads) num_heads += layer.size();
  head_share_ = 1.0f / static_cast<float>(std::max<size_t>(1, num_heads));
}

bool QueryWeights::Wants(AttentionKind kind, int layer) const {
  return kind == heads_.kind && layer >= 0 && static_cast<size_t>(layer) < heads_.heads.size() &&
         !heads_.heads[static_cast<size_t>(layer)].empty();
}

void QueryWeights::OnAttention(const AttentionSite& site, ConstMatrixView weights) {
  if (!Wants(site.kind, site.layer)) return;
  const std::vector<int>& heads = heads_.heads[static_cast<size_t>(site.layer)];
  if (!std::binary_search(heads.begin(), heads.end(), site.head)) return;
  const auto size = static_cast<int64_t>(from_query_.size());
  ATTEND_CHECK(weights.rows >= size && weights.cols >= size, "attention is smaller than its text");
  const float row_share = head_share_ / static_cast<float>(query_.size());
  for (const int query : query_) {
    const float* row = weights.row(query);
    for (int64_t t = 0; t < size; ++t) {
      from_query_[static_cast<size_t>(t)] += row_share * row[t];
      to_query_[static_cast<size_t>(t)] += head_share_ * weights.row(t)[query];
    }
  }
}

}  // namespace attend
