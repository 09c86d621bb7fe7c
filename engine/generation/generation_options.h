// How output tokens are chosen: the user's options over the checkpoint's generation_config.json
// over transformers' own defaults. Field names and meanings are transformers' generate().
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/checkpoint/json.h"

namespace attend {

enum class EarlyStopping { kFalse, kTrue, kNever };

struct SamplingOptions {
  float temperature = 1.0f;    // > 0
  int top_k = 50;              // 0: off
  float top_p = 1.0f;          // (0, 1]
  uint64_t seed = 0;           // same seed, model and input: same output
  bool seed_is_drawn = false;  // at random for one call, which must not get another's samples
};

// Fully resolved options of one sequence.
struct GenerationOptions {
  int num_beams = 1;             // 1: greedy or sampling
  int num_return_sequences = 1;  // <= num_beams, unless sampling
  float length_penalty = 1.0f;   // score = sum of log-probabilities / length^penalty
  EarlyStopping early_stopping = EarlyStopping::kFalse;
  int max_length = 20;     // counts the decoder start token; >= 2
  int min_length = 0;      // counts the decoder start token
  int min_new_tokens = 0;  // does not
  int no_repeat_ngram_size = 0;
  int encoder_no_repeat_ngram_size = 0;
  float repetition_penalty = 1.0f;
  std::vector<std::vector<int32_t>> bad_words_ids;
  std::optional<int32_t> forced_bos_token_id, forced_eos_token_id;
  std::vector<int32_t> suppress_tokens;
  bool renormalize_logits = false;
  int32_t decoder_start_token_id = 0;
  std::vector<int32_t> eos_token_ids;
  int32_t pad_token_id = 0;
  std::optional<SamplingOptions> sampling;  // absent: no sampling
  // What sampling starts from when a caller asks for it: the checkpoint's temperature, top_k and
  // top_p, which it may name without sampling by itself.
  SamplingOptions sampling_defaults;
  // A setting of the checkpoint that would change samples and that we do not have; empty: none.
  std::string missing_sampling_key;
  // Forced output before free choice; never contains the start token. Counts as prompt, as
  // decoder_input_ids do in transformers: it is part of max_length and min_length, but not of
  // min_new_tokens or of any score, and forced_bos_token_id has no effect after it.
  std::vector<int32_t> prefix_tokens;
};

// What a caller may set; unset fields keep the checkpoint's value.
struct GenerationOverrides {
  std::optional<int> num_beams, num_return_sequences, max_new_tokens, min_new_tokens,
      no_repeat_ngram_size;
  std::optional<float> length_penalty, repetition_penalty;
  std::optional<EarlyStopping> early_stopping;
  struct Sampling {
    std::optional<float> temperature, top_p;
    std::optional<int> top_k;
    std::optional<uint64_t> seed;
  };
  std::optional<Sampling> sampling;
};

struct GenerationLimits {
  int max_num_beams = 8;
  int max_target_positions = 512;  // the decoder's max_position_embeddings: tokens it can write
  int64_t vocab_size = 0;
};

// generation_config.json (or, where it is empty, the generation fields of config.json, as old hub
// folders have them) over transformers' defaults. Special ids that generation_config.json lacks
// come from config.json. DATA_LOSS / CHECKPOINT_CORRUPT naming the key for values of the wrong type
// or range and ids outside the vocabulary; FAILED_PRECONDITION / CAPABILITY_MISSING for a setting
// that changes results and that we do not have.
absl::StatusOr<GenerationOptions> ParseGenerationConfig(const Json& generation_config,
                                                        const Json& config, int64_t vocab_size);

// Lays the caller's overrides on the checkpoint's options and checks the result. Errors are
// INVALID_ARGUMENT with field paths of attend.v1.DecodingOptions ("beam_size",
// "sampling.temperature", ...), reasons OPTION_OUT_OF_RANGE and BEAM_TOO_LARGE. When the result
// samples, num_beams is 1 unless the caller set it; asking for sampling and several beams is an
// error; naming a number of beams alone, also 1, turns a checkpoint's sampling off.
// min_new_tokens takes the place of the checkpoint's min_length, as in transformers. max_length
// becomes at most max_target_positions and the start token, and num_return_sequences at most
// num_beams unless the caller asked for more, which is an error. FAILED_PRECONDITION /
// CAPABILITY_MISSING for sampling that the checkpoint wants done in a way that we do not have.
absl::StatusOr<GenerationOptions> ResolveGenerationOptions(const GenerationOptions& checkpoint,
                                                           const GenerationOverrides& overrides,
                                                           const GenerationLimits& limits);

}  // namespace attend
