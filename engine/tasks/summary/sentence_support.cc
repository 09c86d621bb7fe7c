#include "engine/tasks/summary/sentence_support.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "engine/base/check.h"

namespace attend {
namespace {

constexpr size_t kMostNamed = 5;
constexpr double kLeastShare = 0.05;

// For each token the sentence that its first byte lies in; -1 for none. Both are in order.
std::vector<int> SentencesOf(absl::Span<const AttendedToken> tokens,
                             absl::Span<const ByteSpan> sentences) {
  std::vector<int> out(tokens.size(), -1);
  size_t s = 0;
  for (size_t t = 0; t < tokens.size(); ++t) {
    if (tokens[t].special || tokens[t].span.empty()) continue;
    while (s < sentences.size() && sentences[s].end <= tokens[t].span.begin) ++s;
    if (s == sentences.size()) break;
    if (sentences[s].begin < tokens[t].span.end) out[t] = static_cast<int>(s);
  }
  return out;
}

SentenceSupport Strongest(const std::vector<double>& mass, ByteSpan summary) {
  SentenceSupport out;
  out.summary = summary;
  const double total = std::accumulate(mass.begin(), mass.end(), 0.0);
  if (total <= 0) return out;
  std::vector<int> order;
  for (size_t i = 0; i < mass.size(); ++i) {
    if (mass[i] >= kLeastShare * total) order.push_back(static_cast<int>(i));
  }
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    return mass[static_cast<size_t>(a)] > mass[static_cast<size_t>(b)];
  });
  for (const int sentence : order) {
    const double share = mass[static_cast<size_t>(sentence)] / total;
    if (out.sentences.size() == kMostNamed) break;
    out.sentences.push_back(sentence);
    out.weights.push_back(share);
  }
  return out;
}

}  // namespace

std::vector<SentenceSupport> FoldSupport(const AttentionResult& attention,
                                         absl::Span<const ByteSpan> written,
                                         absl::Span<const ByteSpan> source) {
  ATTEND_CHECK(attention.matrices.size() == 1 && !attention.matrices[0].sparse,
               "support is folded from one dense matrix");
  const AttentionMatrix& matrix = attention.matrices[0];
  const std::vector<int> of_row = SentencesOf(attention.target_tokens, written);
  const std::vector<int> of_column = SentencesOf(attention.source_tokens, source);
  std::vector<std::vector<double>> mass(written.size());
  for (int r = 0; r < matrix.rows; ++r) {
    const int sentence = of_row[static_cast<size_t>(r)];
    if (sentence < 0) continue;
    std::vector<double>& sums = mass[static_cast<size_t>(sentence)];
    sums.resize(source.size());
    const float* row = matrix.weights.data() + static_cast<ptrdiff_t>(r) * matrix.columns;
    for (int c = 0; c < matrix.columns; ++c) {
      const int from = of_column[static_cast<size_t>(c)];
      if (from >= 0) sums[static_cast<size_t>(from)] += row[c];
    }
  }
  std::vector<SentenceSupport> out;
  for (size_t s = 0; s < written.size(); ++s) {
    if (mass[s].empty()) continue;
    out.push_back(Strongest(mass[s], written[s]));
  }
  return out;
}

}  // namespace attend
