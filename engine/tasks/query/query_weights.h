// What the tokens of a query and the other tokens of its text give each other, kept while a pass
// runs: three numbers a head and token instead of a matrix a head.
#pragma once

#include <vector>

#include "engine/layers/attention_observer.h"
#include "engine/tasks/attention_selection.h"
#include "engine/tasks/text_axis.h"

namespace attend {

class QueryWeights : public AttentionObserver {
 public:
  // `query`: indices of its tokens, at least one. The axis is read now and not kept.
  QueryWeights(KindHeads heads, std::vector<int> query, const TextAxis& axis);

  bool Wants(AttentionKind kind, int layer) const override;
  // REQUIRES: weights cover the text's tokens.
  void OnAttention(const AttentionSite& site, ConstMatrixView weights) override;

  // After the pass. What the query gives these tokens by one head: the mean of its rows, summed
  // over the tokens. What they give the query: the mean of their rows, summed over the query. Both
  // as in the word matrix of GetAttention with drop_special: rows without special tokens, scaled to
  // one. REQUIRES: `head` is one of the constructor's.
  float FromQuery(HeadIndex head, const std::vector<int>& tokens) const;
  float ToQuery(HeadIndex head, const std::vector<int>& tokens) const;

  // All of them, by layer, then head.
  const std::vector<HeadIndex>& heads() const { return heads_; }

 private:
  struct PerHead {
    std::vector<float> from;   // per token; sums to one over the words
    std::vector<float> to;     // per token: its row at the query
    std::vector<float> words;  // per token: its row at all words together
  };

  size_t IndexOf(HeadIndex head) const;

  const AttentionKind kind_;
  std::vector<HeadIndex> heads_;
  const std::vector<int> query_;
  std::vector<bool> is_special_, is_in_word_;  // per token
  std::vector<PerHead> weights_;               // per head
};

}  // namespace attend
