// The "post_processor" of a tokenizer.json: the special tokens around one text, and around two.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/checkpoint/json.h"

namespace attend {

struct TemplateItem {
  enum class Kind { kFirst, kSecond, kToken };
  Kind kind = Kind::kFirst;
  int32_t id = 0;    // of a kToken
  int32_t type = 0;  // token type: which of BERT's two segments
};

struct TokenTemplate {
  std::vector<TemplateItem> single, pair;

  // Just the texts: types 0 and 1.
  static TokenTemplate Plain();
  // `prefix` X `suffix`, and both texts between them.
  static TokenTemplate Around(const std::vector<int32_t>& prefix,
                              const std::vector<int32_t>& suffix);
  // [CLS] A [SEP] and [CLS] A [SEP] B [SEP], the second text of type 1.
  static TokenTemplate Bert(int32_t cls, int32_t sep);
  // <s> A </s> and <s> A </s></s> B </s>.
  static TokenTemplate Roberta(int32_t cls, int32_t sep);
};

// UNIMPLEMENTED for a kind that is not known, DATA_LOSS or INVALID_ARGUMENT for a malformed one.
absl::StatusOr<TokenTemplate> ReadHfPostProcessor(const Json& json);

}  // namespace attend
