// Folds attention as it arrives: an AttentionObserver that keeps only what the caller asked for, in
// the shape asked for. One folder serves one sequence. OnAttention runs on the engine loop's thread
// and does linear work only; the rest waits for Finish, which runs where the call is finished.
#pragma once

#include <vector>

#include "engine/layers/attention_observer.h"
#include "engine/tasks/attention_selection.h"
#include "engine/tasks/attention_types.h"
#include "engine/tasks/text_axis.h"
#include "engine/tensor/matrix.h"

namespace attend {

// Which token goes to which row or column of the answer.
struct FoldAxis {
  std::vector<int> slot;      // per token; -1: left out
  std::vector<float> share;   // per token, for rows: one part of its word
  std::vector<bool> dropped;  // per token: special, and left out before rows are scaled
  std::vector<int> order;     // tokens that are not left out, by slot
  int size = 0;               // rows or columns of the answer

  FoldAxis() = default;
  FoldAxis(const TextAxis& axis, AttentionGranularity granularity, bool drop_special);
};

class AttentionFolder : public AttentionObserver {
 public:
  // The axes are read now and not kept. A sequence without a decoder has an empty target axis.
  AttentionFolder(ResolvedSelection selection, const TextAxis& source, const TextAxis& target);

  bool Wants(AttentionKind kind, int layer) const override;
  // REQUIRES: weights cover the axes' tokens; layers of a kind arrive in ascending order.
  void OnAttention(const AttentionSite& site, ConstMatrixView weights) override;

  // The matrices, in the order of the selection's kinds, then layers and heads. Call once, after
  // the pass.
  std::vector<AttentionMatrix> Finish();

 private:
  // What is kept of one kind: finished matrices (kNone), one running fold (kMean, kMax), or one
  // mean a layer (kRollout).
  struct Fold {
    const FoldAxis* rows = nullptr;
    const FoldAxis* columns = nullptr;
    int num_layers = 0;  // with chosen heads
    std::vector<AttentionMatrix> matrices;
    std::vector<Matrix> sums;
    int last_layer = -1;
  };

  AttentionMatrix Shape(const Fold& fold, AttentionKind kind, ConstMatrixView weights) const;

  ResolvedSelection selection_;
  FoldAxis source_, target_;
  std::vector<Fold> folds_;  // one per kind of the selection
};

// Axes and matrices as the caller gets them: special tokens are left out when the selection drops
// them.
AttentionResult MakeResult(const ResolvedSelection& selection, const TextAxis& source,
                           const TextAxis& target, std::vector<AttentionMatrix> matrices);

// An observer that passes everything on to several: one forced pass serves a caller's selection and
// word alignment.
class AttentionFanOut : public AttentionObserver {
 public:
  void Add(AttentionObserver* observer) { observers_.push_back(observer); }
  bool Wants(AttentionKind kind, int layer) const override;
  void OnAttention(const AttentionSite& site, ConstMatrixView weights) override;

 private:
  std::vector<AttentionObserver*> observers_;
};

}  // namespace attend
