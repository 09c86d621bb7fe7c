// Viterbi over byte positions; each position looks at the pieces that begin there, so the longest
// piece bounds the work of one position. Unknown characters next to each other become one token.
#include "engine/tokenizers/hf/unigram_model.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "engine/base/status_macros.h"
#include "engine/checkpoint/checkpoint_error.h"
#include "engine/text/unicode.h"
#include "engine/tokenizers/hf/json_place.h"

namespace attend {
namespace {

constexpr double kUnknownPenalty = 10.0;
// Of the walk from one position; real pieces are shorter, and a hostile one must not make the work
// quadratic.
constexpr size_t kMaxPieceBytes = 1024;

}  // namespace

struct UnigramModel::Step {
  double score = 0;
  int32_t id = -1;
  uint32_t begin = UINT32_MAX;  // not reached
  uint32_t end = 0;
};

UnigramModel::UnigramModel(Vocabulary vocabulary, std::vector<double> scores, int32_t unk_id,
                           bool byte_fallback)
    : SubwordModel(std::move(vocabulary)), scores_(std::move(scores)), unk_id_(unk_id) {
  std::vector<std::pair<std::string_view, int32_t>> entries;
  for (int64_t id = 0; id < this->vocabulary().size(); ++id) {
    const std::string_view piece = this->vocabulary().Piece(static_cast<int32_t>(id));
    if (!piece.empty()) entries.emplace_back(piece, static_cast<int32_t>(id));
  }
  trie_.Build(std::move(entries));
  unk_score_ = *std::min_element(scores_.begin(), scores_.end()) - kUnknownPenalty;
  has_bytes_ = byte_fallback;
  for (uint32_t byte = 0; byte < 256; ++byte) {
    byte_ids_[byte] = this->vocabulary().Find(absl::StrFormat("<0x%02X>", byte)).value_or(-1);
  }
}

absl::StatusOr<std::unique_ptr<const SubwordModel>> UnigramModel::Read(const Json& json,
                                                                       int64_t max_size) {
  const std::string file = json.origin().substr(0, json.origin().find(": "));
  ATTEND_ASSIGN_OR_RETURN(const Json list, json.Get("vocab"));
  ATTEND_RETURN_IF_ERROR(list.RequireArray());
  Vocabulary vocabulary;
  std::vector<double> scores;
  for (const Json& entry : list.Elements()) {
    const std::vector<Json> pair = entry.Elements();
    if (pair.size() != 2) return CorruptValue(entry, "expected a piece and its score");
    ATTEND_ASSIGN_OR_RETURN(const std::string piece, pair[0].AsString());
    ATTEND_ASSIGN_OR_RETURN(const double score, pair[1].AsNumber());
    if (!std::isfinite(score)) return CorruptValue(pair[1], "expected a finite number");
    if (piece.size() > kMaxPieceBytes) {
      return CorruptValue(pair[0], absl::StrCat("longer than ", kMaxPieceBytes, " bytes"));
    }
    if (vocabulary.Find(piece)) return CorruptValue(pair[0], "the piece occurs twice");
    ATTEND_RETURN_IF_ERROR(
        vocabulary.Add(piece, static_cast<int64_t>(scores.size()), file, max_size));
    scores.push_back(score);
  }
  if (scores.empty()) return CorruptValue(list, "no pieces");
  ATTEND_ASSIGN_OR_RETURN(const int64_t unk_id, json.GetInt("unk_id"));
  if (unk_id < 0 || unk_id >= static_cast<int64_t>(scores.size())) {
    ATTEND_ASSIGN_OR_RETURN(const Json value, json.Get("unk_id"));
    return CorruptValue(value, absl::StrCat("expected the id of a piece, found ", unk_id));
  }
  ATTEND_ASSIGN_OR_RETURN(const bool byte_fallback, json.GetBoolOr("byte_fallback", false));
  return std::unique_ptr<const SubwordModel>(new UnigramModel(
      std::move(vocabulary), std::move(scores), static_cast<int32_t>(unk_id), byte_fallback));
}

std::vector<UnigramModel::Step> UnigramModel::FindBestSteps(std::string_view word) const {
  const auto size = static_cast<uint32_t>(word.size());
  std::vector<Step> best(size + size_t{1});  // by end position
  const auto offer = [&best](double score, int32_t id, uint32_t begin, uint32_t end) {
    Step& step = best[end];
    if (step.begin == UINT32_MAX || score > step.score) step = {score, id, begin, end};
  };
  for (uint32_t begin = 0; begin < size;) {
    const double score_here = best[begin].score;
    const uint32_t next = CodePointAt(word, begin).end;
    bool is_covered = false;  // some piece is this one character
    uint32_t node = ByteTrie::kRoot;
    for (uint32_t end = begin; end < size;) {
      node = trie_.Child(node, static_cast<uint8_t>(word[end++]));
      if (node == ByteTrie::kNone) break;
      const int32_t id = trie_.Value(node);
      if (id < 0) continue;
      offer(scores_[static_cast<size_t>(id)] + score_here, id, begin, end);
      is_covered = is_covered || end == next;
    }
    if (!is_covered) offer(unk_score_ + score_here, unk_id_, begin, next);
    begin = next;
  }
  std::vector<Step> steps;
  for (uint32_t end = size; end > 0; end = steps.back().begin) steps.push_back(best[end]);
  std::reverse(steps.begin(), steps.end());
  return steps;
}

void UnigramModel::Cut(std::string_view word, std::vector<SubwordPiece>* pieces) const {
  const std::vector<Step> steps = FindBestSteps(word);
  for (size_t i = 0; i < steps.size();) {
    const bool is_unknown = steps[i].id == unk_id_;
    ByteSpan range = {steps[i].begin, steps[i].end};
    const int32_t id = steps[i++].id;
    if (!is_unknown) {
      pieces->push_back({id, range});
      continue;
    }
    for (; i < steps.size() && steps[i].id == unk_id_; ++i) range.end = steps[i].end;
    const std::string_view unknown = word.substr(range.begin, range.size());
    // Spelt-out unknown tokens can make up a piece together.
    if (const auto known = vocabulary().Find(unknown)) {
      pieces->push_back({*known, range});
      continue;
    }
    const bool as_bytes = has_bytes_ && std::all_of(unknown.begin(), unknown.end(), [this](char c) {
                            return byte_ids_[static_cast<uint8_t>(c)] >= 0;
                          });
    if (!as_bytes) {
      pieces->push_back({unk_id_, range});
      continue;
    }
    for (const char c : unknown) pieces->push_back({byte_ids_[static_cast<uint8_t>(c)], range});
  }
}

}  // namespace attend
