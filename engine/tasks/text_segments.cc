// A sentence that is too long is encoded once; the spans of its tokens tell where about a piece
// must end, the cut points of the sentence offer places of falling quality, and encoding the piece
// alone has the last word. So the work stays linear in the text.
#include "engine/tasks/text_segments.h"

#include <algorithm>
#include <utility>

#include "engine/base/status_macros.h"
#include "engine/tasks/call_checks.h"
#include "engine/text/sentence_splitter.h"

namespace attend {
namespace {

int64_t CountOrdinary(const EncodedText& encoded) {
  return std::count_if(encoded.tokens.begin(), encoded.tokens.end(),
                       [](const EncodedToken& token) { return !token.special; });
}

bool IsAsciiSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

class SegmentCutter {
 public:
  SegmentCutter(std::string_view text, const SourceEncoder& encoder, const SegmentOptions& options,
                std::string_view field)
      : text_(text), encoder_(encoder), options_(options), field_(field) {}

  absl::StatusOr<std::vector<TextSegment>> Run() {
    bool first = true;
    for (const ByteSpan& sentence : Sentences()) {
      EncodedText encoded = Encode(sentence);
      if (first) FindLanguageToken(encoded);
      if (!first) AddLanguageToken(&encoded);
      ATTEND_RETURN_IF_ERROR(
          AddSentence(sentence, std::move(encoded), /*holds_language_token=*/first));
      first = false;
    }
    return std::move(segments_);
  }

 private:
  // Under kReject and kTruncate the caller has split the text already: all of it is one sentence.
  std::vector<ByteSpan> Sentences() const {
    std::vector<ByteSpan> sentences = SplitSentences(text_, options_.language);
    if (options_.overflow == OverflowPolicy::kSplit || sentences.empty()) return sentences;
    return {{sentences.front().begin, sentences.back().end}};
  }

  EncodedText Encode(ByteSpan span) const {
    return encoder_.Encode(text_.substr(span.begin, span.size()));
  }

  // One that the text itself begins with; those that stand before every text are there anyway.
  void FindLanguageToken(const EncodedText& encoded) {
    if (encoded.tokens.empty() || encoder_.num_leading() > 0) return;
    const EncodedToken& token = encoded.tokens.front();
    // Marian's ">>fra<<" only: other special tokens that a text may hold say nothing of the rest.
    if (!token.special || token.piece.rfind(">>", 0) != 0) return;
    language_token_ = {token};
    language_token_.front().span = {};
  }

  void AddLanguageToken(EncodedText* encoded) const {
    encoded->tokens.insert(encoded->tokens.begin(), language_token_.begin(), language_token_.end());
  }

  bool Fits(const EncodedText& encoded) const {
    return static_cast<int64_t>(encoded.tokens.size()) <= options_.max_tokens;
  }

  absl::Status AddSentence(ByteSpan sentence, EncodedText encoded, bool holds_language_token) {
    if (CountOrdinary(encoded) == 0) return absl::OkStatus();
    if (Fits(encoded)) return Add(sentence, std::move(encoded), 0);
    switch (options_.overflow) {
      case OverflowPolicy::kReject:
        return InputTooLong(field_, "tokens", static_cast<int64_t>(encoded.tokens.size()),
                            options_.max_tokens);
      case OverflowPolicy::kTruncate: {
        const int64_t dropped = Truncate(options_.max_tokens, &encoded);
        return Add(sentence, std::move(encoded), dropped);
      }
      case OverflowPolicy::kSplit:
        break;
    }
    return AddPieces(sentence, encoded, holds_language_token);
  }

  absl::Status Add(ByteSpan span, EncodedText encoded, int64_t truncated) {
    if (static_cast<int>(segments_.size()) >= options_.max_segments) {
      return InputTooLong(field_, "segments", static_cast<int64_t>(segments_.size()) + 1,
                          options_.max_segments);
    }
    uint32_t read_end = span.end;
    if (truncated > 0) {
      read_end = span.begin;
      for (const EncodedToken& token : encoded.tokens) {
        if (!token.special) read_end = std::max(read_end, span.begin + token.span.end);
      }
    }
    segments_.push_back({span, read_end, std::move(encoded), truncated});
    return absl::OkStatus();
  }

