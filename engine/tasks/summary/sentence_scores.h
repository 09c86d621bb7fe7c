// How important each sentence is, and which ones make a summary. Pure arithmetic on what was read;
// docs/summarization.md has the measurements behind every constant.
//
//   score = z(z(lexical) + z(embedding) + a z(attention)) + l z(log(1 + words))
//           + p z(-log(1 + place)) + c [cue]
//
// with z = standard deviations from the mean of the text, and a, l, p, c by the kind of text.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "engine/tasks/summary/sentence_terms.h"
#include "engine/tasks/summary_types.h"

namespace attend {

// What an encoder says of the sentences; empty vectors where none was asked.
struct EncoderSignals {
  std::vector<double> embedding;  // cosine of each sentence's embedding with the mean of all
  std::vector<double> attention;  // received from the sentences around it, 1 is average
};

struct SentenceSignals {
  std::vector<std::vector<std::string>> terms;  // of each sentence
  const SentenceTerms* vectors = nullptr;       // of `terms`
  EncoderSignals encoder;
};

struct SentenceScores {
  std::vector<double> raw;                    // by the formula
  std::vector<double> scores;                 // softmax of raw
  std::vector<bool> eligible;                 // at least three words: no heading, no "1."
  std::vector<std::vector<ScorePart>> parts;  // of each sentence, as weighted
  double redundancy = 0;                      // of the kind of text, 0 to 1
};

// `kind` is not kAuto.
SentenceScores ScoreSentences(const SentenceSignals& signals, TextKind kind);

// The order in which sentences join the summary: each time the one with the highest score less its
// likeness to one that is in already (maximal marginal relevance, Carbonell & Goldstein 1998); of
// equals the earlier. `redundancy`: 0 to 1. `lengths`: characters of each sentence, looked at only
// under a budget of characters. Sentences that are not eligible come when no other is left.
std::vector<size_t> SelectSentences(const SentenceScores& scores, const SentenceTerms& vectors,
                                    double redundancy, const SummaryBudget& budget,
                                    absl::Span<const int64_t> lengths);

}  // namespace attend
