// BPE as libsentencepiece does it: a text begins as its characters (user-defined symbols whole),
// and of all neighbours that make a piece together, those with the best score are joined first, the
// leftmost among equals, until none are left. A heap holds the pairs; one that a later join made
// obsolete is told by its length and dropped when it comes up. Pieces marked unused serve as steps
// on the way and are taken apart again at the end.
#include <algorithm>
#include <queue>
#include <unordered_map>
#include <utility>

#include "engine/tokenizers/sentencepiece/sentencepiece_model.h"

namespace attend {

class SentencePieceModel::Merger {
 public:
  Merger(const SentencePieceModel& model, std::string_view text) : model_(model), text_(text) {}

  std::vector<Step> Run() && {
    CutIntoSymbols();
    for (int32_t i = 1; i < static_cast<int32_t>(symbols_.size()); ++i) Offer(i - 1, i);
    while (!pairs_.empty()) {
      const Pair pair = pairs_.top();
      pairs_.pop();
      if (IsStillThere(pair)) Join(pair.left, pair.right);
    }
    for (int32_t i = symbols_.empty() ? kNone : 0; i != kNone; i = symbols_[i].next) {
      TakeApart(symbols_[i].begin, symbols_[i].begin + symbols_[i].size);
    }
    return std::move(steps_);
  }

 private:
  static constexpr int32_t kNone = -1;

  struct Symbol {
    uint32_t begin, size;  // in the text; size 0: joined to its left neighbour
    int32_t previous, next;
    uint32_t node;   // in matched_, where it leads there
    bool is_frozen;  // user-defined: never joined
  };
  struct Pair {
    float score;
    int32_t left, right;
    uint32_t size;
    bool operator<(const Pair& other) const {  // the largest comes first
      return score < other.score || (score == other.score && left > other.left);
    }
  };

  uint32_t Walk(uint32_t node, uint32_t begin, uint32_t end) const {
    for (uint32_t at = begin; at < end && node != ByteTrie::kNone; ++at)
      node = model_.matched_.Child(node, static_cast<uint8_t>(text_[at]));
    return node;
  }

  void CutIntoSymbols() {
    for (size_t at = 0; at < text_.size();) {
      const std::string_view rest = text_.substr(at);
      const uint32_t symbol_size = model_.normalizer_.verbatim().LongestPrefix(rest);
      const size_t size =
          symbol_size > 0 ? symbol_size : std::min(Utf8SizeByLead(rest[0]), rest.size());
      const auto begin = static_cast<uint32_t>(at), end = static_cast<uint32_t>(at + size);
      const auto index = static_cast<int32_t>(symbols_.size());
      symbols_.push_back({begin, end - begin, index - 1, end < text_.size() ? index + 1 : kNone,
                          Walk(ByteTrie::kRoot, begin, end), symbol_size > 0});
      at = end;
    }
  }

  // Remembers the neighbours when they make a piece.
  void Offer(int32_t left, int32_t right) {
    if (left == kNone || right == kNone) return;
    const Symbol &l = symbols_[left], &r = symbols_[right];
    if (l.is_frozen || r.is_frozen) return;
    const uint32_t node = Walk(l.node, r.begin, r.begin + r.size);
    const int32_t id = node == ByteTrie::kNone ? -1 : model_.matched_.Value(node);
    if (id < 0) return;
    pairs_.push({model_.pieces_[id].score, left, right, l.size + r.size});
    // By piece, not by place, and the latest one counts: so it is in libsentencepiece.
    if (model_.pieces_[id].type == PieceType::kUnused) left_sizes_[id] = l.size;
  }

  bool IsStillThere(const Pair& pair) const {
    const uint32_t left = symbols_[pair.left].size, right = symbols_[pair.right].size;
    return left > 0 && right > 0 && left + right == pair.size;
  }

  void Join(int32_t left, int32_t right) {
    Symbol &l = symbols_[left], &r = symbols_[right];
    l.node = Walk(l.node, r.begin, r.begin + r.size);
    l.size += r.size;
    l.next = r.next;
    if (r.next != kNone) symbols_[r.next].previous = left;
    r.size = 0;
    Offer(l.previous, left);
    Offer(left, l.next);
  }

  // Pieces are bounded in length, and so is the depth.
  void TakeApart(uint32_t begin, uint32_t end) {
    const int32_t id = model_.FindPiece(text_.substr(begin, end - begin));
    const auto left_size = left_sizes_.find(id);
    if (model_.pieces_[id].type != PieceType::kUnused || left_size == left_sizes_.end()) {
      steps_.push_back({0, id, begin, end});
      return;
    }
    const uint32_t middle = begin + left_size->second;
    TakeApart(begin, middle);
    TakeApart(middle, end);
  }

  const SentencePieceModel& model_;
  const std::string_view text_;
  std::vector<Symbol> symbols_;
  std::priority_queue<Pair> pairs_;
  std::unordered_map<int32_t, uint32_t> left_sizes_;  // of unused pieces: where they were joined
  std::vector<Step> steps_;
};

std::vector<SentencePieceModel::Step> SentencePieceModel::MergeSteps(
    std::string_view normalized) const {
  return Merger(*this, normalized).Run();
}

}  // namespace attend