  // `whole` is the encoding of the sentence; the text of its first piece may hold the language
  // token.
  absl::Status AddPieces(ByteSpan sentence, const EncodedText& whole, bool first) {
    const std::vector<CutPoint> points = CutPoints(text_, sentence);
    ByteSpan rest = sentence;
    size_t token = 0;
    size_t point = 0;
    while (!rest.empty()) {
      // Where the piece would end if it were tokenised as it is within the sentence.
      while (token < whole.tokens.size() && EndOf(whole, token, sentence) <= rest.begin) ++token;
      const auto framing = static_cast<int64_t>(language_token_.size() + encoder_.num_leading());
      const size_t last =
          token + static_cast<size_t>(std::max<int64_t>(1, options_.max_tokens - 1 - framing));
      uint32_t limit = last >= whole.tokens.size() || whole.tokens[last].special
                           ? rest.end
                           : std::max(rest.begin, BeginOf(whole, last, sentence));
      while (point < points.size() && points[point].offset <= rest.begin) ++point;

      ByteSpan piece;
      EncodedText encoded;
      while (true) {
        piece = {rest.begin, ChooseEnd(points, point, rest, limit)};
        TrimEnd(&piece);
        encoded = Encode(piece);
        if (!first) AddLanguageToken(&encoded);
        const uint32_t smaller = rest.begin + (piece.end - rest.begin) * 3 / 4;
        if (Fits(encoded) || smaller >= piece.end || IsSmallest(points, point, piece)) break;
        limit = smaller;
      }
      const int64_t dropped =
          Truncate(options_.max_tokens, &encoded);  // only of a single character that does not fit
      if (CountOrdinary(encoded) > 0)
        ATTEND_RETURN_IF_ERROR(Add(piece, std::move(encoded), dropped));
      first = false;
      rest.begin = piece.end;
      while (rest.begin < rest.end && IsAsciiSpace(text_[rest.begin])) ++rest.begin;
    }
    return absl::OkStatus();
  }

  uint32_t BeginOf(const EncodedText& encoded, size_t token, ByteSpan sentence) const {
    return sentence.begin + encoded.tokens[token].span.begin;
  }
  // Special tokens have no place: they end where everything ends.
  uint32_t EndOf(const EncodedText& encoded, size_t token, ByteSpan sentence) const {
    return encoded.tokens[token].special ? sentence.begin
                                         : sentence.begin + encoded.tokens[token].span.end;
  }

  // The last cut of the best rank in (rest.begin, limit] that does not waste most of the room; else
  // the last cut at all; else the first one there is.
  static uint32_t ChooseEnd(const std::vector<CutPoint>& points, size_t first, ByteSpan rest,
                            uint32_t limit) {
    if (limit >= rest.end) return rest.end;
    constexpr int kRanks = 3;
    uint32_t best[kRanks] = {0, 0, 0};
    size_t i = first;
    for (; i < points.size() && points[i].offset <= limit; ++i) {
      best[std::clamp(points[i].rank, 0, kRanks - 1)] = points[i].offset;
    }
    const uint32_t worth = rest.begin + (limit - rest.begin) / 4;
    for (uint32_t offset : best) {
      if (offset > worth) return offset;
    }
    const uint32_t last = std::max({best[0], best[1], best[2]});
    if (last > rest.begin) return last;
    return i < points.size() && points[i].offset < rest.end ? points[i].offset : rest.end;
  }

  static bool IsSmallest(const std::vector<CutPoint>& points, size_t first, ByteSpan piece) {
    return first >= points.size() || points[first].offset >= piece.end;
  }

  void TrimEnd(ByteSpan* piece) const {
    while (piece->size() > 1 && IsAsciiSpace(text_[piece->end - 1])) --piece->end;
  }

  std::string_view text_;
  const SourceEncoder& encoder_;
  const SegmentOptions& options_;
  std::string_view field_;
  std::vector<EncodedToken> language_token_;  // none or one
  std::vector<TextSegment> segments_;
};

}  // namespace

absl::StatusOr<std::vector<TextSegment>> CutIntoSegments(std::string_view text,
                                                         const SourceEncoder& encoder,
                                                         const SegmentOptions& options,
                                                         std::string_view field) {
  return SegmentCutter(text, encoder, options, field).Run();
}

std::vector<std::string> Layout(std::string_view text, const std::vector<TextSegment>& segments) {
  std::vector<std::string> gaps;
  gaps.reserve(segments.size() + 1);
  size_t at = 0;
  for (const TextSegment& segment : segments) {
    gaps.emplace_back(text.substr(at, segment.span.begin - at));
    at = segment.span.end;
  }
  gaps.emplace_back(text.substr(at));
  return gaps;
}

int64_t Truncate(int64_t max_tokens, EncodedText* encoded) {
  const int64_t excess = static_cast<int64_t>(encoded->tokens.size()) - max_tokens;
  if (excess <= 0) return 0;
  auto& tokens = encoded->tokens;
  int64_t trailing = 0;
  while (trailing + 1 < max_tokens &&
         tokens[tokens.size() - 1 - static_cast<size_t>(trailing)].special)
    ++trailing;
  const auto end_of_cut = tokens.end() - trailing;
  tokens.erase(end_of_cut - excess, end_of_cut);
  return excess;
}

}  // namespace attend
