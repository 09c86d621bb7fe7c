// Positions are a table rather than a formula in the pass: a look-up costs less than one sine.
#include "engine/layers/embedding.h"

#include <utility>
#include <vector>

#include "engine/base/check.h"
#include "engine/base/status_macros.h"
#include "engine/layers/position_encoding.h"
#include "engine/ops/gather_rows.h"

namespace attend {

namespace {

constexpr char kPositions[] = "embeddings.position.weight";

absl::StatusOr<Matrix> LoadPositions(const WeightSource& source, const StackSpec& spec) {
  const int64_t count = spec.max_position_embeddings, before = spec.position_offset;
  switch (spec.position_encoding) {
    case PositionEncoding::kRelativeBias:
      return Matrix();
    case PositionEncoding::kLearned:
      return source.ReadMatrix(kPositions, before + count, spec.hidden_size);
    case PositionEncoding::kSinusoidalHalves:
      if (source.Has(kPositions)) return source.ReadMatrix(kPositions, count, spec.hidden_size);
      break;
    case PositionEncoding::kSinusoidalTensor2Tensor:  // a stored table is not read in transformers
      break;
  }
  auto table = MakePositionTable(spec.position_encoding, {before, count}, spec.hidden_size);
  if (!table.ok()) return source.At(kPositions, table.status());
  return table;
}

}  // namespace

absl::StatusOr<Embedding> Embedding::Load(const WeightSource& source,
                                          std::shared_ptr<const TokenTable> tokens,
                                          const StackSpec& spec) {
  Embedding embedding;
  embedding.tokens_ = std::move(tokens);
  ATTEND_ASSIGN_OR_RETURN(embedding.positions_, LoadPositions(source, spec));
  // Rows of a learned table that no position has.
  if (embedding.positions_.rows() > 0)
    embedding.first_row_ = embedding.positions_.rows() - spec.max_position_embeddings;
  if (spec.type_vocab_size > 0) {
    ATTEND_ASSIGN_OR_RETURN(
        embedding.segments_,
        source.ReadMatrix("embeddings.token_type.weight", spec.type_vocab_size, spec.hidden_size));
  }
  embedding.scale_ = spec.embedding_scale;
  return embedding;
}

ConstMatrixView Embedding::PositionRows() const {
  if (positions_.rows() == 0) return {};
  return {positions_.row(first_row_), positions_.rows() - first_row_, positions_.cols(),
          positions_.cols()};
}

void Embedding::Forward(const Input& input, Matrix* out) const {
  out->Resize(static_cast<int64_t>(input.token_ids.size()), tokens_->hidden_size());
  tokens_->Gather(input.token_ids, scale_, PositionRows(), input.positions, out->view());
  if (segments_.rows() == 0) {
    ATTEND_CHECK(input.segment_ids.empty(), "segments for a model that knows none");
    return;
  }
  if (!input.segment_ids.empty()) {
    AddGatheredRows(segments_.view(), input.segment_ids, out->view());
  } else {
    const std::vector<int32_t> zeros(input.token_ids.size(), 0);
    AddGatheredRows(segments_.view(), zeros, out->view());
  }
}

}  // namespace attend
