// A summary as people read it: the text with its sentences marked, the ranked list, and what each
// sentence of the summary rests on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "client/terminal.h"

namespace attend::client {

struct SummarySentence {
  std::size_t begin = 0, end = 0;  // bytes of the text
  float score = 0;
  uint32_t rank = 0;  // 1 is the most important; 0: not scored
  bool is_selected = false;
  std::vector<std::pair<std::string, float>> parts;  // what the score was made of
};

// A sentence of the text and a share of attention.
struct SentenceWeight {
  uint32_t sentence = 0;
  float weight = 0;
};

// A sentence that a model wrote, and what it leaned on, strongest first.
struct WrittenSentence {
  std::size_t begin = 0, end = 0;  // bytes of the summary
  std::string text;
  std::vector<SentenceWeight> leans_on;
};

// Whatever a server sent: spans and indices that do not fit the text are left out of every view.
struct SummaryView {
  std::string text;  // that was summarised
  std::vector<SummarySentence> sentences;
  std::vector<float> attention;  // [sentences, sentences]: a row attends to columns; or empty
  std::vector<WrittenSentence> written;  // empty for a summary of sentences of the text
};

// The sentences that sentence `index` attends to, itself left out, strongest first; none without a
// matrix.
std::vector<SentenceWeight> AttendedBy(const SummaryView& view, std::size_t index);

// The whole text in its layout. Selected sentences are bold and coloured, or stand between marks
// where there is no colour. Ends with a line end.
std::string RenderHighlights(const SummaryView& view, const Terminal& terminal);

// One line a sentence, best first: rank, a star when it is selected, score, parts, text. Sentences
// are cut to the width of a terminal, elsewhere they are whole.
std::string RenderScores(const SummaryView& view, const Terminal& terminal);

// Each sentence of the summary with its rank, score and parts, and below it the sentences that it
// attends to and those that attend to it; of a written one, those that it leaned on.
std::string RenderExplanation(const SummaryView& view, const Terminal& terminal);

}  // namespace attend::client
