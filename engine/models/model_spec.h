// The numbers that make a transformer, read from config.json by its family (models/families/) and
// immutable after. Names are Hugging Face's modern ones, whatever the file calls them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/layers/stack_spec.h"

namespace attend {

enum class ModelCapability { kTranslation, kSummarization, kEmbedding, kAttention };

// What config.json's task_specific_params says of one task ("translation_en_to_de"): the text that
// asks the model for it, and options of the search that it wants then.
struct TaskParameters {
  std::string task;
  std::string prefix;  // put before the input; empty: none
  std::optional<int64_t> max_length, min_length, num_beams, no_repeat_ngram_size;
  std::optional<double> length_penalty;
  std::optional<bool> early_stopping;
};

struct ModelSpec {
  std::string model_type;    // "marian"
  std::string architecture;  // "MarianMTModel"
  StackSpec encoder;
  StackSpec decoder;  // without layers where the model has none
  int64_t source_vocab_size = 0, target_vocab_size = 0;
  bool share_embeddings = true;     // encoder and decoder embeddings are one table
  bool tie_word_embeddings = true;  // the output projection is the decoder's embedding table
  bool has_logits_bias = false;
  float logits_scale = 1.0f;  // decoder states are multiplied by it before the output projection
  int32_t pad_token_id = -1, eos_token_id = -1, decoder_start_token_id = -1;
  std::vector<ModelCapability> capabilities;
  std::vector<TaskParameters> tasks;  // by name; usually empty

  bool Has(ModelCapability capability) const {
    return std::find(capabilities.begin(), capabilities.end(), capability) != capabilities.end();
  }
  bool has_decoder() const { return decoder.num_layers > 0; }
};

}  // namespace attend
