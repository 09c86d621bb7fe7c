// A whole decoder: embeddings → layers → final norm → logits.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/layers/decode_row.h"
#include "engine/layers/decoder_layer.h"
#include "engine/layers/dense.h"
#include "engine/layers/embedding.h"
#include "engine/layers/norm.h"
#include "engine/layers/stack_spec.h"

namespace attend {

// logits = lm_head(hidden * scale). The weights may be the token table's, so the scale is not in
// them.
struct OutputProjection {
  Dense lm_head;  // [hidden_size] → [vocab_size]
  float scale = 1.0f;
};

class TransformerDecoder {
 public:
  // layers.{i}, embedding_norm, final_norm and relative_bias where the spec has them,
  // embeddings.position where it is stored. `tokens`: of the target side.
  static absl::StatusOr<TransformerDecoder> Load(const WeightSource& source, const StackSpec& spec,
                                                 std::shared_ptr<const TokenTable> tokens,
                                                 OutputProjection output);

  void ProjectCross(ConstMatrixView encoded, CrossCache* cross) const;
  // Whole sequences, causal. Resizes hidden to [total_tokens, hidden_size].
  void Forward(const RaggedBatch& batch, absl::Span<const CrossCache* const> cross,
               Observers observers, Workspace* workspace, Matrix* hidden) const;
  // One token of every row, which is appended to its cache. Resizes hidden to [rows, hidden_size].
  void Step(absl::Span<const DecodeRow> rows, Workspace* workspace, Matrix* hidden) const;
  // What the output projection reads: hidden itself, or scaled in the workspace's `normed`.
  ConstMatrixView ScaleForLogits(ConstMatrixView hidden, Workspace* workspace) const;
  // Resizes logits to [rows, vocab_size].
  void Logits(ConstMatrixView hidden, Workspace* workspace, Matrix* logits) const;
  const Dense& lm_head() const { return output_.lm_head; }
  // Without the token table.
  int64_t weight_bytes() const;

 private:
  TransformerDecoder(const StackSpec& spec, OutputProjection output)
      : spec_(spec), output_(std::move(output)) {}
  StackSpec spec_;
  Embedding embedding_;
  std::shared_ptr<const RelativeBias> relative_bias_;  // the layers have it too; may be null
  std::optional<Norm> embedding_norm_, final_norm_;
  std::vector<DecoderLayer> layers_;
  OutputProjection output_;
};

}  // namespace attend
