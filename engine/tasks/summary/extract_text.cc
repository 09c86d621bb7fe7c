#include "engine/tasks/summary/extract_text.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "engine/text/unicode.h"

namespace attend {
namespace {

// Full-width marks end sentences of scripts without spaces.
bool IsWrittenWithoutSpaces(char32_t c) {
  return IsCjk(c) || (c >= 0x3000 && c <= 0x303F) || (c >= 0xFF00 && c <= 0xFFEF);
}

std::string Between(std::string_view text, uint32_t begin, uint32_t end, bool are_neighbours) {
  const std::string_view gap = text.substr(begin, end - begin);
  if (are_neighbours) return std::string(gap);
  if (gap.find('\n') != std::string_view::npos) return "\n";
  return begin > 0 && IsWrittenWithoutSpaces(CodePointBefore(text, begin).value) ? "" : " ";
}

}  // namespace

int64_t CountCharacters(std::string_view text, ByteSpan span) {
  return std::count_if(text.begin() + span.begin, text.begin() + span.end,
                       [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

std::vector<ScoredSentence> MarkSentences(absl::Span<const ByteSpan> sentences,
                                          SentenceScores scores, absl::Span<const size_t> order) {
  std::vector<ScoredSentence> out(sentences.size());
  for (size_t i = 0; i < sentences.size(); ++i) {
    out[i].span = sentences[i];
    out[i].score = scores.scores[i];
    out[i].parts = std::move(scores.parts[i]);
  }
  int rank = 0;
  for (const size_t i : order) {
    out[i].selected = true;
    out[i].rank = ++rank;
  }
  std::vector<size_t> rest;
  for (size_t i = 0; i < out.size(); ++i) {
    if (!out[i].selected) rest.push_back(i);
  }
  std::stable_sort(rest.begin(), rest.end(),
                   [&](size_t a, size_t b) { return scores.raw[a] > scores.raw[b]; });
  for (const size_t i : rest) out[i].rank = ++rank;
  return out;
}

std::string ExtractText(std::string_view text, absl::Span<const ScoredSentence> sentences) {
  std::string out;
  const ScoredSentence* last = nullptr;
  for (const ScoredSentence& sentence : sentences) {
    if (!sentence.selected) continue;
    if (last != nullptr) {
      out += Between(text, last->span.end, sentence.span.begin,
                     /*are_neighbours=*/&sentence == last + 1);
    }
    out += text.substr(sentence.span.begin, sentence.span.size());
    last = &sentence;
  }
  return out;
}

}  // namespace attend
