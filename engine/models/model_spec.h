// The numbers that make a transformer, read from config.json by its family (models/families/) and
// immutable after. Names are Hugging Face's modern ones, whatever the file calls them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/layers/stack_spec.h"

namespace attend {

enum class ModelCapability { kTranslation, kAttention };

struct ModelSpec {
  std::string model_type;    // "marian"
  std::string architecture;  // "MarianMTModel"
  StackSpec encoder, decoder;
  int64_t source_vocab_size = 0, target_vocab_size = 0;
  bool share_embeddings = true;     // encoder and decoder embeddings are one table
  bool tie_word_embeddings = true;  // the output projection is the decoder's embedding table
  bool has_logits_bias = false;
  int32_t pad_token_id = -1, eos_token_id = -1, decoder_start_token_id = -1;
  std::vector<ModelCapability> capabilities;
};

}  // namespace attend
