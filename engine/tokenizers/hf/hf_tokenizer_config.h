// tokenizer_config.json and its older companions: what transformers sets around the tokenizer
// proper.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/checkpoint/model_directory.h"
#include "engine/tokenizers/hf/added_tokens.h"
#include "engine/tokenizers/hf/hf_normalizer.h"

namespace attend {

struct HfTokenizerConfig {
  // What max_length() says when the checkpoint sets no limit.
  static constexpr int64_t kUnlimited = int64_t{1} << 40;

  // Absent files have the defaults of the class of tokenizers. DATA_LOSS naming file and key.
  static absl::StatusOr<HfTokenizerConfig> Read(const ModelDirectory& directory);

  std::string tokenizer_class;  // without "Fast": "BertTokenizer"; from the model type if need be
  // "eos_token" and so on → how it is spelt.
  std::map<std::string, AddedToken> special_tokens;
  std::vector<AddedToken> further_special_tokens;
  std::vector<AddedToken> added_tokens;  // with the ids that the configuration gives
  bool clean_up_spaces = false;
  bool add_prefix_space = false;
  bool add_bos_token = false;
  bool is_multilingual = false;   // its model has languages with tokens of their own
  bool legacy_behaviour = false;  // of NLLB: the language behind the text
  BertNormalizerOverride bert;
  std::string source_language, target_language;  // as the model names them; may be empty
  int64_t max_length = kUnlimited;

  bool IsBertClass() const;
  // Whether its special tokens and templates are those of RoBERTa (BART too).
  bool IsRobertaClass() const;
  // nullptr when there is none.
  const AddedToken* Special(const std::string& key) const;
};

}  // namespace attend
