// Symbols form a linked list and possible merges a heap, best first; a merge that came to nothing
// because a neighbour changed is recognised when it comes up. So a word of n characters takes
// n log n steps.
#include "engine/tokenizers/hf/bpe_model.h"

#include <queue>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "engine/base/status_macros.h"
#include "engine/checkpoint/checkpoint_error.h"
#include "engine/text/unicode.h"
#include "engine/tokenizers/hf/json_place.h"

namespace attend {

struct BpeModel::Symbol {
  int32_t id = 0;
  uint32_t size = 0;  // bytes of the word; 0: merged into one before
  int32_t previous = -1, next = -1;
};

absl::StatusOr<std::vector<BpeModel::Merge>> BpeModel::ParseMerges(std::string_view text,
                                                                   std::string_view file) {
  std::vector<Merge> merges;
  int64_t line_number = 0;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    ++line_number;
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.empty() || line.substr(0, 8) == "#version") continue;
    const size_t space = line.find(' ');
    if (space == std::string_view::npos || line.find(' ', space + 1) != std::string_view::npos) {
      return CorruptCheckpoint({file, {}},
                               absl::StrCat("line ", line_number, ": expected two pieces"));
    }
    merges.emplace_back(line.substr(0, space), line.substr(space + 1));
  }
  return merges;
}

absl::StatusOr<std::unique_ptr<const SubwordModel>> BpeModel::Read(const Json& json,
                                                                   int64_t max_size) {
  BpeOptions options;
  const std::pair<const char*, std::string*> texts[] = {
      {"unk_token", &options.unk_token},
      {"continuing_subword_prefix", &options.continuing_subword_prefix},
      {"end_of_word_suffix", &options.end_of_word_suffix}};
  for (const auto& [key, value] : texts) {
    ATTEND_ASSIGN_OR_RETURN(*value, json.GetStringOr(key, ""));
  }
  const std::pair<const char*, bool*> flags[] = {{"fuse_unk", &options.fuse_unk},
                                                 {"byte_fallback", &options.byte_fallback},
                                                 {"ignore_merges", &options.ignore_merges}};
  for (const auto& [key, value] : flags) {
    ATTEND_ASSIGN_OR_RETURN(*value, json.GetBoolOr(key, false));
  }
  ATTEND_ASSIGN_OR_RETURN(const double dropout, json.GetNumberOr("dropout", 0));
  if (dropout != 0) {
    ATTEND_ASSIGN_OR_RETURN(const Json value, json.Get("dropout"));
    return UnsupportedValue(value, "merges that are left out at random are not supported");
  }
  const std::string file = json.origin().substr(0, json.origin().find(": "));
  ATTEND_ASSIGN_OR_RETURN(const Json vocabulary_json, json.Get("vocab"));
  ATTEND_ASSIGN_OR_RETURN(Vocabulary vocabulary,
                          Vocabulary::FromJson(vocabulary_json, file, max_size));
  ATTEND_ASSIGN_OR_RETURN(const Json list, json.Get("merges"));
  ATTEND_RETURN_IF_ERROR(list.RequireArray());
  std::vector<Merge> merges;
  for (const Json& entry : list.Elements()) {
    const std::vector<Json> pair = entry.Elements();
    if (pair.size() == 2) {
      ATTEND_ASSIGN_OR_RETURN(std::string left, pair[0].AsString());
      ATTEND_ASSIGN_OR_RETURN(std::string right, pair[1].AsString());
      merges.emplace_back(std::move(left), std::move(right));
      continue;
    }
    ATTEND_ASSIGN_OR_RETURN(const std::string line, entry.AsString());
    const size_t space = line.find(' ');
    if (space == std::string::npos || line.find(' ', space + 1) != std::string::npos) {
      return CorruptValue(entry, "expected two pieces");
    }
    merges.emplace_back(line.substr(0, space), line.substr(space + 1));
  }
  return Make(std::move(vocabulary), merges, std::move(options), file);
}

absl::StatusOr<std::unique_ptr<const SubwordModel>> BpeModel::Make(Vocabulary vocabulary,
                                                                   const std::vector<Merge>& merges,
                                                                   BpeOptions options,
                                                                   std::string_view file) {
  std::unique_ptr<BpeModel> model(new BpeModel(std::move(vocabulary), std::move(options)));
  const BpeOptions& set = model->options_;
  if (!set.unk_token.empty()) {
    model->unk_id_ = model->vocabulary().Find(set.unk_token).value_or(-1);
    if (model->unk_id_ < 0) {
      return CorruptCheckpoint({file, {}}, absl::StrCat("the vocabulary lacks the unknown token '",
                                                        Printable(set.unk_token), "'"));
    }
  }
  if (set.byte_fallback) {
    for (uint32_t byte = 0; byte < 256; ++byte) {
      model->byte_ids_.push_back(
          model->vocabulary().Find(absl::StrFormat("<0x%02X>", byte)).value_or(-1));
    }
  }
  for (const auto& [piece, id] : model->vocabulary().left_out()) model->left_out_.insert(piece);
  model->merges_.reserve(merges.size());
  for (uint32_t rank = 0; rank < merges.size(); ++rank) {
    ATTEND_RETURN_IF_ERROR(model->AddMerge(merges[rank], rank, file));
  }
  return std::unique_ptr<const SubwordModel>(std::move(model));
}

