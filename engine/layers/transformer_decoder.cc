// Rows of a step are independent of each other in everything but their joint matrix products, so
// rows of any age and any request may stand side by side.
#include "engine/layers/transformer_decoder.h"

#include <string>
#include <utility>

#include "engine/base/check.h"
#include "engine/base/status_macros.h"
#include "engine/layers/transformer_encoder.h"  // FillPositions

namespace attend {

absl::StatusOr<TransformerDecoder> TransformerDecoder::Load(
    const WeightSource& source, const StackSpec& spec, std::shared_ptr<const TokenTable> tokens,
    OutputProjection output) {
  TransformerDecoder decoder(spec, std::move(output));
  const NormSpec norm = NormSpecOf(spec);
  if (spec.has_embedding_norm) {
    ATTEND_ASSIGN_OR_RETURN(decoder.embedding_norm_, Norm::Load(source, "embedding_norm", norm));
  }
  ATTEND_ASSIGN_OR_RETURN(decoder.relative_bias_,
                          RelativeBias::Load(source, spec, AttentionKind::kDecoderSelf));
  for (int i = 0; i < spec.num_layers; ++i) {
    ATTEND_ASSIGN_OR_RETURN(DecoderLayer layer,
                            DecoderLayer::Load(source.Sub("layers").Sub(std::to_string(i)), spec, i,
                                               decoder.relative_bias_));
    decoder.layers_.push_back(std::move(layer));
  }
  if (spec.has_final_norm) {
    ATTEND_ASSIGN_OR_RETURN(decoder.final_norm_, Norm::Load(source, "final_norm", norm));
  }
  ATTEND_ASSIGN_OR_RETURN(decoder.embedding_, Embedding::Load(source, std::move(tokens), spec));
  return decoder;
}

void TransformerDecoder::ProjectCross(ConstMatrixView encoded, CrossCache* cross) const {
  cross->keys.resize(layers_.size());
  cross->values.resize(layers_.size());
  for (size_t i = 0; i < layers_.size(); ++i)
    layers_[i].ProjectCross(encoded, &cross->keys[i], &cross->values[i]);
}

void TransformerDecoder::Forward(const RaggedBatch& batch,
                                 absl::Span<const CrossCache* const> cross, Observers observers,
                                 Workspace* workspace, Matrix* hidden) const {
  ATTEND_CHECK(static_cast<int>(cross.size()) == batch.num_sequences(), "one source a sequence");
  ATTEND_CHECK(observers.empty() || observers.size() == cross.size(),
               "one observer a sequence, or none at all");
  FillPositions(batch, &workspace->positions);
  embedding_.Forward({batch.token_ids, workspace->positions, batch.segment_ids}, hidden);
  if (embedding_norm_) embedding_norm_->Apply(hidden->view());
  for (const DecoderLayer& layer : layers_)
    layer.Forward(batch, cross, observers, workspace, hidden->view());
  if (final_norm_) final_norm_->Apply(hidden->view());
}

void TransformerDecoder::Step(absl::Span<const DecodeRow> rows, Workspace* workspace,
                              Matrix* hidden) const {
  workspace->token_ids.clear();
  workspace->positions.clear();
  for (const DecodeRow& row : rows) {
    ATTEND_CHECK(row.cross->length() > 0, "a row needs an encoded source");
    workspace->token_ids.push_back(row.token);
    workspace->positions.push_back(row.self->length());
    row.self->Append();
  }
  embedding_.Forward({workspace->token_ids, workspace->positions}, hidden);
  if (embedding_norm_) embedding_norm_->Apply(hidden->view());
  for (const DecoderLayer& layer : layers_) layer.Step(rows, workspace, hidden->view());
  if (final_norm_) final_norm_->Apply(hidden->view());
}

ConstMatrixView TransformerDecoder::ScaleForLogits(ConstMatrixView hidden,
                                                   Workspace* workspace) const {
  if (output_.scale == 1.0f) return hidden;
  Matrix& scaled = workspace->normed;
  scaled.Resize(hidden.rows, hidden.cols);
  for (int64_t r = 0; r < hidden.rows; ++r) {
    for (int64_t c = 0; c < hidden.cols; ++c) scaled.row(r)[c] = hidden.row(r)[c] * output_.scale;
  }
  return scaled.view();
}

void TransformerDecoder::Logits(ConstMatrixView hidden, Workspace* workspace,
                                Matrix* logits) const {
  logits->Resize(hidden.rows, lm_head().outputs());
  lm_head().Run(ScaleForLogits(hidden, workspace), logits->view());
}

int64_t TransformerDecoder::weight_bytes() const {
  int64_t bytes = embedding_.position_bytes() + lm_head().packed_bytes();
  for (const DecoderLayer& layer : layers_) bytes += layer.weight_bytes();
  if (embedding_norm_) bytes += embedding_norm_->weight_bytes();
  if (final_norm_) bytes += final_norm_->weight_bytes();
  if (relative_bias_ != nullptr) bytes += relative_bias_->bytes();
  return bytes;
}

}  // namespace attend
