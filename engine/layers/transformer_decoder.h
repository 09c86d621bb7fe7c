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

class TransformerDecoder {
 public:
  // layers.{i}, embedding_norm and final_norm where the spec has them, embeddings.position where it
  // is stored. `tokens`: of the target side; lm_head: the output projection, [hidden_size] →
  // [vocab_size].
  static absl::StatusOr<TransformerDecoder> Load(const WeightSource& source, const StackSpec& spec,
                                                 std::shared_ptr<const TokenTable> tokens,
                                                 Dense lm_head);

  void ProjectCross(ConstMatrixView encoded, CrossCache* cross) const;
  // Whole sequences, causal. Resizes hidden to [total_tokens, hidden_size].
  void Forward(const RaggedBatch& batch, absl::Span<const CrossCache* const> cross,
               Observers observers, Workspace* workspace, Matrix* hidden) const;
  // One token of every row, which is appended to its cache. Resizes hidden to [rows, hidden_size].
  void Step(absl::Span<const DecodeRow> rows, Workspace* workspace, Matrix* hidden) const;
  // Resizes logits to [rows, vocab_size].
  void Logits(ConstMatrixView hidden, Matrix* logits) const;
  // Without the token table.
  const Dense& lm_head() const { return lm_head_; }
  int64_t weight_bytes() const;

 private:
  TransformerDecoder(const StackSpec& spec, Dense lm_head)
      : spec_(spec), lm_head_(std::move(lm_head)) {}
  StackSpec spec_;
  Embedding embedding_;
  std::optional<Norm> embedding_norm_, final_norm_;
  std::vector<DecoderLayer> layers_;
  Dense lm_head_;
};

}  // namespace attend