absl::Status BpeModel::AddMerge(const Merge& merge, uint32_t rank, std::string_view file) {
  // What is left out because the model has no embedding for it takes its merges along.
  if (left_out_.count(merge.first) > 0 || left_out_.count(merge.second) > 0 ||
      left_out_.count(merge.first + merge.second) > 0) {
    return absl::OkStatus();
  }
  const auto find = [&](const std::string& piece) -> absl::StatusOr<int32_t> {
    if (const auto id = vocabulary().Find(piece)) return *id;
    return CorruptCheckpoint({file, {}}, absl::StrCat("merge ", rank, ": the vocabulary lacks '",
                                                      Printable(piece), "'"));
  };
  ATTEND_ASSIGN_OR_RETURN(const int32_t left, find(merge.first));
  ATTEND_ASSIGN_OR_RETURN(const int32_t right, find(merge.second));
  const size_t prefix = options_.continuing_subword_prefix.size();
  if (merge.second.size() < prefix) {
    return CorruptCheckpoint(
        {file, {}},
        absl::StrCat("merge ", rank, ": '", Printable(merge.second), "' does not continue a word"));
  }
  ATTEND_ASSIGN_OR_RETURN(const int32_t made, find(merge.first + merge.second.substr(prefix)));
  merges_[PairKey(left, right)] = {rank, made};
  return absl::OkStatus();
}

bool BpeModel::AppendBytes(std::string_view character, std::vector<Symbol>* symbols) const {
  for (const char c : character) {
    if (byte_ids_[static_cast<uint8_t>(c)] < 0) return false;
  }
  for (const char c : character) {
    symbols->push_back({byte_ids_[static_cast<uint8_t>(c)], 1, -1, -1});
  }
  return true;
}

// An unknown character waits until the next known one, because unknown ones may be fused; those
// that become bytes overtake it. That is how `tokenizers` has it.
std::vector<BpeModel::Symbol> BpeModel::ToSymbols(std::string_view word) const {
  std::vector<Symbol> symbols;
  symbols.reserve(word.size());
  uint32_t waiting = 0;  // bytes of the unknown that waits
  const auto add_waiting = [&] {
    if (waiting > 0) symbols.push_back({unk_id_, waiting, -1, -1});
    waiting = 0;
  };
  for (uint32_t begin = 0; begin < word.size();) {
    const uint32_t end = CodePointAt(word, begin).end;
    std::string piece(word.substr(begin, end - begin));
    if (begin > 0) piece.insert(0, options_.continuing_subword_prefix);
    if (end == word.size()) piece += options_.end_of_word_suffix;
    const uint32_t size = end - begin;
    begin = end;
    if (const auto id = vocabulary().Find(piece)) {
      add_waiting();
      symbols.push_back({*id, size, -1, -1});
      continue;
    }
    if (options_.byte_fallback && AppendBytes(piece, &symbols)) continue;
    if (unk_id_ < 0) continue;
    if (!options_.fuse_unk) add_waiting();
    waiting += size;
  }
  add_waiting();
  for (size_t i = 0; i < symbols.size(); ++i) {
    symbols[i].previous = static_cast<int32_t>(i) - 1;
    symbols[i].next = i + 1 < symbols.size() ? static_cast<int32_t>(i) + 1 : -1;
  }
  return symbols;
}

void BpeModel::MergeAll(std::vector<Symbol>* all) const {
  std::vector<Symbol>& symbols = *all;
  struct Candidate {
    uint32_t rank;
    int32_t left;  // index of the symbol
    int32_t id;
    bool operator<(const Candidate& other) const {  // of a heap whose greatest is the best
      return rank != other.rank ? rank > other.rank : left > other.left;
    }
  };
  std::priority_queue<Candidate> heap;
  const auto offer = [&](int32_t left) {
    if (left < 0 || symbols[static_cast<size_t>(left)].next < 0) return;
    const Symbol& a = symbols[static_cast<size_t>(left)];
    const auto rule = merges_.find(PairKey(a.id, symbols[static_cast<size_t>(a.next)].id));
    if (rule != merges_.end()) heap.push({rule->second.rank, left, rule->second.id});
  };
  for (size_t i = 0; i + 1 < symbols.size(); ++i) offer(static_cast<int32_t>(i));
  while (!heap.empty()) {
    const Candidate best = heap.top();
    heap.pop();
    Symbol& left = symbols[static_cast<size_t>(best.left)];
    if (left.size == 0 || left.next < 0) continue;
    Symbol& right = symbols[static_cast<size_t>(left.next)];
    const auto rule = merges_.find(PairKey(left.id, right.id));
    if (rule == merges_.end() || rule->second.id != best.id) continue;
    left.id = best.id;
    left.size += right.size;
    right.size = 0;
    left.next = right.next;
    if (left.next >= 0) symbols[static_cast<size_t>(left.next)].previous = best.left;
    offer(left.previous);
    offer(best.left);
  }
}

void BpeModel::Cut(std::string_view word, std::vector<SubwordPiece>* pieces) const {
  if (options_.ignore_merges) {
    if (const auto id = vocabulary().Find(word)) {
      pieces->push_back({*id, {0, static_cast<uint32_t>(word.size())}});
      return;
    }
  }
  std::vector<Symbol> symbols = ToSymbols(word);
  MergeAll(&symbols);
  uint32_t at = 0;
  for (const Symbol& symbol : symbols) {
    if (symbol.size == 0) continue;
    pieces->push_back({symbol.id, {at, at + symbol.size}});
    at += symbol.size;
  }
}

}  // namespace attend
