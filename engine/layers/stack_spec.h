// The numbers of one stack of transformer blocks, encoder or decoder.
#pragma once

#include <cstdint>

#include "engine/layers/block_spec.h"
#include "engine/ops/attention.h"  // HeadShape

namespace attend {

// Buckets of distances that share one bias (layers/relative_bias.h).
struct RelativeBiasSpec {
  int num_buckets = 0;
  int max_distance = 0;  // from here on every distance is in the last bucket
};

struct StackSpec {
  int num_layers = 0;
  int64_t hidden_size = 0;
  int num_attention_heads = 0;
  int64_t head_dim = 0;
  int64_t intermediate_size = 0;
  Activation activation = Activation::kRelu;
  FeedForwardKind feed_forward = FeedForwardKind::kPlain;
  LinearBias linear_bias = LinearBias::kPresent;
  ScoreScale score_scale = ScoreScale::kInverseSqrtHeadDim;
  NormKind norm_kind = NormKind::kLayerNorm;
  NormPlacement norm_placement = NormPlacement::kPost;
  PositionEncoding position_encoding = PositionEncoding::kSinusoidalHalves;
  int64_t max_position_embeddings = 0;  // the longest sequence, whatever positions are made of
  // Learned positions: rows of the table before that of position 0. Sinusoids: the first angle.
  int64_t position_offset = 0;
  int64_t type_vocab_size = 0;     // segments that have an embedding (BERT); 0: none have
  RelativeBiasSpec relative_bias;  // for PositionEncoding::kRelativeBias
  float embedding_scale = 1.0f;
  float layer_norm_eps = 1e-5f;
  bool has_embedding_norm = false;  // a norm right after the embeddings
  bool has_final_norm = false;      // a norm after the last layer

  // Attention's rows may be wider or narrower than hidden_size.
  HeadShape heads() const { return {num_attention_heads, head_dim}; }
};

}  // namespace attend
