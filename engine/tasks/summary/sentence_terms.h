// The words of sentences as statistics see them, and how alike sentences are by them. Sparse:
// memory and time are linear in the text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "engine/base/span.h"

namespace attend {

// Runs of letters and digits, in lower case; of scripts without spaces every character.
std::vector<std::string> TermsOf(std::string_view sentence);

// One entry of a sparse vector.
struct TermWeight {
  int term = 0;  // a number of our own
  float weight = 0;
};

// The sentences of a text as unit vectors of their content words' counts. A sentence without
// content words is zero.
class SentenceTerms {
 public:
  explicit SentenceTerms(absl::Span<const std::vector<std::string>> terms);

  size_t size() const { return rows_.size(); }
  const std::vector<TermWeight>& row(size_t sentence) const { return rows_[sentence]; }

  // Cosine of each sentence with the mean of all.
  std::vector<double> Centrality() const;
  // Cosine of one sentence with every one.
  std::vector<double> CosinesWith(size_t sentence) const;
  // Mean cosine of neighbours, and of any two; 0 for fewer than two sentences.
  double MeanNeighbourCosine() const;
  double MeanPairCosine() const;

 private:
  std::vector<double> Sum() const;

  std::vector<std::vector<TermWeight>> rows_;          // terms in ascending order
  std::vector<std::vector<TermWeight>> sentences_of_;  // by term; `term` is the sentence here
};

}  // namespace attend
