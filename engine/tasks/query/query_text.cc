// Sentences are counted in the tokens of the whole text. A tokenizer may cut the window's ends a
// little differently, so the window is counted once more by itself and gives up its outermost
// sentences until it fits.
#include "engine/tasks/query/query_text.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/error.h"
#include "engine/base/status_macros.h"
#include "engine/tasks/call_checks.h"
#include "engine/tasks/model_languages.h"
#include "engine/tasks/source_encoder.h"
#include "engine/text/sentence_splitter.h"
#include "engine/text/unicode.h"

namespace attend {
namespace {

bool IsAllSpecial(const EncodedText& encoded) {
  return std::all_of(encoded.tokens.begin(), encoded.tokens.end(),
                     [](const EncodedToken& t) { return t.special; });
}

absl::StatusOr<SourceEncoder> EncoderFor(const TaskModel& model, const std::string& language) {
  ATTEND_RETURN_IF_ERROR(model.languages->CheckServes({language, ""}, model.name));
  SourceFrame frame;
  frame.language = model.languages->Find(language);
  return SourceEncoder(model.tokenizer, std::move(frame));
}

// A run of whole sentences, in turn longer by one before and one after it while their tokens fit.
class Window {
 public:
  // `room` is in ordinary tokens.
  Window(const std::vector<ByteSpan>& sentences, const EncodedText& encoded, ByteSpan query,
         int64_t room)
      : sentences_(sentences), counts_(sentences.size(), 0) {
    for (const EncodedToken& token : encoded.tokens) {
      if (!token.special) ++counts_[SentenceAt(token.span.begin)];
    }
    first_ = last_ = sentences.size();
    for (size_t i = 0; i < sentences.size(); ++i) {
      if (!Overlaps(sentences[i], query)) continue;
      first_ = std::min(first_, i);
      last_ = i;
    }
    if (empty()) return;
    core_first_ = first_;
    core_last_ = last_;
    for (size_t i = first_; i <= last_; ++i) room -= counts_[i];
    while (Grow(&room)) continue;
  }

  // The query lies between sentences.
  bool empty() const { return first_ == sentences_.size(); }
  ByteSpan span() const { return {sentences_[first_].begin, sentences_[last_].end}; }

  // Gives up the outermost sentence, the last rather than the first; false when there is none but
  // the query's own.
  bool Shrink() {
    if (last_ > core_last_) {
      --last_;
    } else if (first_ < core_first_) {
      ++first_;
    } else {
      return false;
    }
    return true;
  }

 private:
  size_t SentenceAt(uint32_t byte) const {
    const auto after = std::upper_bound(sentences_.begin(), sentences_.end(), byte,
                                        [](uint32_t b, ByteSpan s) { return b < s.begin; });
    return after == sentences_.begin() ? 0 : static_cast<size_t>(after - sentences_.begin()) - 1;
  }

  // What is referred to mostly stands before, so that side comes first.
  bool Grow(int64_t* room) {
    bool has_grown = false;
    if (first_ > 0 && counts_[first_ - 1] <= *room) {
      *room -= counts_[--first_];
      has_grown = true;
    }
    if (last_ + 1 < sentences_.size() && counts_[last_ + 1] <= *room) {
      *room -= counts_[++last_];
      has_grown = true;
    }
    return has_grown;
  }

  const std::vector<ByteSpan>& sentences_;
  std::vector<int64_t> counts_;
  size_t first_ = 0, last_ = 0;
  size_t core_first_ = 0, core_last_ = 0;
};

}  // namespace

absl::Status CheckSpan(std::string_view text, ByteSpan span, std::string_view field) {
  const auto on_boundary = [&](uint32_t offset) {
    return offset == text.size() || CharacterBegin(text, offset) == offset;
  };
  if (span.begin > span.end || span.end > text.size() || !on_boundary(span.begin) ||
      !on_boundary(span.end)) {
    return InvalidField("SPAN_INVALID", field,
                        "a span must lie within the text, begin before it ends, and cut no "
                        "character in two");
  }
  if (TrimWhiteSpace(text, span).empty())
    return InvalidField("SPAN_EMPTY", field, "there is nothing in the span");
  return absl::OkStatus();
}

absl::StatusOr<QueryText> ReadQueryText(const std::string& text, ByteSpan query,
                                        const std::string& language,
                                        const CallEnvironment& environment) {
  const TaskModel& model = environment.model;
  ATTEND_RETURN_IF_ERROR(CheckTextPresent(text, environment.limits, "source"));
  ATTEND_RETURN_IF_ERROR(CheckSpan(text, query, "query"));
  ATTEND_ASSIGN_OR_RETURN(const SourceEncoder reader, EncoderFor(model, language));
  EncodedText encoded = reader.Encode(text);
  if (IsAllSpecial(encoded)) {
    return InvalidField("EMPTY_INPUT", "source", "the tokenizer keeps nothing of the text");
  }
  QueryText out;
  out.window = {0, static_cast<uint32_t>(text.size())};
  const auto count = [&] { return static_cast<int64_t>(encoded.tokens.size()); };
  if (count() > model.max_input_tokens) {
    const std::vector<ByteSpan> sentences =
        SplitSentences(text, language.empty() ? model.languages->own().source : language);
    const auto num_special = std::count_if(encoded.tokens.begin(), encoded.tokens.end(),
                                           [](const EncodedToken& t) { return t.special; });
    Window window(sentences, encoded, query, model.max_input_tokens - num_special);
    if (window.empty())
      return InvalidField("SPAN_EMPTY", "query", "the span lies between sentences");
    for (;;) {
      out.window = window.span();
      encoded = reader.Encode(std::string_view(text).substr(out.window.begin, out.window.size()));
      if (count() <= model.max_input_tokens) break;
      if (!window.Shrink())
        return InputTooLong("source", "tokens", count(), model.max_input_tokens);
    }
  }
  ATTEND_RETURN_IF_ERROR(CheckVocabulary(encoded.ids(), model.spec->source_vocab_size, model));
  out.axis = AxisOfEncoded(std::string_view(text).substr(out.window.begin, out.window.size()),
                           encoded, out.window.begin);
  return out;
}

}  // namespace attend
