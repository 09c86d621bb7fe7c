// No inverse document frequencies: on the development sets they measured worse than plain counts
// (docs/summarization.md).
#include "engine/tasks/summary/sentence_terms.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "engine/text/unicode.h"

namespace attend {
namespace {

// English and French words that are in every sentence. Words of both languages that carry meaning
// in one of them ("car", "son") are left in.
constexpr absl::string_view kStopWords =
    "a about all also an and any are as at be been but by can could did do does for from had has "
    "have he her here him his how i if in into is it its just may me might more most my no not of "
    "on or other our out over s she should so some such t than that the their them then there "
    "these "
    "they this those to up us very was we were what when where which who will with would you your "
    "au aux avec ce ces cet cette dans de des du elle elles en est et eux il ils je la le les leur "
    "leurs lui mais nous ne ont ou où par pas pour qu que qui sa se ses si sont sur un une vous y "
    "été être plus";

bool IsStopWord(const std::string& term) {
  static const auto* const words = [] {
    auto* set = new std::unordered_set<std::string>;
    for (const absl::string_view word : absl::StrSplit(kStopWords, ' '))
      set->insert(std::string(word));
    return set;
  }();
  return words->count(term) > 0;
}

double Norm(const std::vector<double>& vector) {
  double squares = 0;
  for (const double value : vector) squares += value * value;
  return std::sqrt(squares);
}

}  // namespace

std::vector<std::string> TermsOf(std::string_view sentence) {
  const std::string lower = Lowercase(sentence);
  std::vector<std::string> terms;
  std::string term;
  const auto close = [&] {
    if (!term.empty()) terms.push_back(std::move(term));
    term.clear();
  };
  for (uint32_t at = 0; at < lower.size();) {
    const CodePoint c = CodePointAt(lower, at);
    at = c.end;
    if (!IsLetter(c.value) && !IsDigit(c.value)) {
      close();
      continue;
    }
    if (IsCjk(c.value)) close();
    term.append(lower, c.begin, c.end - c.begin);
    if (IsCjk(c.value)) close();
  }
  close();
  return terms;
}

SentenceTerms::SentenceTerms(absl::Span<const std::vector<std::string>> terms) {
  std::unordered_map<std::string, int> numbers;
  rows_.reserve(terms.size());
  for (const std::vector<std::string>& sentence : terms) {
    std::map<int, int> counts;
    for (const std::string& term : sentence) {
      if (IsStopWord(term)) continue;
      ++counts[numbers.emplace(term, static_cast<int>(numbers.size())).first->second];
    }
    double squares = 0;
    for (const auto& [term, count] : counts) squares += static_cast<double>(count) * count;
    std::vector<TermWeight> row;
    row.reserve(counts.size());
    for (const auto& [term, count] : counts)
      row.push_back({term, static_cast<float>(count / std::sqrt(squares))});
    rows_.push_back(std::move(row));
  }
  sentences_of_.resize(numbers.size());
  for (size_t s = 0; s < rows_.size(); ++s) {
    for (const TermWeight& entry : rows_[s]) {
      sentences_of_[static_cast<size_t>(entry.term)].push_back({static_cast<int>(s), entry.weight});
    }
  }
}

std::vector<double> SentenceTerms::Sum() const {
  std::vector<double> sum(sentences_of_.size());
  for (const auto& row : rows_) {
    for (const TermWeight& entry : row) sum[static_cast<size_t>(entry.term)] += entry.weight;
  }
  return sum;
}

std::vector<double> SentenceTerms::Centrality() const {
  std::vector<double> sum = Sum();
  const double norm = Norm(sum);
  std::vector<double> out;
  out.reserve(rows_.size());
  for (const auto& row : rows_) {
    double cosine = 0;
    for (const TermWeight& entry : row)
      cosine += entry.weight * sum[static_cast<size_t>(entry.term)];
    out.push_back(norm > 0 ? cosine / norm : 0);
  }
  return out;
}

std::vector<double> SentenceTerms::CosinesWith(size_t sentence) const {
  std::vector<double> out(rows_.size());
  for (const TermWeight& entry : rows_[sentence]) {
    for (const TermWeight& other : sentences_of_[static_cast<size_t>(entry.term)])
      out[static_cast<size_t>(other.term)] += static_cast<double>(entry.weight) * other.weight;
  }
  return out;
}

double SentenceTerms::MeanNeighbourCosine() const {
  if (rows_.size() < 2) return 0;
  double sum = 0;
  for (size_t s = 0; s + 1 < rows_.size(); ++s) {
    auto a = rows_[s].begin(), b = rows_[s + 1].begin();
    while (a != rows_[s].end() && b != rows_[s + 1].end()) {
      if (a->term == b->term)
        sum += static_cast<double>((a++)->weight) * (b++)->weight;
      else if (a->term < b->term)
        ++a;
      else
        ++b;
    }
  }
  return sum / static_cast<double>(rows_.size() - 1);
}

// Of the square of the sum, what is not a sentence with itself.
double SentenceTerms::MeanPairCosine() const {
  const auto n = static_cast<double>(rows_.size());
  if (n < 2) return 0;
  const double norm = Norm(Sum());
  double own = 0;
  for (const auto& row : rows_) {
    for (const TermWeight& entry : row) own += static_cast<double>(entry.weight) * entry.weight;
  }
  return (norm * norm - own) / (n * (n - 1));
}

}  // namespace attend
