// Positions are a table rather than a formula in the pass: a look-up costs less than one sine.
#include "engine/layers/embedding.h"

#include <utility>

#include "engine/base/status_macros.h"
#include "engine/layers/position_encoding.h"

namespace attend {

namespace {

constexpr char kPositions[] = "embeddings.position.weight";

absl::StatusOr<Matrix> LoadPositions(const WeightSource& source, const EmbeddingSpec& spec) {
  if (source.Has(kPositions)) {
    return source.ReadMatrix(kPositions, spec.max_position_embeddings, spec.hidden_size);
  }
  auto table =
      MakePositionTable(spec.position_encoding, spec.max_position_embeddings, spec.hidden_size);
  if (!table.ok()) return source.At(kPositions, table.status());
  return table;
}

}  // namespace

absl::StatusOr<Embedding> Embedding::Load(const WeightSource& source,
                                          std::shared_ptr<const TokenTable> tokens,
                                          const EmbeddingSpec& spec) {
  Embedding embedding;
  embedding.tokens_ = std::move(tokens);
  ATTEND_ASSIGN_OR_RETURN(embedding.positions_, LoadPositions(source, spec));
  embedding.scale_ = spec.scale;
  return embedding;
}

void Embedding::Forward(absl::Span<const int32_t> token_ids, absl::Span<const int32_t> positions,
                        Matrix* out) const {
  out->Resize(static_cast<int64_t>(token_ids.size()), tokens_->hidden_size());
  tokens_->Gather(token_ids, scale_, positions_.view(), positions, out->view());
}

}  // namespace attend
