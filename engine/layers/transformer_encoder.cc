// One pass over all tokens of all sequences; only attention knows where a sequence ends.
#include "engine/layers/transformer_encoder.h"

#include <string>
#include <utility>

#include "engine/base/check.h"
#include "engine/base/status_macros.h"

namespace attend {

void FillPositions(const RaggedBatch& batch, std::vector<int32_t>* positions) {
  positions->clear();
  for (int i = 0; i < batch.num_sequences(); ++i) {
    for (int p = 0; p < batch.length(i); ++p) positions->push_back(p);
  }
}

absl::StatusOr<TransformerEncoder> TransformerEncoder::Load(
    const WeightSource& source, const StackSpec& spec, std::shared_ptr<const TokenTable> tokens) {
  TransformerEncoder encoder;
  const NormSpec norm = NormSpecOf(spec);
  if (spec.has_embedding_norm) {
    ATTEND_ASSIGN_OR_RETURN(encoder.embedding_norm_, Norm::Load(source, "embedding_norm", norm));
  }
  ATTEND_ASSIGN_OR_RETURN(encoder.relative_bias_,
                          RelativeBias::Load(source, spec, AttentionKind::kEncoderSelf));
  for (int i = 0; i < spec.num_layers; ++i) {
    ATTEND_ASSIGN_OR_RETURN(EncoderLayer layer,
                            EncoderLayer::Load(source.Sub("layers").Sub(std::to_string(i)), spec, i,
                                               encoder.relative_bias_));
    encoder.layers_.push_back(std::move(layer));
  }
  if (spec.has_final_norm) {
    ATTEND_ASSIGN_OR_RETURN(encoder.final_norm_, Norm::Load(source, "final_norm", norm));
  }
  // Last: by now the sizes that the configuration claims have proved true.
  ATTEND_ASSIGN_OR_RETURN(encoder.embedding_, Embedding::Load(source, std::move(tokens), spec));
  return encoder;
}

void TransformerEncoder::Forward(const RaggedBatch& batch, Observers observers,
                                 Workspace* workspace, Matrix* hidden) const {
  ATTEND_CHECK(observers.empty() || static_cast<int>(observers.size()) == batch.num_sequences(),
               "one observer a sequence, or none at all");
  FillPositions(batch, &workspace->positions);
  embedding_.Forward({batch.token_ids, workspace->positions, batch.segment_ids}, hidden);
  if (embedding_norm_) embedding_norm_->Apply(hidden->view());
  for (const EncoderLayer& layer : layers_)
    layer.Forward(batch, observers, workspace, hidden->view());
  if (final_norm_) final_norm_->Apply(hidden->view());
}

int64_t TransformerEncoder::weight_bytes() const {
  int64_t bytes = embedding_.position_bytes();
  for (const EncoderLayer& layer : layers_) bytes += layer.weight_bytes();
  if (embedding_norm_) bytes += embedding_norm_->weight_bytes();
  if (final_norm_) bytes += final_norm_->weight_bytes();
  if (relative_bias_ != nullptr) bytes += relative_bias_->bytes();
  return bytes;
}

}  // namespace attend
