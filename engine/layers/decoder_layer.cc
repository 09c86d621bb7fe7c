// Forward and Step differ only in where keys and values come from; norms and feed-forward are the
// same calls, so that both give the same numbers.
#include "engine/layers/decoder_layer.h"

#include "engine/base/status_macros.h"

namespace attend {

absl::StatusOr<DecoderLayer> DecoderLayer::Load(const WeightSource& source, const StackSpec& spec,
                                                int layer,
                                                std::shared_ptr<const RelativeBias> bias) {
  const NormSpec norm = NormSpecOf(spec);
  Norms norms;
  AttentionSpec self = AttentionSpecOf(spec, AttentionKind::kDecoderSelf, layer);
  self.relative_bias = std::move(bias);
  ATTEND_ASSIGN_OR_RETURN(SelfAttention self_attention,
                          SelfAttention::Load(source.Sub("self_attention"), self));
  ATTEND_ASSIGN_OR_RETURN(norms.self_attention, ResidualNorm::Load(source, "self_attention_norm",
                                                                   norm, spec.norm_placement));
  ATTEND_ASSIGN_OR_RETURN(
      CrossAttention cross_attention,
      CrossAttention::Load(source.Sub("cross_attention"),
                           AttentionSpecOf(spec, AttentionKind::kCross, layer)));
  ATTEND_ASSIGN_OR_RETURN(norms.cross_attention, ResidualNorm::Load(source, "cross_attention_norm",
                                                                    norm, spec.norm_placement));
  ATTEND_ASSIGN_OR_RETURN(FeedForward feed_forward,
                          FeedForward::Load(source.Sub("feed_forward"), FeedForwardSpecOf(spec)));
  ATTEND_ASSIGN_OR_RETURN(norms.feed_forward, ResidualNorm::Load(source, "feed_forward_norm", norm,
                                                                 spec.norm_placement));
  return DecoderLayer(std::move(self_attention), std::move(cross_attention),
                      std::move(feed_forward), std::move(norms));
}

void DecoderLayer::Forward(const RaggedBatch& batch, absl::Span<const CrossCache* const> cross,
                           Observers observers, Workspace* workspace, MatrixView x) const {
  self_attention_.Forward(norms_.self_attention.Enter(x, &workspace->normed), batch, observers,
                          workspace, &workspace->sublayer);
  norms_.self_attention.Leave(workspace->sublayer.view(), x);
  cross_attention_.Forward(norms_.cross_attention.Enter(x, &workspace->normed), batch, cross,
                           observers, workspace, &workspace->sublayer);
  norms_.cross_attention.Leave(workspace->sublayer.view(), x);
  FeedForwardBlock(workspace, x);
}

void DecoderLayer::Step(absl::Span<const DecodeRow> rows, Workspace* workspace,
                        MatrixView x) const {
  self_attention_.Step(norms_.self_attention.Enter(x, &workspace->normed), rows, workspace,
                       &workspace->sublayer);
  norms_.self_attention.Leave(workspace->sublayer.view(), x);
  cross_attention_.Step(norms_.cross_attention.Enter(x, &workspace->normed), rows, workspace,
                        &workspace->sublayer);
  norms_.cross_attention.Leave(workspace->sublayer.view(), x);
  FeedForwardBlock(workspace, x);
}

void DecoderLayer::FeedForwardBlock(Workspace* workspace, MatrixView x) const {
  feed_forward_.Forward(norms_.feed_forward.Enter(x, &workspace->normed), workspace,
                        &workspace->sublayer);
  norms_.feed_forward.Leave(workspace->sublayer.view(), x);
}

int64_t DecoderLayer::weight_bytes() const {
  return self_attention_.weight_bytes() + cross_attention_.weight_bytes() +
         feed_forward_.weight_bytes() + norms_.self_attention.weight_bytes() +
         norms_.cross_attention.weight_bytes() + norms_.feed_forward.weight_bytes();
}

}  // namespace attend
