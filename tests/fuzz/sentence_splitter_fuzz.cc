// Feeds bytes to everything that cuts text: sentences, cut points, words and offsets, on ill-formed
// text too.
#include <cstdint>
#include <string_view>
#include <vector>

#include "engine/base/check.h"
#include "engine/text/offset_map.h"
#include "engine/text/sentence_splitter.h"
#include "engine/text/unicode.h"
#include "engine/text/words.h"

namespace attend {
namespace {

void CheckWhiteSpace(std::string_view text, uint32_t begin, uint32_t end) {
  for (uint32_t at = begin; at < end; at = CodePointAt(text, at).end) {
    ATTEND_CHECK(IsWhiteSpace(CodePointAt(text, at).value), "text was lost between sentences");
  }
}

void CheckSentences(std::string_view text, const SplitOptions& options) {
  const auto size = static_cast<uint32_t>(text.size());
  uint32_t last = 0;
  for (const ByteSpan sentence : SplitSentences(text, options)) {
    ATTEND_CHECK(sentence.begin >= last && sentence.begin < sentence.end && sentence.end <= size,
                 "bad sentence");
    CheckWhiteSpace(text, last, sentence.begin);
    last = sentence.end;
    uint32_t last_cut = sentence.begin;
    for (const CutPoint& cut : CutPoints(text, sentence)) {
      ATTEND_CHECK(cut.offset > last_cut && cut.offset < sentence.end, "bad cut point");
      last_cut = cut.offset;
    }
  }
  CheckWhiteSpace(text, last, size);
}

void Run(std::string_view text) {
  const auto size = static_cast<uint32_t>(text.size());
  for (const char* language : {"", "en", "fr"}) {
    for (const LineBreaks breaks : {LineBreaks::kEndSentences, LineBreaks::kByLayout})
      CheckSentences(text, {language, breaks});
  }
  std::vector<ByteSpan> spans;
  uint32_t last = 0;
  const std::vector<Word> words = SplitWords(text);
  for (const Word& word : words) {
    ATTEND_CHECK(
        word.span.begin >= last && word.span.begin < word.span.end && word.span.end <= size,
        "bad word");
    last = word.span.end;
    spans.push_back(word.span);
  }
  const std::vector<int> assigned = AssignWords(spans, words);
  for (size_t i = 0; i < words.size(); ++i)
    ATTEND_CHECK(assigned[i] == static_cast<int>(i), "a word is not itself");
  for (const OffsetUnit unit : {OffsetUnit::kByte, OffsetUnit::kUtf16, OffsetUnit::kCodePoint}) {
    const OffsetMap map(text, unit);
    for (uint32_t at = 0; at < size; at = CodePointAt(text, at).end) {
      ATTEND_CHECK(map.ToByte(map.FromByte(at)) == at, "an offset does not come back");
    }
    ATTEND_CHECK(map.ToByte(map.FromByte(size)) == size, "the end does not come back");
  }
}

}  // namespace
}  // namespace attend

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  attend::Run({reinterpret_cast<const char*>(bytes), size});
  return 0;
}
