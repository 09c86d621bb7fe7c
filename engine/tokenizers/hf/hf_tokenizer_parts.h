// The stages of a tokenizer, read from tokenizer.json or put together from the older files of a
// model folder.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/checkpoint/model_directory.h"
#include "engine/tokenizers/hf/added_tokens.h"
#include "engine/tokenizers/hf/hf_decoder.h"
#include "engine/tokenizers/hf/hf_normalizer.h"
#include "engine/tokenizers/hf/hf_post_processor.h"
#include "engine/tokenizers/hf/hf_pre_tokenizer.h"
#include "engine/tokenizers/hf/hf_tokenizer_config.h"
#include "engine/tokenizers/hf/subword_model.h"

namespace attend {

struct HfTokenizerParts {
  // Of tokenizer.json's content; ids that are not below `max_size` are left out.
  static absl::StatusOr<HfTokenizerParts> Parse(const Json& json, const HfTokenizerConfig& config,
                                                int64_t max_size);
  const char* file = "";                                // that names the vocabulary
  std::unique_ptr<const HfNormalizer> normalizer;       // null: texts stay as they are
  std::unique_ptr<const HfPreTokenizer> pre_tokenizer;  // null: texts stay whole
  std::unique_ptr<const SubwordModel> model;
  std::vector<AddedToken> added_tokens;
  TokenTemplate around;
  std::unique_ptr<const HfDecoder> decoder;

  // Errors as tokenizer_factory.h says.
  static absl::StatusOr<HfTokenizerParts> ReadTokenizerJson(const ModelDirectory& directory,
                                                            const HfTokenizerConfig& config,
                                                            int64_t max_size);
  // vocab.txt of BERT.
  static absl::StatusOr<HfTokenizerParts> ReadVocabTxt(const ModelDirectory& directory,
                                                       const HfTokenizerConfig& config,
                                                       int64_t max_size);
  // vocab.json and merges.txt of BART and GPT-2.
  static absl::StatusOr<HfTokenizerParts> ReadMergesTxt(const ModelDirectory& directory,
                                                        const HfTokenizerConfig& config,
                                                        int64_t max_size);
};

}  // namespace attend
