// Follows transformers 4.48 (PreTrainedTokenizer.__init__, _add_tokens and the __init__ of each
// class), whose order decides ids: a token that no file gives an id gets the next one behind all
// that came before.
#include "engine/tokenizers/sentencepiece/sentencepiece_numbering.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/checkpoint/checkpoint_error.h"
#include "engine/tokenizers/vocabulary.h"

namespace attend {
namespace {

using Numbering = SentencePieceKind::Numbering;
using Role = TokenizerConfig::Role;

constexpr char kVocabularyFile[] = "vocab.json";
// A quarter of a million pieces, with every character escaped.
constexpr uint64_t kMaxVocabularyBytes = uint64_t{32} << 20;
constexpr int64_t kMaxVocabulary = 2'000'000;  // where config.json names no size
constexpr int64_t kMaxExtraTokens = 100'000;   // that a class makes up by count
constexpr int64_t kFairseqOffset = 1;
constexpr std::pair<const char*, int64_t> kFairseqTokens[] = {
    {"<s>", 0}, {"<pad>", 1}, {"</s>", 2}, {"<unk>", 3}};

absl::Status BadCount(std::string_view key, int64_t found) {
  return CorruptTensor({TokenizerConfig::kFile, {}},
                       absl::StrCat("'", std::string(key), "' from 0 to ", kMaxExtraTokens),
                       absl::StrCat(found));
}

WholeToken Named(std::string text) {
  WholeToken token;
  token.text = std::move(text);
  return token;
}

bool IsExtraId(const WholeToken& token) {
  return token.text.find("<extra_id_") != std::string::npos;
}

}  // namespace

absl::Status SentencePieceNumbering::Run(SentencePieceVocabulary* vocabulary, LoadReport* report) {
  ATTEND_RETURN_IF_ERROR(ReadLimit());
  ATTEND_RETURN_IF_ERROR(NumberBase(report));
  for (size_t i = 0; i < config_.added.size(); ++i) listed_[config_.added[i].text] = i;
  additional_ = config_.additional;
  // Pegasus insists on its own tokens, the others let the folder's win.
  const bool own_last = kind_.numbering == Numbering::kOffset;
  if (own_last) ATTEND_RETURN_IF_ERROR(AddListedTokens());
  ATTEND_RETURN_IF_ERROR(AddOwnTokens());
  if (!own_last) ATTEND_RETURN_IF_ERROR(AddListedTokens());
  AddSpecialTokens();
  if (report != nullptr && !left_out_.empty()) {
    report->notes.push_back(
        absl::StrCat(config_.added_file, ": ", left_out_.size(),
                     " tokens left out, whose ids the model has no embeddings for, such as '",
                     Printable(left_out_[0].first), "': ", left_out_[0].second));
  }
  return Fill(vocabulary);
}

absl::Status SentencePieceNumbering::ReadLimit() {
  ATTEND_ASSIGN_OR_RETURN(
      limit_, AsCorrupt(directory_.config().GetIntOr("vocab_size", kMaxVocabulary), "config.json"));
  limit_ = std::min(limit_, kMaxVocabulary);
  return absl::OkStatus();
}

void SentencePieceNumbering::SetBase(int64_t id, std::string_view text) {
  if (id >= static_cast<int64_t>(base_.size())) base_.resize(static_cast<size_t>(id) + 1);
  base_[static_cast<size_t>(id)] = std::string(text);
}

// Text and id belong together whatever the pieces say.
void SentencePieceNumbering::Fix(std::string_view text, int64_t id) {
  if (id >= limit_) {
    left_out_.emplace_back(text, id);
    return;
  }
  SetBase(id, text);
  base_ids_[std::string(text)] = id;
}

absl::Status SentencePieceNumbering::NumberBase(LoadReport* report) {
  if (kind_.numbering == Numbering::kVocabularyFile) return ReadVocabularyFile(report);
  const int32_t num_pieces = model_.num_pieces();
  int64_t offset = 0;
  if (kind_.numbering == Numbering::kOffset) {
    ATTEND_ASSIGN_OR_RETURN(
        offset, AsCorrupt(config_.json.GetIntOr("offset", 103), TokenizerConfig::kFile));
    if (offset < 0 || offset > kMaxExtraTokens) return BadCount("offset", offset);
  } else if (kind_.numbering != Numbering::kPieces) {
    offset = kFairseqOffset;
  }
  base_size_ = num_pieces + offset;
  if (base_size_ > limit_) {
    return MismatchedTensor(
        {kind_.model_file, {}},
        absl::StrCat("at most ", limit_ - offset, " pieces, which the model has embeddings for"),
        absl::StrCat(num_pieces, ": they belong to different checkpoints"));
  }
  const bool is_fairseq =
      kind_.numbering == Numbering::kFairseq || kind_.numbering == Numbering::kFairseqAdded;
  for (int64_t id = 0; id < base_size_; ++id) {
    // Ids in front of the pieces show these too, where no token takes their place.
    const int64_t piece = id < offset && !is_fairseq ? id : id - offset;
    if (piece >= 0 && piece < num_pieces)
      SetBase(id, model_.PieceText(static_cast<int32_t>(piece)));
  }
  for (int32_t i = 0; i < num_pieces; ++i) {
    const int32_t piece = model_.FindPiece(model_.PieceText(i));
    if (is_fairseq && piece == 0) continue;  // taken for the unknown piece
    base_ids_[std::string(model_.PieceText(i))] = piece + offset;
  }
  if (kind_.numbering == Numbering::kFairseq) NumberFairseq();
  return absl::OkStatus();
}

void SentencePieceNumbering::NumberFairseq() {
  for (const auto& [text, id] : kFairseqTokens) Fix(text, id);
  int64_t next = base_size_;
  for (const std::string_view name : LanguageNames(*kind_.languages)) {
    base_languages_.emplace_back(name, next);
    Fix(name, next++);
  }
  Fix("<mask>", next++);
  base_size_ = next;
}

absl::Status SentencePieceNumbering::ReadVocabularyFile(LoadReport* report) {
  ATTEND_ASSIGN_OR_RETURN(
      const Json json,
      AsCorrupt(directory_.ReadJson(kVocabularyFile, kMaxVocabularyBytes), kVocabularyFile));
  ATTEND_ASSIGN_OR_RETURN(const Vocabulary file,
                          Vocabulary::FromJson(json, kVocabularyFile, limit_));
  int64_t num_entries = static_cast<int64_t>(file.left_out().size());
  for (int32_t id = 0; id < file.size(); ++id) {
    if (!file.Has(id)) continue;
    ++num_entries;
    SetBase(id, file.Piece(id));
    base_ids_[std::string(file.Piece(id))] = id;
  }
  left_out_ = file.left_out();
  base_size_ = num_entries;
  PieceCoverage coverage;
  coverage.file = kind_.model_file;
  coverage.vocabulary_file = kVocabularyFile;
  for (const std::string_view piece : model_.NormalPieces()) {
    ++coverage.num_pieces;
    coverage.num_known += file.Find(piece).has_value() ? 1 : 0;
  }
  if (2 * coverage.num_known < coverage.num_pieces) {
    return MismatchedTensor(
        {coverage.file, {}},
        absl::StrCat("a model of which at least half of the pieces are in ", kVocabularyFile),
        absl::StrCat(coverage.num_known, " of ", coverage.num_pieces,
                     ": they belong to different checkpoints"));
  }
  if (report != nullptr) report->pieces.push_back(std::move(coverage));
  int64_t next = num_entries;
  for (const std::string_view name : LanguageNames(*kind_.languages)) {
    base_languages_.emplace_back(name, next);
    Fix(LanguageToken(name), next++);
  }
  return absl::OkStatus();
}

void SentencePieceNumbering::AddToken(int64_t id, WholeToken token) {
  if (id >= limit_ || id < 0) {
    left_out_.emplace_back(token.text, id);
    return;
  }
  added_ids_[token.text] = id;
  added_[id] = std::move(token);
}

absl::Status SentencePieceNumbering::AddOwnTokens() {
  if (kind_.numbering == Numbering::kPieces) return AddExtraIds();
  if (kind_.numbering == Numbering::kOffset) return AddPegasusTokens();
  if (kind_.numbering == Numbering::kFairseqAdded) {
    for (const auto& [role, id] : {std::pair(Role::kBos, 0), std::pair(Role::kPad, 1),
                                   std::pair(Role::kEos, 2), std::pair(Role::kUnk, 3)}) {
      AddToken(id, TokenOf(role));
    }
  }
  if (kind_.languages && (kind_.numbering == Numbering::kFairseq || !config_.has_additional) &&
      kind_.numbering != Numbering::kVocabularyFile) {
    std::unordered_set<std::string> there;
    std::vector<WholeToken> names;
    for (const WholeToken& token : additional_) there.insert(token.text);
    for (const std::string_view name : LanguageNames(*kind_.languages)) {
      if (there.count(std::string(name)) == 0) names.push_back(Named(std::string(name)));
    }
    additional_.insert(additional_.end(), names.begin(), names.end());
  }
  return absl::OkStatus();
}

// T5: "<extra_id_0>" is the last one.
absl::Status SentencePieceNumbering::AddExtraIds() {
  ATTEND_ASSIGN_OR_RETURN(
      const int64_t extra_ids,
      AsCorrupt(config_.json.GetIntOr("extra_ids", 100), TokenizerConfig::kFile));
  if (extra_ids < 0 || extra_ids > kMaxExtraTokens) return BadCount("extra_ids", extra_ids);
  int64_t num_named = std::count_if(additional_.begin(), additional_.end(), IsExtraId);
  if (num_named > 0 && extra_ids > 0 && num_named != extra_ids) {
    return MismatchedTensor(
        {TokenizerConfig::kFile, {}},
        absl::StrCat("'additional_special_tokens' with all ", extra_ids, " of 'extra_ids'"),
        absl::StrCat(num_named));
  }
  if (num_named == 0) {
    if (!config_.has_additional) num_named = extra_ids;
    for (int64_t i = 0; i < extra_ids; ++i)
      additional_.push_back(Named(absl::StrCat("<extra_id_", i, ">")));
  }
  for (int64_t i = 0; i < num_named; ++i) {
    WholeToken token = Named(absl::StrCat("<extra_id_", i, ">"));
    token.lstrip = token.rstrip = true;
    AddToken(model_.num_pieces() - 1 + extra_ids - i, std::move(token));
  }
  return absl::OkStatus();
}

absl::Status SentencePieceNumbering::AddPegasusTokens() {
  ATTEND_ASSIGN_OR_RETURN(const int64_t offset,
                          AsCorrupt(config_.json.GetIntOr("offset", 103), TokenizerConfig::kFile));
  ATTEND_ASSIGN_OR_RETURN(
      const std::string sentence_mask,
      AsCorrupt(config_.json.GetStringOr("mask_token_sent", "<mask_1>"), TokenizerConfig::kFile));
  const std::vector<std::string> keys = config_.json.Keys();
  const bool has_sentence_mask = config_.json.Has("mask_token_sent") ||
                                 std::count(keys.begin(), keys.end(), "mask_token_sent") == 0;
  std::unordered_set<std::string> there;
  for (const WholeToken& token : additional_) there.insert(token.text);
  if (has_sentence_mask && there.insert(sentence_mask).second)
    additional_.insert(additional_.begin(), Named(sentence_mask));
  const auto first = config_.has_additional ? static_cast<int64_t>(additional_.size()) : int64_t{2};
  const int64_t last = config_.has_additional ? offset - 1 : offset;
  for (int64_t i = first; i < last; ++i) {
    WholeToken token = Named(absl::StrCat("<unk_", i, ">"));
    if (!there.insert(token.text).second) {
      return CorruptTensor(
          {TokenizerConfig::kFile, {}},
          "'additional_special_tokens' that leave room for the '<unk_N>' to fill up",
          absl::StrCat("'", token.text, "' already there"));
    }
    additional_.push_back(std::move(token));
  }
  int64_t next = 0;
  AddToken(next++, Named(TokenOf(Role::kPad).text));
  AddToken(next++, Named(TokenOf(Role::kEos).text));
  if (has_sentence_mask) {
    AddToken(next++, Named(sentence_mask));
    AddToken(next++, Named(TokenOf(Role::kMask).text));
  }
  for (int64_t i = 2; i < offset; ++i) AddToken(next++, Named(absl::StrCat("<unk_", i, ">")));
  return absl::OkStatus();
}

absl::Status SentencePieceNumbering::AddListedTokens() {
  for (const WholeToken& token : config_.added) {
    if (token.id < 0) {
      return CorruptTensor({config_.added_file, {}},
                           absl::StrCat("an id from 0 for '", Printable(token.text), "'"),
                           absl::StrCat(token.id));
    }
    AddToken(token.id, token);
  }
  return absl::OkStatus();
}

// The token of a role: what the folder lists under its text says more than its name alone, and the
// class knows that a mask takes the space before it along.
WholeToken SentencePieceNumbering::TokenOf(TokenizerConfig::Role role) const {
  WholeToken token;
  if (config_.named[role]) {
    token = *config_.named[role];
  } else if (kind_.special_tokens[role] != nullptr) {
    token.text = kind_.special_tokens[role];
  }
  const auto listed = listed_.find(token.text);
  if (listed != listed_.end()) {
    token = config_.added[listed->second];
    token.is_object = true;
  } else if (!token.is_object && role == Role::kMask && kind_.languages) {
    token.lstrip = token.is_object = true;
  }
  return token;
}

void SentencePieceNumbering::AddSpecialTokens() {
  std::vector<WholeToken> tokens;
  std::unordered_set<std::string> seen = {""};
  for (int role = 0; role < TokenizerConfig::kNumRoles; ++role) {
    WholeToken token = TokenOf(static_cast<Role>(role));
    if (seen.insert(token.text).second) tokens.push_back(std::move(token));
  }
  for (const WholeToken& token : additional_) {
    if (seen.insert(token.text).second) tokens.push_back(token);
  }
  // All that has an id so far.
  std::unordered_map<std::string, int64_t> ids;
  for (int64_t id = 0; id < base_size_; ++id) {
    if (const std::string_view text = TextAt(id); !text.empty()) ids[std::string(text)] = id;
  }
  for (const auto& [text, id] : added_ids_) ids[text] = id;
  auto next = static_cast<int64_t>(ids.size());
  for (WholeToken& token : tokens) {
    special_.push_back(token.text);
    if (!token.is_object && added_ids_.count(token.text) > 0) continue;
    const auto found = ids.find(token.text);
    const int64_t id = found != ids.end() ? found->second : next++;
    AddToken(id, std::move(token));
  }
}

std::string_view SentencePieceNumbering::TextAt(int64_t id) const {
  const auto added = added_.find(id);
  if (added != added_.end()) return added->second.text;
  return id < static_cast<int64_t>(base_.size()) ? std::string_view(base_[static_cast<size_t>(id)])
                                                 : std::string_view();
}

int64_t SentencePieceNumbering::IdOf(std::string_view text) const {
  const std::string key(text);
  const auto added = added_ids_.find(key);
  if (added != added_ids_.end()) return added->second;
  const auto base = base_ids_.find(key);
  return base != base_ids_.end() ? base->second : -1;
}

int64_t SentencePieceNumbering::UnknownId() const {
  const int32_t piece = model_.unknown_id();
  const int64_t named = IdOf(TokenOf(Role::kUnk).text);
  switch (kind_.numbering) {
    case Numbering::kPieces:
      return piece;
    case Numbering::kOffset:
      return base_size_ - model_.num_pieces() + piece;
    case Numbering::kFairseq:
    case Numbering::kFairseqAdded:
      return piece == 0 ? named : piece + kFairseqOffset;
    case Numbering::kVocabularyFile:
      return named;
  }
  return named;
}

absl::Status SentencePieceNumbering::Fill(SentencePieceVocabulary* vocabulary) const {
  const int64_t size =
      std::max(static_cast<int64_t>(base_.size()), added_.empty() ? 0 : added_.rbegin()->first + 1);
  vocabulary->entries_.resize(static_cast<size_t>(size));
  const std::unordered_set<std::string> special(special_.begin(), special_.end());
  std::unordered_set<std::string> further;  // special, and behind the vocabulary
  for (const WholeToken& token : additional_) {
    if (IdOf(token.text) >= base_size_) further.insert(token.text);
  }
  std::vector<std::pair<std::string_view, int32_t>> whole;
  for (int64_t id = 0; id < size; ++id) {
    SentencePieceVocabulary::Entry& entry = vocabulary->entries_[static_cast<size_t>(id)];
    entry.piece = std::string(TextAt(id));
    const auto added = added_.find(id);
    entry.is_used = !entry.piece.empty() || added != added_.end();
    entry.is_special = special.count(entry.piece) > 0;
    entry.is_verbatim =
        (added_ids_.count(entry.piece) > 0 && !entry.is_special) || further.count(entry.piece) > 0;
    if (added == added_.end()) continue;
    entry.takes_space_before = added->second.lstrip;
    entry.takes_space_behind = added->second.rstrip;
  }
  for (const auto& [text, id] : base_ids_) vocabulary->ids_[text] = static_cast<int32_t>(id);
  for (const auto& [text, id] : added_ids_) {
    vocabulary->ids_[text] = static_cast<int32_t>(id);
    if (!text.empty()) whole.emplace_back(text, static_cast<int32_t>(id));
  }
  vocabulary->whole_tokens_.Build(std::move(whole));
  FillLanguages(vocabulary);
  return FindEndAndUnknown(vocabulary);
}

absl::Status SentencePieceNumbering::FindEndAndUnknown(SentencePieceVocabulary* vocabulary) const {
  const std::pair<int64_t, Role> wanted[] = {{IdOf(TokenOf(Role::kEos).text), Role::kEos},
                                             {UnknownId(), Role::kUnk}};
  for (const auto& [id, role] : wanted) {
    if (id >= 0 && id < vocabulary->size()) continue;
    return CorruptTensor(
        {kind_.numbering == Numbering::kVocabularyFile ? kVocabularyFile : kind_.model_file, {}},
        absl::StrCat("an id within vocab_size for the special token '",
                     Printable(TokenOf(role).text), "'"),
        id < 0 ? "none" : absl::StrCat(id));
  }
  vocabulary->eos_id_ = static_cast<int32_t>(wanted[0].first);
  vocabulary->unk_id_ = static_cast<int32_t>(wanted[1].first);
  return absl::OkStatus();
}

void SentencePieceNumbering::FillLanguages(SentencePieceVocabulary* vocabulary) const {
  if (!kind_.languages) return;
  std::vector<std::pair<std::string, int32_t>> named;
  std::unordered_set<std::string> seen;
  const auto add = [&](std::string_view name, int64_t id) {
    if (id < 0 || id >= vocabulary->size() || !seen.insert(std::string(name)).second) return;
    named.emplace_back(name, static_cast<int32_t>(id));
    vocabulary->entries_[static_cast<size_t>(id)].is_language = true;
  };
  for (const auto& [name, id] : base_languages_) {
    if (id < limit_) add(name, id);
  }
  for (const auto& [id, token] : added_) {
    if (const std::string_view name = LanguageOfToken(token.text); !name.empty()) add(name, id);
  }
  vocabulary->languages_ = MakeLanguages(std::move(named));
}

}  // namespace attend
