// The "pre_tokenizer" of a tokenizer.json: how a normalised text is cut before the model sees its
// parts, each by itself.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/checkpoint/json.h"
#include "engine/tokenizers/hf/aligned_text.h"
#include "engine/tokenizers/hf/text_pattern.h"

namespace attend {

// A part of a text: to be cut further, or an added token that was found in it.
struct TextPart {
  AlignedText text;
  int32_t added_token = -1;  // its id
};

// Cuts each part that is no added token; empty parts go.
template <typename Cut>
void CutParts(std::vector<TextPart>* parts, const Cut& cut);

// Immutable, safe from any thread.
class HfPreTokenizer {
 public:
  virtual ~HfPreTokenizer() = default;
  virtual void Apply(std::vector<TextPart>* parts) const = 0;
};

std::unique_ptr<const HfPreTokenizer> MakeBertPreTokenizer();
std::unique_ptr<const HfPreTokenizer> MakeByteLevelPreTokenizer(bool add_prefix_space,
                                                                bool use_regex);

// UNIMPLEMENTED for a kind that is not known, DATA_LOSS or INVALID_ARGUMENT for a malformed one.
// `add_prefix_space` counts for a ByteLevel that stands alone, whatever it says itself, as in
// transformers.
absl::StatusOr<std::unique_ptr<const HfPreTokenizer>> ReadHfPreTokenizer(const Json& json,
                                                                         bool add_prefix_space);

template <typename Cut>
void CutParts(std::vector<TextPart>* parts, const Cut& cut) {
  std::vector<TextPart> out;
  out.reserve(parts->size());
  for (TextPart& part : *parts) {
    if (part.added_token >= 0) {
      out.push_back(std::move(part));
      continue;
    }
    const std::vector<ByteSpan> ranges = cut(&part.text);
    if (ranges.size() == 1 && ranges[0].size() == part.text.text().size()) {
      if (!part.text.empty()) out.push_back(std::move(part));
      continue;
    }
    for (const ByteSpan range : ranges) {
      if (!range.empty()) out.push_back({part.text.Slice(range), -1});
    }
  }
  *parts = std::move(out);
}

}  // namespace attend
