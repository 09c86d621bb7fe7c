// One block of a decoder: causal self-attention, cross-attention and feed-forward, each with its
// norm and residual. Runs whole sequences (forced) or one token a row against caches (step).
#pragma once

#include "absl/status/statusor.h"
#include "engine/layers/decode_row.h"
#include "engine/layers/feed_forward.h"
#include "engine/layers/multi_head_attention.h"
#include "engine/layers/norm.h"
#include "engine/layers/stack_spec.h"

namespace attend {

class DecoderLayer {
 public:
  // self_attention, cross_attention, feed_forward and a norm of each (….self_attention_norm, …).
  // `bias`: the stack's, or null.
  static absl::StatusOr<DecoderLayer> Load(const WeightSource& source, const StackSpec& spec,
                                           int layer, std::shared_ptr<const RelativeBias> bias);

  // Keys and values of an encoded source for this layer.
  void ProjectCross(ConstMatrixView encoded, Matrix* keys, Matrix* values) const {
    cross_attention_.Project(encoded, keys, values);
  }
  // x: [total_tokens, hidden_size], in place.
  void Forward(const RaggedBatch& batch, absl::Span<const CrossCache* const> cross,
               Observers observers, Workspace* workspace, MatrixView x) const;
  // x: [rows, hidden_size], in place. REQUIRES: caches have counted this token.
  void Step(absl::Span<const DecodeRow> rows, Workspace* workspace, MatrixView x) const;
  int64_t weight_bytes() const;

 private:
  struct Norms {
    ResidualNorm self_attention, cross_attention, feed_forward;
  };
  DecoderLayer(SelfAttention self_attention, CrossAttention cross_attention,
               FeedForward feed_forward, Norms norms)
      : self_attention_(std::move(self_attention)),
        cross_attention_(std::move(cross_attention)),
        feed_forward_(std::move(feed_forward)),
        norms_(std::move(norms)) {}
  void FeedForwardBlock(Workspace* workspace, MatrixView x) const;

  SelfAttention self_attention_;
  CrossAttention cross_attention_;
  FeedForward feed_forward_;
  Norms norms_;
};

}  // namespace attend
