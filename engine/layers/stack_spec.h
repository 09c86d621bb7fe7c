// The numbers of one stack of transformer blocks, encoder or decoder.
#pragma once

#include <cstdint>

#include "engine/layers/block_spec.h"
#include "engine/ops/attention.h"  // HeadShape

namespace attend {

struct StackSpec {
  int num_layers = 0;
  int64_t hidden_size = 0;
  int num_attention_heads = 0;
  int64_t head_dim = 0;
  int64_t intermediate_size = 0;
  Activation activation = Activation::kRelu;
  NormPlacement norm_placement = NormPlacement::kPost;
  PositionEncoding position_encoding = PositionEncoding::kSinusoidalHalves;
  int64_t max_position_embeddings = 0;
  float embedding_scale = 1.0f;
  float layer_norm_eps = 1e-5f;
  bool has_embedding_norm = false;  // a norm right after the embeddings
  bool has_final_norm = false;      // a norm after the last layer

  HeadShape heads() const { return {num_attention_heads, head_dim}; }
};

}  // namespace attend
