// Positions are a table rather than a formula in the pass: a look-up costs less than one sine.
#include "engine/layers/embedding.h"

#include <utility>

#include "engine/layers/position_encoding.h"
#include "engine/ops/gather_rows.h"

namespace attend {

Embedding Embedding::Make(std::shared_ptr<const Matrix> tokens, const EmbeddingSpec& spec) {
  Embedding embedding;
  embedding.tokens_ = std::move(tokens);
  embedding.positions_ =
      MakePositionTable(spec.position_encoding, spec.max_position_embeddings, spec.hidden_size);
  embedding.scale_ = spec.scale;
  return embedding;
}

void Embedding::Forward(absl::Span<const int32_t> token_ids, absl::Span<const int32_t> positions,
                        Matrix* out) const {
  out->Resize(static_cast<int64_t>(token_ids.size()), tokens_->cols());
  GatherScaledSum(tokens_->view(), token_ids, scale_, positions_.view(), positions, out->view());
}

}  // namespace attend
