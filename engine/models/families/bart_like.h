// What the descendants of BART share: Marian, BART, mBART, Pegasus and M2M100 have the same keys in
// config.json and the same names for their weights, and differ in where norms stand and what
// positions are made of.
//
// Keys of old files that say the same once more (normalize_before, normalize_embedding,
// add_final_layer_norm, static_position_embeddings) are not read, as transformers does not read
// them: the model_type decides.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/checkpoint/json.h"
#include "engine/models/config_reader.h"
#include "engine/models/model_family.h"
#include "engine/models/model_spec.h"

namespace attend {

constexpr char kBartBody[] = "model.";

// What makes one of them.
struct BartLike {
  const char* model_type;
  const char* architecture;
  std::vector<ModelCapability> capabilities;
  StackSpec stack;               // the choices of both stacks; numbers come from the file
  bool scale_embedding = false;  // where the file does not say
  bool has_logits_bias = true;
  // Ids that transformers' configuration class assumes; none: the file must have them.
  std::optional<int32_t> pad_token_id = {}, eos_token_id = {}, decoder_start_token_id = {};
};

// Everything but vocabularies and special ids. Faults are the reader's.
ModelSpec ParseBartStacks(const BartLike& family, ConfigReader* config);
// Special ids. REQUIRES: spec's vocabulary sizes are read.
void ParseBartTokens(const BartLike& family, ConfigReader* config, ModelSpec* spec);
// A whole description, with one vocabulary for both sides.
absl::StatusOr<ModelSpec> ParseBartLike(const BartLike& family, const Json& json);

std::vector<std::string> BartStoredNames(const ModelSpec& spec, const std::string& canonical);
// Version numbers that fairseq left in some files.
std::vector<IgnorableWeight> BartIgnorableWeights(const ModelSpec& spec);

}  // namespace attend
