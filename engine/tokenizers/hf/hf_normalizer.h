// The "normalizer" of a tokenizer.json: what is done to a text before it is cut.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "engine/checkpoint/json.h"
#include "engine/tokenizers/hf/aligned_text.h"

namespace attend {

// Immutable, safe from any thread.
class HfNormalizer {
 public:
  virtual ~HfNormalizer() = default;
  virtual void Normalize(AlignedText* text) const = 0;
};

struct BertNormalizerOptions {
  bool clean_text = true;
  bool handle_chinese_chars = true;
  bool strip_accents = true;
  bool lowercase = true;
};

std::unique_ptr<const HfNormalizer> MakeBertNormalizer(const BertNormalizerOptions& options);

// What tokenizer_config.json sets for a BertNormalizer wherever it stands, as the classes of
// transformers do that are BERT's.
struct BertNormalizerOverride {
  bool do_lower_case = true;
  bool tokenize_chinese_chars = true;
  bool has_strip_accents = false;  // else it goes with the case
  bool strip_accents = false;
};

// UNIMPLEMENTED for a kind that is not known, DATA_LOSS or INVALID_ARGUMENT for a malformed one.
// `override` may be null.
absl::StatusOr<std::unique_ptr<const HfNormalizer>> ReadHfNormalizer(
    const Json& json, const BertNormalizerOverride* override_with);

}  // namespace attend
