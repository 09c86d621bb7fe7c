// Token ids and positions → the first hidden states of a stack.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/layers/block_spec.h"
#include "engine/layers/stack_spec.h"
#include "engine/layers/token_table.h"
#include "engine/layers/weight_source.h"
#include "engine/tensor/matrix.h"

namespace attend {

class Embedding {
 public:
  // The token table may be shared by encoder and decoder. Learned positions are
  // embeddings.position.weight, [position_offset + max_position_embeddings, hidden_size];
  // sinusoidal halves too where the checkpoint has them, as transformers does it, and computed
  // where not. Segments: embeddings.token_type.weight where the spec has any.
  static absl::StatusOr<Embedding> Load(const WeightSource& source,
                                        std::shared_ptr<const TokenTable> tokens,
                                        const StackSpec& spec);

  // What to look up: one entry a row.
  struct Input {
    absl::Span<const int32_t> token_ids;
    absl::Span<const int32_t> positions;
    absl::Span<const int32_t> segment_ids = {};  // empty: all 0
  };
  // out[i] = token vector * scale + position vector + segment vector, as far as the model has them;
  // resizes out. REQUIRES: ids in the vocabulary, positions below max_position_embeddings, segments
  // below type_vocab_size.
  void Forward(const Input& input, Matrix* out) const;

  // Of positions and segments.
  int64_t position_bytes() const {
    return static_cast<int64_t>(positions_.allocated_bytes() + segments_.allocated_bytes());
  }

 private:
  ConstMatrixView PositionRows() const;

  std::shared_ptr<const TokenTable> tokens_;
  Matrix positions_;       // [max_position_embeddings or more, hidden_size], or empty
  Matrix segments_;        // [type_vocab_size, hidden_size], or empty
  int64_t first_row_ = 0;  // of positions_: position 0
  float scale_ = 1.0f;
};

}  // namespace attend
