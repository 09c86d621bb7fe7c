// Two directed arg-max alignments, joined. A row says which source word a target word was written
// from; a column says which target word a source word went into; where both agree the link is
// nearly always right, so growth starts there.
#include "engine/tasks/word_alignment.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "engine/base/check.h"

namespace attend {
namespace {

// The matrix and what is linked so far; cells are numbered row by row.
class Links {
 public:
  Links(const AttentionMatrix& matrix, float threshold)
      : matrix_(matrix),
        candidate_(matrix.weights.size(), 0),
        target_linked_(Count(matrix.rows), false),
        source_linked_(Count(matrix.columns), false),
        linked_(matrix.weights.size(), false) {
    for (int t = 0; t < matrix.rows; ++t)
      Nominate(Best(t * matrix.columns, 1, matrix.columns), threshold);
    for (int s = 0; s < matrix.columns; ++s)
      Nominate(Best(s, matrix.columns, matrix.rows), threshold);
  }

  void Intersect() {
    for (size_t cell = 0; cell < candidate_.size(); ++cell) {
      if (candidate_[cell] == 2) Add(static_cast<int>(cell));
    }
  }

  // Adds neighbours of links, diagonal ones too, as long as one of their words is without a link.
  void Grow() {
    for (size_t next = 0; next < order_.size(); ++next) {
      const int t = order_[next] / matrix_.columns;
      const int s = order_[next] % matrix_.columns;
      for (int dt = -1; dt <= 1; ++dt) {
        for (int ds = -1; ds <= 1; ++ds) Try(t + dt, s + ds, /*both_free=*/false);
      }
    }
  }

  void AddLeftOver() {
    for (int t = 0; t < matrix_.rows; ++t) {
      for (int s = 0; s < matrix_.columns; ++s) Try(t, s, /*both_free=*/true);
    }
  }

  std::vector<WordLink> Take() const {
    std::vector<WordLink> out;
    for (size_t cell = 0; cell < linked_.size(); ++cell) {
      if (!linked_[cell]) continue;
      WordLink link;
      link.target_word = static_cast<int>(cell) / matrix_.columns;
      link.source_word = static_cast<int>(cell) % matrix_.columns;
      link.score = std::clamp(matrix_.weights[cell], 0.0f, 1.0f);
      out.push_back(link);
    }
    return out;
  }

 private:
  static size_t Count(int n) { return static_cast<size_t>(n); }

  // The cell with the largest weight of `count` cells from `first` in steps; the first on a tie.
  int Best(int first, int step, int count) const {
    int best = first;
    for (int i = 1; i < count; ++i) {
      const int cell = first + i * step;
      if (matrix_.weights[Count(cell)] > matrix_.weights[Count(best)]) best = cell;
    }
    return best;
  }

  void Nominate(int cell, float threshold) {
    const float weight = matrix_.weights[Count(cell)];
    if (weight >= threshold && weight > 0.0f) ++candidate_[Count(cell)];
  }

  void Try(int t, int s, bool both_free) {
    if (t < 0 || s < 0 || t >= matrix_.rows || s >= matrix_.columns) return;
    const int cell = t * matrix_.columns + s;
    if (linked_[Count(cell)] || candidate_[Count(cell)] == 0) return;
    const bool target_free = !target_linked_[Count(t)];
    const bool source_free = !source_linked_[Count(s)];
    if (both_free ? target_free && source_free : target_free || source_free) Add(cell);
  }

  void Add(int cell) {
    linked_[Count(cell)] = true;
    target_linked_[Count(cell / matrix_.columns)] = true;
    source_linked_[Count(cell % matrix_.columns)] = true;
    order_.push_back(cell);
  }

  const AttentionMatrix& matrix_;
  std::vector<uint8_t> candidate_;  // how many directions chose the cell
  std::vector<bool> target_linked_, source_linked_, linked_;
  std::vector<int> order_;  // links in the order they were made: the queue of growth
};

// The axis without the words that no token belongs to; `kept` gets the old index of each word that
// stays.
TextAxis Compact(const TextAxis& axis, std::vector<int>* kept) {
  std::vector<int> renumbered(axis.words.size(), -1);
  for (const AttendedToken& token : axis.tokens) {
    if (token.word >= 0) renumbered[static_cast<size_t>(token.word)] = 0;
  }
  TextAxis out;
  for (size_t w = 0; w < renumbered.size(); ++w) {
    if (renumbered[w] < 0) continue;
    renumbered[w] = static_cast<int>(kept->size());
    kept->push_back(static_cast<int>(w));
    out.words.push_back(axis.words[w]);
  }
  out.tokens = axis.tokens;
  for (AttendedToken& token : out.tokens) {
    if (token.word >= 0) token.word = renumbered[static_cast<size_t>(token.word)];
  }
  return out;
}

}  // namespace

std::vector<WordLink> LinkWords(const AttentionMatrix& matrix, float threshold) {
  ATTEND_CHECK(!matrix.sparse, "alignment reads a dense matrix");
  if (matrix.rows == 0 || matrix.columns == 0) return {};
  Links links(matrix, threshold);
  links.Intersect();
  links.Grow();
  links.AddLeftOver();
  return links.Take();
}

WordAligner::WordAligner(const AttentionPreset& preset, const ModelSpec& spec,
                         const TextAxis& source, const TextAxis& target) {
  const TextAxis compact_source = Compact(source, &source_words_);
  const TextAxis compact_target = Compact(target, &target_words_);
  folder_ =
      std::make_unique<AttentionFolder>(SelectionOf(preset, spec), compact_source, compact_target);
}

std::vector<WordLink> WordAligner::Finish() {
  const std::vector<AttentionMatrix> matrices = folder_->Finish();
  ATTEND_CHECK(matrices.size() == 1, "a preset folds to one matrix");
  std::vector<WordLink> links = LinkWords(matrices[0]);
  for (WordLink& link : links) {
    link.source_word = source_words_[static_cast<size_t>(link.source_word)];
    link.target_word = target_words_[static_cast<size_t>(link.target_word)];
  }
  return links;
}

}  // namespace attend
