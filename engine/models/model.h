// One loaded model of any family, an encoder with or without a decoder: immutable weights and the
// passes over ragged batches. Safe to share; each thread that runs passes brings its own Workspace.
// A pass never fails: sizes were checked at load and lengths at admission, so a violated REQUIRES
// is a bug and checks.
//
// Ops use one thread unless the calling thread says otherwise (SetOpThreads in ops/op_threads.h);
// results are the same bits for any number.
//
// Promise (docs/numerics.md): what a pass computes for a sequence is the same bits whatever else is
// in the batch, in every compute type. In float32 it equals transformers' eager fp32 within 1e-4
// relative.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/checkpoint/model_directory.h"
#include "engine/checkpoint/weight_reader.h"  // LoadReport
#include "engine/layers/attention_observer.h"
#include "engine/layers/decode_row.h"
#include "engine/layers/kv_cache.h"
#include "engine/layers/output_subset.h"
#include "engine/layers/ragged_batch.h"
#include "engine/layers/workspace.h"
#include "engine/models/model_options.h"
#include "engine/models/model_spec.h"
#include "engine/models/shortlist.h"
#include "engine/tensor/compute_type.h"
#include "engine/tensor/matrix.h"

namespace attend {

// Scratch memory for one thread's passes (layers/workspace.h).
std::unique_ptr<Workspace> MakeWorkspace();

class Model {
 public:
  // Every piece that is missing, truncated, mis-shaped or unknown is an error that names file,
  // tensor, expected and found. UNIMPLEMENTED / ARCHITECTURE_UNKNOWN (metadata architecture) for a
  // family we lack.
  static absl::StatusOr<std::unique_ptr<Model>> Load(const ModelDirectory& directory,
                                                     const ModelOptions& options,
                                                     LoadReport* report);
  ~Model();

  const ModelSpec& spec() const;
  ComputeType compute_type() const;
  // nullptr: every translation may be made of the whole vocabulary.
  const Shortlist* shortlist() const;

  // Encodes sequences. hidden: [total_tokens, hidden_size], after the final norm if there is one.
  // observers: one entry per sequence (nullptr: nobody looks), or empty. REQUIRES: ids within the
  // vocabulary, lengths within max_position_embeddings, segments only where the model knows them.
  void Encode(const RaggedBatch& sources, absl::Span<AttentionObserver* const> observers,
              Workspace* workspace, Matrix* hidden) const;

  // What follows REQUIRES a decoder (spec().has_decoder()).

  // Keys and values of one encoded source ([source_tokens, hidden_size]) for every decoder layer.
  void ProjectCross(ConstMatrixView encoded, Workspace* workspace, CrossCache* cross) const;

  // One token of every row; each row at its own position (self->length() before the call). logits:
  // [rows, vocab].
  void DecodeStep(absl::Span<const DecodeRow> rows, Workspace* workspace, Matrix* logits) const;

  // The same over a part of the vocabulary; logits: [rows, outputs.slots()], each the bits that the
  // whole step gives. REQUIRES: outputs is of this model.
  void DecodeStep(absl::Span<const DecodeRow> rows, const OutputSubset& outputs,
                  Workspace* workspace, Matrix* logits) const;
  // For one thread; the shortlist's own tokens are in it already. Borrows the model. nullptr where
  // there is no shortlist.
  std::unique_ptr<OutputSubset> MakeOutputSubset() const;

  // Forced pass: whole decoder inputs at once, causal. `inputs` holds decoder ids with the start
  // token first, one sequence per entry of `cross`. logits may be nullptr, then the output
  // projection is not computed; else [total_tokens, vocab]. hidden (may be nullptr): decoder states
  // [total_tokens, hidden_size].
  void DecodeForced(const RaggedBatch& inputs, absl::Span<const CrossCache* const> cross,
                    absl::Span<AttentionObserver* const> observers, Workspace* workspace,
                    Matrix* logits, Matrix* hidden) const;

 private:
  void DecodeHidden(absl::Span<const DecodeRow> rows, Workspace* workspace) const;

  struct Parts;
  explicit Model(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace attend
