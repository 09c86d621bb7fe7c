// A SentencePiece model's normalisation: Unicode rewriting by the table that the model carries,
// white space folded and shown as "▁". Remembers for every byte it writes which bytes of the text
// it came from.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "engine/tokenizers/byte_trie.h"

namespace attend {

inline constexpr std::string_view kSpaceSymbol = "\xE2\x96\x81";  // "▁"

// Bytes of a character by its first byte, as libsentencepiece counts them; a stray continuation
// byte counts as one.
inline size_t Utf8SizeByLead(char lead) {
  const auto byte = static_cast<uint8_t>(lead);
  return byte < 0xC0 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

// What a model file says about normalisation, under its own names.
struct NormalizerSpec {
  std::string precompiled_charsmap;
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = true;
  bool escape_whitespaces = true;
  bool treat_whitespace_as_suffix = false;
};

struct NormalizedText {
  std::string text;
  // For each byte of `text` the range of the original characters that were rewritten together;
  // empty for "▁" put in.
  std::vector<uint32_t> begins, ends;
};

class SentencePieceNormalizer {
 public:
  // `origin` names the model file in errors; `verbatim` are symbols that are left as they are.
  absl::Status Init(NormalizerSpec spec, ByteTrie verbatim, std::string_view origin);

  void DropDummyPrefix() { spec_.add_dummy_prefix = false; }

  NormalizedText Normalize(std::string_view text) const;

  const NormalizerSpec& spec() const { return spec_; }
  const ByteTrie& verbatim() const { return verbatim_; }

 private:
  struct Rewritten {
    std::string_view text;
    uint32_t consumed;
  };
  // What the beginning of `text` becomes. REQUIRES: text not empty.
  Rewritten RewritePrefix(std::string_view text) const;
  Rewritten LookUpPrefix(std::string_view text) const;
  uint32_t Unit(uint32_t index) const;

  NormalizerSpec spec_;
  ByteTrie verbatim_;
  std::string_view units_;  // both lie in spec_.precompiled_charsmap
  std::string_view replacements_;
};

}  // namespace attend
