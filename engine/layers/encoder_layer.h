// One block of an encoder: self-attention and feed-forward, each with its norm and residual.
#pragma once

#include "absl/status/statusor.h"
#include "engine/layers/feed_forward.h"
#include "engine/layers/multi_head_attention.h"
#include "engine/layers/norm.h"
#include "engine/layers/stack_spec.h"

namespace attend {

class EncoderLayer {
 public:
  // self_attention, self_attention_norm, feed_forward, feed_forward_norm.
  // `bias`: the stack's, or null.
  static absl::StatusOr<EncoderLayer> Load(const WeightSource& source, const StackSpec& spec,
                                           int layer, std::shared_ptr<const RelativeBias> bias);

  // x: [total_tokens, hidden_size], in place.
  void Forward(const RaggedBatch& batch, Observers observers, Workspace* workspace,
               MatrixView x) const;
  int64_t weight_bytes() const;

 private:
  EncoderLayer(SelfAttention attention, ResidualNorm attention_norm, FeedForward feed_forward,
               ResidualNorm feed_forward_norm)
      : attention_(std::move(attention)),
        attention_norm_(std::move(attention_norm)),
        feed_forward_(std::move(feed_forward)),
        feed_forward_norm_(std::move(feed_forward_norm)) {}
  SelfAttention attention_;
  ResidualNorm attention_norm_;
  FeedForward feed_forward_;
  ResidualNorm feed_forward_norm_;
};

}  // namespace attend
