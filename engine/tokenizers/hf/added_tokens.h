// Tokens that are looked for in a text before anything else is done with it (special tokens among
// them), as `tokenizers` does it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/checkpoint/json.h"
#include "engine/tokenizers/byte_trie.h"
#include "engine/tokenizers/hf/hf_normalizer.h"
#include "engine/tokenizers/hf/hf_pre_tokenizer.h"

namespace attend {

struct AddedToken {
  std::string content;
  int32_t id = 0;
  bool special = false;
  bool normalized = false;   // found after normalisation, else before
  bool lstrip = false;       // takes white space before it along
  bool rstrip = false;       // and after it
  bool single_word = false;  // only where no word goes on at its ends
};

// One token object of tokenizer.json or tokenizer_config.json; `id` is not read.
absl::StatusOr<AddedToken> ReadAddedToken(const Json& json);

// Immutable after Build.
class AddedTokens {
 public:
  // Of tokens with the same content the first counts. `normalizer` may be null.
  void Build(const std::vector<AddedToken>& tokens, const HfNormalizer* normalizer);

  // The parts of a text, normalised: what the added tokens are, and what is between them.
  std::vector<TextPart> SplitAndNormalize(std::string_view text) const;

  // nullptr when the id is none of theirs.
  const AddedToken* Find(int32_t id) const;
  const AddedToken* Find(std::string_view content) const;
  const std::vector<AddedToken>& all() const { return tokens_; }

 private:
  struct Match {
    ByteSpan range;
    int32_t token = -1;  // index; -1: text between tokens
  };
  std::vector<Match> FindMatches(std::string_view text, const ByteTrie& trie) const;
  void Split(const ByteTrie& trie, std::vector<TextPart>* parts) const;

  std::vector<AddedToken> tokens_;
  std::unordered_map<int32_t, size_t> by_id_;
  std::unordered_map<std::string, size_t> by_content_;
  ByteTrie verbatim_, normalized_;
  const HfNormalizer* normalizer_ = nullptr;
};

}  // namespace attend
