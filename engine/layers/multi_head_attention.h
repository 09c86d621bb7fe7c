// Attention sub-layers: project, attend, project. Self-attention reads keys and values from the
// sequence itself (or, when decoding, from its cache); cross-attention from an encoded source whose
// keys and values are projected once.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/layers/attention_observer.h"
#include "engine/layers/block_spec.h"  // AttentionKind
#include "engine/layers/decode_row.h"
#include "engine/layers/dense.h"
#include "engine/layers/kv_cache.h"
#include "engine/layers/ragged_batch.h"
#include "engine/layers/relative_bias.h"
#include "engine/layers/stack_spec.h"
#include "engine/layers/weight_source.h"
#include "engine/layers/workspace.h"
#include "engine/ops/attention.h"

namespace attend {

struct AttentionSpec {
  AttentionKind kind = AttentionKind::kEncoderSelf;
  int layer = 0;  // index in its stack: how observers and caches know it
  HeadShape heads;
  int64_t hidden_size = 0;  // of what goes in and comes out
  LinearBias linear_bias = LinearBias::kPresent;
  ScoreScale score_scale = ScoreScale::kInverseSqrtHeadDim;
  std::shared_ptr<const RelativeBias> relative_bias;  // of self-attention; may be null
};
AttentionSpec AttentionSpecOf(const StackSpec& spec, AttentionKind kind, int layer);

// Who looks at which sequence of a pass: one entry per sequence, nullptr where nobody does; or
// empty.
using Observers = absl::Span<AttentionObserver* const>;

class SelfAttention {
 public:
  // {query,key,value,output}.weight, and .bias where the spec has them.
  static absl::StatusOr<SelfAttention> Load(const WeightSource& source, const AttentionSpec& spec);

  // Whole sequences; causal for a decoder. x and out: [total_tokens, hidden_size].
  void Forward(ConstMatrixView x, const RaggedBatch& batch, Observers observers,
               Workspace* workspace, Matrix* out) const;
  // One new token a row. REQUIRES: every row's cache has room for it already counted
  // (SelfCache::Append).
  void Step(ConstMatrixView x, absl::Span<const DecodeRow> rows, Workspace* workspace,
            Matrix* out) const;
  int64_t weight_bytes() const { return query_key_value_.packed_bytes() + output_.packed_bytes(); }

 private:
  SelfAttention(const AttentionSpec& spec, Dense query_key_value, Dense output)
      : spec_(spec), query_key_value_(std::move(query_key_value)), output_(std::move(output)) {}
  AttentionSpec spec_;
  Dense query_key_value_;  // outputs: query (scaled), key, value
  Dense output_;
};

class CrossAttention {
 public:
  static absl::StatusOr<CrossAttention> Load(const WeightSource& source, const AttentionSpec& spec);

  // Keys and values of one source; resizes both to [source_tokens, width of heads].
  void Project(ConstMatrixView encoded, Matrix* keys, Matrix* values) const;
  // Whole sequences, sequence i over cross[i].
  void Forward(ConstMatrixView x, const RaggedBatch& batch,
               absl::Span<const CrossCache* const> cross, Observers observers, Workspace* workspace,
               Matrix* out) const;
  void Step(ConstMatrixView x, absl::Span<const DecodeRow> rows, Workspace* workspace,
            Matrix* out) const;
  int64_t weight_bytes() const {
    return query_.packed_bytes() + key_.packed_bytes() + value_.packed_bytes() +
           output_.packed_bytes();
  }

 private:
  CrossAttention(const AttentionSpec& spec, Dense query, Dense key, Dense value, Dense output)
      : spec_(spec),
        query_(std::move(query)),
        key_(std::move(key)),
        value_(std::move(value)),
        output_(std::move(output)) {}
  AttentionSpec spec_;
  Dense query_, key_, value_, output_;  // query scaled
};

}  // namespace attend
