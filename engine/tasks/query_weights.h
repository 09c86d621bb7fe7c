// What the tokens of a query and the other tokens of its text give each other, kept while a pass
// runs: two numbers a token instead of a matrix.
#pragma once

#include <vector>

#include "engine/layers/attention_observer.h"
#include "engine/tasks/attention_selection.h"

namespace attend {

class QueryWeights : public AttentionObserver {
 public:
  // `query`: indices of its tokens, at least one.
  QueryWeights(KindHeads heads, std::vector<int> query, int num_tokens);

  bool Wants(AttentionKind kind, int layer) const override;
  // REQUIRES: weights cover the text's tokens.
  void OnAttention(const AttentionSite& site, ConstMatrixView weights) override;

  // Per token, mean over the heads: what the query gives it (mean over the query's rows), and what
  // it gives the query (sum over the query's columns). Columns of special tokens count like all
  // others: a head that has nothing to say parks its attention there, and so weighs little.
  const std::vector<float>& from_query() const { return from_query_; }
  const std::vector<float>& to_query() const { return to_query_; }

 private:
  const KindHeads heads_;
  const std::vector<int> query_;
  float head_share_;
  std::vector<float> from_query_, to_query_;
};

}  // namespace attend
