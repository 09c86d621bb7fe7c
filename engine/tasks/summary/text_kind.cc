// Reviews are a collection: neighbours are no more alike than any two sentences, where in running
// text they are about twice as alike. Papers announce what they do and say "we". News say who said
// what (this rule is not measured: no development set holds news).
#include "engine/tasks/summary/text_kind.h"

#include <algorithm>
#include <initializer_list>

namespace attend {
namespace {

constexpr int kLeastReviews = 20, kLeastNews = 5;  // sentences
constexpr double kLeastPairCosine = 0.05;          // reviews are on one subject
constexpr double kMostNeighbourRatio = 1.4;        // of neighbours to any two
constexpr double kMostReviewCues = 0.02, kLeastPaperWe = 0.03, kLeastNewsSaid = 0.1;  // shares

bool IsOneOf(const std::string& term, std::initializer_list<const char*> words) {
  return std::any_of(words.begin(), words.end(), [&](const char* word) { return term == word; });
}

bool Holds(absl::Span<const std::string> terms, std::initializer_list<const char*> words) {
  return std::any_of(terms.begin(), terms.end(),
                     [&](const std::string& term) { return IsOneOf(term, words); });
}

bool SaysThisPaper(absl::Span<const std::string> terms) {
  for (size_t i = 0; i + 1 < terms.size(); ++i) {
    if (terms[i] == "this" && terms[i + 1] == "paper") return true;
  }
  return false;
}

}  // namespace

bool IsCue(absl::Span<const std::string> terms) {
  for (size_t i = 0; i + 1 < terms.size(); ++i) {
    if (terms[i] == "this" && IsOneOf(terms[i + 1], {"paper", "work", "article", "study"}))
      return true;
    if (terms[i] == "here" && terms[i + 1] == "we") return true;
    if (IsOneOf(terms[i], {"we", "i"}) &&
        Holds(terms.subspan(i + 1, 2), {"propose", "introduce", "present", "develop", "describe",
                                        "investigate", "study", "address", "explore"}))
      return true;
  }
  return false;
}

TextKind GuessTextKind(absl::Span<const std::vector<std::string>> terms,
                       const SentenceTerms& vectors) {
  const auto n = static_cast<double>(terms.size());
  int cues = 0, we = 0, said = 0;
  bool this_paper = false;
  for (const std::vector<std::string>& sentence : terms) {
    cues += IsCue(sentence) ? 1 : 0;
    we += Holds(sentence, {"we", "our"}) ? 1 : 0;
    said += Holds(sentence, {"said", "says", "told"}) ? 1 : 0;
    this_paper = this_paper || SaysThisPaper(sentence);
  }
  const double pairs = vectors.MeanPairCosine();
  if (n >= kLeastReviews && pairs >= kLeastPairCosine &&
      vectors.MeanNeighbourCosine() < kMostNeighbourRatio * pairs && cues <= kMostReviewCues * n)
    return TextKind::kReviews;
  if (cues > 0 && (we >= kLeastPaperWe * n || this_paper)) return TextKind::kPaper;
  if (n >= kLeastNews && said >= kLeastNewsSaid * n) return TextKind::kNews;
  return TextKind::kGeneral;
}

}  // namespace attend
