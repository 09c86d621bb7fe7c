// Text ↔ token ids, with the byte range of the text behind each token. Immutable after load and
// safe from any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/base/span.h"

namespace attend {

// Which side of a translation model a text is on; encoder-only and decoder-only models have just
// kSource.
enum class TextSide { kSource, kTarget };

struct EncodedToken {
  int32_t id = 0;
  std::string piece;     // as the vocabulary spells it, for example "▁cat"
  ByteSpan span;         // in the text given to Encode, white space at its ends left out; empty for
                         // special tokens
  bool special = false;  // end of sentence, language tokens, padding
};

struct EncodedText {
  std::vector<EncodedToken> tokens;
  // Of two texts in one sequence, for each token which of them it belongs to (BERT's token types);
  // empty: all 0.
  std::vector<int32_t> token_types;
  size_t num_end_tokens = 1;  // at the end, put there by the tokenizer whatever the text is
  std::vector<int32_t> ids() const {
    std::vector<int32_t> out;
    out.reserve(tokens.size());
    for (const EncodedToken& t : tokens) out.push_back(t.id);
    return out;
  }
};

// Decoded text and, for each id given, the bytes of it that the id wrote (empty for skipped special
// tokens).
struct DecodedText {
  std::string text;
  std::vector<ByteSpan> spans;  // same length as the ids
};

// A language that a multilingual tokenizer has a token for.
struct TokenizerLanguage {
  std::string name;  // as the model calls it: "fr_XX", "fra_Latn", "fr" (whose piece is "__fr__")
  std::string code;  // BCP-47: "fr", "zh-Hant"
  int32_t id = 0;    // of its token, which forced_bos_token_id makes a translation begin with
};

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // Encodes valid UTF-8, special tokens included, exactly as the checkpoint's own tokenizer does.
  // Never fails: every text has a tokenisation. Spans are in order; those of ordinary tokens
  // together cover every byte that is not white space or stripped by normalisation, and may be
  // shared where one character became several tokens.
  virtual EncodedText Encode(std::string_view text, TextSide side) const = 0;

  // The same for a text in one of languages(), which is told by a token where the checkpoint's
  // tokenizer puts it. Encode takes the languages that the checkpoint names for each side.
  // REQUIRES: language is one of languages().
  virtual EncodedText EncodeIn(std::string_view text, TextSide side,
                               const TokenizerLanguage& language) const;

  // Whether two texts can be given as one sequence.
  virtual bool encodes_pairs() const { return false; }
  // Two texts as one sequence of at most `max_tokens`: the longer text loses tokens at its end
  // first, as with transformers' "longest_first". Spans are in the text that the token comes from.
  // REQUIRES: encodes_pairs().
  virtual EncodedText EncodePair(std::string_view first, std::string_view second,
                                 int64_t max_tokens) const;

  // Ids → text. Ids outside the vocabulary decode to nothing. With `keep_special` the special
  // tokens are spelt out.
  virtual DecodedText Decode(absl::Span<const int32_t> ids, TextSide side,
                             bool keep_special) const = 0;

  // As the vocabulary spells it; empty when out of range.
  virtual std::string Piece(int32_t id, TextSide side) const = 0;
  // End of sentence, unknown, padding and language tokens: ids that stand for no text of their own.
  virtual bool IsSpecial(int32_t id) const = 0;
  virtual int64_t vocab_size() const = 0;
  virtual int32_t eos_id() const = 0;
  // Languages of a bilingual model as BCP-47 codes, empty when the checkpoint does not say.
  virtual std::string source_language() const = 0;
  virtual std::string target_language() const = 0;
  // Of a multilingual model, in the order of their ids; empty for all others.
  virtual absl::Span<const TokenizerLanguage> languages() const { return {}; }
  // Longest input, special tokens included, that the tokenizer declares (model_max_length), or a
  // very large number.
  virtual int64_t max_length() const = 0;
};

// Cuts a text down to `max_tokens` as transformers does: ordinary tokens go, from the end, and the
// tokens that the tokenizer puts behind every text stay last. Does nothing when it is short enough;
// `max_tokens` below 1 leaves nothing.
void TruncateKeepingEnd(EncodedText* text, int64_t max_tokens);

}  // namespace attend
