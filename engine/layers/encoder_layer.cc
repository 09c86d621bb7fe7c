// The order of things in a block is written here and nowhere else.
#include "engine/layers/encoder_layer.h"

#include "engine/base/status_macros.h"

namespace attend {

absl::StatusOr<EncoderLayer> EncoderLayer::Load(const WeightSource& source, const StackSpec& spec,
                                                int layer,
                                                std::shared_ptr<const RelativeBias> bias) {
  const NormSpec norm = NormSpecOf(spec);
  AttentionSpec self = AttentionSpecOf(spec, AttentionKind::kEncoderSelf, layer);
  self.relative_bias = std::move(bias);
  ATTEND_ASSIGN_OR_RETURN(SelfAttention attention,
                          SelfAttention::Load(source.Sub("self_attention"), self));
  ATTEND_ASSIGN_OR_RETURN(
      ResidualNorm attention_norm,
      ResidualNorm::Load(source, "self_attention_norm", norm, spec.norm_placement));
  ATTEND_ASSIGN_OR_RETURN(FeedForward feed_forward,
                          FeedForward::Load(source.Sub("feed_forward"), FeedForwardSpecOf(spec)));
  ATTEND_ASSIGN_OR_RETURN(
      ResidualNorm feed_forward_norm,
      ResidualNorm::Load(source, "feed_forward_norm", norm, spec.norm_placement));
  return EncoderLayer(std::move(attention), std::move(attention_norm), std::move(feed_forward),
                      std::move(feed_forward_norm));
}

void EncoderLayer::Forward(const RaggedBatch& batch, Observers observers, Workspace* workspace,
                           MatrixView x) const {
  attention_.Forward(attention_norm_.Enter(x, &workspace->normed), batch, observers, workspace,
                     &workspace->sublayer);
  attention_norm_.Leave(workspace->sublayer.view(), x);
  feed_forward_.Forward(feed_forward_norm_.Enter(x, &workspace->normed), workspace,
                        &workspace->sublayer);
  feed_forward_norm_.Leave(workspace->sublayer.view(), x);
}

int64_t EncoderLayer::weight_bytes() const {
  return attention_.weight_bytes() + attention_norm_.weight_bytes() + feed_forward_.weight_bytes() +
         feed_forward_norm_.weight_bytes();
}

}  // namespace attend
