// Words come from Unicode's boundaries and tokens join them by overlap of spans, never by guessing
// at "▁": so Chinese, Thai and characters that became several tokens come out right.
#include "engine/tasks/text_axis.h"

#include <utility>

#include "engine/text/words.h"

namespace attend {
namespace {

ByteSpan Shift(ByteSpan span, uint32_t offset) { return {span.begin + offset, span.end + offset}; }

// Finds the words, links the tokens to them and moves everything to the caller's text.
void Place(std::string_view text, uint32_t offset, TextAxis* axis) {
  const std::vector<Word> words = SplitWords(text);
  axis->words.reserve(words.size());
  for (const Word& word : words) {
    axis->words.push_back(
        {std::string(text.substr(word.span.begin, word.span.size())), Shift(word.span, offset)});
  }
  std::vector<ByteSpan> spans;
  std::vector<size_t> owners;
  for (size_t i = 0; i < axis->tokens.size(); ++i) {
    if (axis->tokens[i].special || axis->tokens[i].span.empty()) continue;
    spans.push_back(axis->tokens[i].span);
    owners.push_back(i);
  }
  const std::vector<int> assigned = AssignWords(spans, words);
  for (size_t i = 0; i < owners.size(); ++i) axis->tokens[owners[i]].word = assigned[i];
  for (AttendedToken& token : axis->tokens) {
    token.span = token.special ? ByteSpan{} : Shift(token.span, offset);
  }
}

}  // namespace

TextAxis AxisOfEncoded(std::string_view text, const EncodedText& encoded, uint32_t offset) {
  TextAxis axis;
  axis.tokens.reserve(encoded.tokens.size());
  for (const EncodedToken& token : encoded.tokens) {
    AttendedToken out;
    out.id = token.id;
    out.piece = token.piece;
    out.span = token.span;
    out.special = token.special;
    axis.tokens.push_back(std::move(out));
  }
  Place(text, offset, &axis);
  return axis;
}

TextAxis AxisOfDecoded(const Tokenizer& tokenizer, absl::Span<const int32_t> ids,
                       const DecodedText& decoded, absl::Span<const float> log_probs,
                       uint32_t offset) {
  TextAxis axis;
  axis.tokens.reserve(ids.size());
  for (size_t i = 0; i < ids.size(); ++i) {
    AttendedToken out;
    out.id = ids[i];
    out.piece = tokenizer.Piece(ids[i], TextSide::kTarget);
    out.span = decoded.spans[i];
    out.special = tokenizer.IsSpecial(ids[i]);
    if (i < log_probs.size()) out.log_prob = log_probs[i];
    axis.tokens.push_back(std::move(out));
  }
  Place(decoded.text, offset, &axis);
  return axis;
}

}  // namespace attend
