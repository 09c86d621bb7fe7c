// Attention between the sentences of a text, folded window by window as an encoder computes it.
#pragma once

#include <vector>

#include "engine/layers/attention_observer.h"
#include "engine/tasks/attention_types.h"
#include "engine/tasks/summary/sentence_windows.h"

namespace attend {

// Which layers count, all their heads alike.
struct SentenceAttentionOptions {
  int first_layer = 0, num_layers = 0;
};

// Watches one window. OnAttention runs on the engine loop's thread; read the result when the pass
// is over.
class WindowAttention : public AttentionObserver {
 public:
  // `window` outlives it.
  WindowAttention(const SentenceWindow* window, const SentenceAttentionOptions& options);

  bool Wants(AttentionKind kind, int layer) const override;
  void OnAttention(const AttentionSite& site, ConstMatrixView weights) override;

  // [parts][parts]: attention that the tokens of part r pay to those of part c, summed over tokens,
  // mean over the heads watched; row-major.
  std::vector<double> Mass() const;

 private:
  const SentenceWindow* const window_;
  const SentenceAttentionOptions options_;
  std::vector<double> mass_;
  std::vector<float> columns_;  // scratch
  int num_heads_ = 0;           // seen
};

// All windows together as a matrix over the sentences. Rows say where a sentence's attention goes
// and sum to one; attention to special tokens is left out. Sparse where there are many sentences:
// no sentence attends to one of another window.
AttentionMatrix JoinSentenceAttention(const std::vector<SentenceWindow>& windows,
                                      const std::vector<std::vector<double>>& mass,
                                      int num_sentences);

}  // namespace attend
