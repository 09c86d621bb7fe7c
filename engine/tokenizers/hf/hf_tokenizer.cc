// Encoding: added tokens part the text, the normaliser rewrites what is between them, the
// pre-tokeniser cuts it, the model cuts the parts into pieces, and the template puts special tokens
// around. Spans come from the alignment that all stages keep.
#include "engine/tokenizers/hf/hf_tokenizer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/check.h"
#include "engine/base/status_macros.h"
#include "engine/checkpoint/checkpoint_error.h"
#include "engine/text/unicode.h"
#include "engine/tokenizers/decoded_text_builder.h"
#include "engine/tokenizers/language_tokens.h"

namespace attend {
namespace {

constexpr char kTokenizerFile[] = "tokenizer.json";
constexpr char kVocabTxt[] = "vocab.txt";
constexpr char kVocabJson[] = "vocab.json";
constexpr char kMergesTxt[] = "merges.txt";
constexpr int64_t kMaxVocabulary = 1'000'000;  // where config.json names no size

// Ids from the model's vocabulary size on have no embedding.
absl::StatusOr<int64_t> ReadVocabularyLimit(const Json& config) {
  Json place = config;
  for (const char* part : {"decoder", "text_config"}) {
    if (config.Has("vocab_size") || !config.Has(part)) continue;
    ATTEND_ASSIGN_OR_RETURN(place, config.Get(part));
  }
  ATTEND_ASSIGN_OR_RETURN(const int64_t size, place.GetIntOr("vocab_size", kMaxVocabulary));
  if (size < 1) {
    return CorruptTensor({"config.json", {}}, "a 'vocab_size' of at least 1", absl::StrCat(size));
  }
  return std::min(size, kMaxVocabulary);
}

// On character boundaries, in order, and without white space at the ends unless there is nothing
// else.
ByteSpan TidySpan(std::string_view text, ByteSpan span, uint32_t not_before) {
  span.begin = CharacterBegin(text, std::max(span.begin, not_before));
  span.end = std::max(span.end, span.begin);
  const uint32_t last = CharacterBegin(text, span.end);
  if (last < span.end) span.end = CodePointAt(text, last).end;
  const ByteSpan trimmed = TrimWhiteSpace(text, span);
  return trimmed.empty() ? span : trimmed;
}

void Note(LoadReport* report, const char* file, const std::string& what) {
  if (report != nullptr) report->notes.push_back(absl::StrCat(file, ": ", what));
}

// The lengths to which transformers cuts two texts, so that they have `limit` tokens together.
void ShareLimit(size_t limit, size_t* first, size_t* second) {
  if (*first + *second <= limit) return;
  size_t shorter = std::min(*first, *second);
  size_t longer = shorter > limit ? shorter : std::max(shorter, limit - shorter);
  if (shorter + longer > limit) {
    shorter = limit / 2;
    longer = shorter + limit % 2;
  }
  const bool is_first_shorter = *first <= *second;
  *first = std::min(*first, is_first_shorter ? shorter : longer);
  *second = std::min(*second, is_first_shorter ? longer : shorter);
}

}  // namespace

bool HfTokenizer::CanLoad(const ModelDirectory& directory) {
  return directory.Has(kTokenizerFile) || directory.Has(kVocabTxt) ||
         (directory.Has(kVocabJson) && directory.Has(kMergesTxt));
}

absl::StatusOr<std::unique_ptr<Tokenizer>> HfTokenizer::Load(const ModelDirectory& directory,
                                                             LoadReport* report) {
  ATTEND_ASSIGN_OR_RETURN(HfTokenizerConfig config, HfTokenizerConfig::Read(directory));
  const auto limit = ReadVocabularyLimit(directory.config());
  if (!limit.ok()) return CorruptJson("config.json", limit.status());
  absl::StatusOr<HfTokenizerParts> parts;
  if (directory.Has(kTokenizerFile) || !CanLoad(directory)) {
    parts = HfTokenizerParts::ReadTokenizerJson(directory, config, *limit);
  } else if (directory.Has(kVocabTxt)) {
    parts = HfTokenizerParts::ReadVocabTxt(directory, config, *limit);
  } else {
    parts = HfTokenizerParts::ReadMergesTxt(directory, config, *limit);
  }
  if (!parts.ok()) return parts.status();
  return Make(std::move(config), *std::move(parts), *limit, report);
}

absl::StatusOr<std::unique_ptr<Tokenizer>> HfTokenizer::Make(HfTokenizerConfig config,
                                                             HfTokenizerParts parts,
                                                             int64_t max_size, LoadReport* report) {
  std::unique_ptr<HfTokenizer> tokenizer(new HfTokenizer(std::move(config), std::move(parts)));
  ATTEND_RETURN_IF_ERROR(tokenizer->Build(max_size, report));
  return tokenizer;
}

absl::Status HfTokenizer::Build(int64_t max_size, LoadReport* report) {
  const Vocabulary& vocabulary = parts_.model->vocabulary();
  if (!vocabulary.left_out().empty()) {
    Note(report, parts_.file,
         absl::StrCat(vocabulary.left_out().size(),
                      " pieces are left out, because their ids are at or above vocab_size ",
                      max_size));
  }
  CollectAddedTokens(max_size, report);
  vocab_size_ = vocabulary.size();
  for (const AddedToken& token : added_tokens_.all()) {
    vocab_size_ = std::max<int64_t>(vocab_size_, int64_t{token.id} + 1);
  }
  CollectLanguages();
  SetLanguageTemplate();
  ATTEND_RETURN_IF_ERROR(CheckTemplate(max_size));
  for (const char* key : {"sep_token", "eos_token"}) {
    const AddedToken* token = config_.Special(key);
    const int32_t id = token == nullptr ? -1 : FindId(token->content);
    if (id >= 0) eos_id_ = id;
  }
  return absl::OkStatus();
}

// Those of tokenizer.json count first; then what the configuration adds to them.
void HfTokenizer::CollectAddedTokens(int64_t max_size, LoadReport* report) {
  std::vector<AddedToken> tokens = std::move(parts_.added_tokens);
  tokens.insert(tokens.end(), config_.added_tokens.begin(), config_.added_tokens.end());
  std::vector<AddedToken> without_id = config_.further_special_tokens;
  for (const auto& [key, token] : config_.special_tokens) without_id.push_back(token);
  for (AddedToken& token : without_id) {
    token.id = -1;
    tokens.push_back(token);
  }
  std::vector<AddedToken> known;
  for (AddedToken& token : tokens) {
    token.id = parts_.model->vocabulary().Find(token.content).value_or(token.id);
    if (token.id >= 0 && token.id < max_size) {
      known.push_back(std::move(token));
    } else if (token.id >= 0) {
      Note(report, parts_.file,
           absl::StrCat("the token '", Printable(token.content), "' is left out: its id ", token.id,
                        " is not below vocab_size ", max_size));
    }
  }
  added_tokens_.Build(known, parts_.normalizer.get());
}

void HfTokenizer::CollectLanguages() {
  if (!config_.is_multilingual) return;
  std::vector<std::pair<std::string, int32_t>> named;
  for (const AddedToken& token : added_tokens_.all()) {
    const std::string_view name = LanguageOfToken(token.content);
    if (token.special && !name.empty()) named.emplace_back(name, token.id);
  }
  languages_ = MakeLanguages(std::move(named));
  for (const TokenizerLanguage& language : languages_) {
    if (language.name == config_.source_language) {
      source_language_id_ = language.id;
      source_language_ = language.code;
    }
    if (language.name == config_.target_language) {
      target_language_id_ = language.id;
      target_language_ = language.code;
    }
  }
  if (target_language_id_ < 0) target_language_id_ = source_language_id_;
}

// The classes of multilingual models put their own template in the place of the file's.
void HfTokenizer::SetLanguageTemplate() {
  const AddedToken* eos = config_.Special("eos_token");
  const int32_t eos_id = eos == nullptr ? -1 : FindId(eos->content);
  if (source_language_id_ < 0 || eos_id < 0) return;
  const std::string& name = config_.tokenizer_class;
  if (name == "MBart50Tokenizer" || (name == "NllbTokenizer" && !config_.legacy_behaviour)) {
    parts_.around = TokenTemplate::Around({source_language_id_}, {eos_id});
  } else if (name == "MBartTokenizer" || name == "NllbTokenizer") {
    parts_.around = TokenTemplate::Around({}, {eos_id, source_language_id_});
  }
}

absl::Status HfTokenizer::CheckTemplate(int64_t max_size) const {
  for (const auto* items : {&parts_.around.single, &parts_.around.pair}) {
    for (const TemplateItem& item : *items) {
      if (item.kind != TemplateItem::Kind::kToken || item.id < max_size) continue;
      return MismatchedTensor({parts_.file, {}},
                              absl::StrCat("special tokens with ids below vocab_size ", max_size),
                              absl::StrCat("id ", item.id, " in the post-processor"));
    }
  }
  return absl::OkStatus();
}

int32_t HfTokenizer::FindId(std::string_view piece) const {
  if (const AddedToken* token = added_tokens_.Find(piece)) return token->id;
  return parts_.model->vocabulary().Find(piece).value_or(-1);
}

bool HfTokenizer::IsLanguage(int32_t id) const {
  const auto found = std::lower_bound(
      languages_.begin(), languages_.end(), id,
      [](const TokenizerLanguage& language, int32_t wanted) { return language.id < wanted; });
  return found != languages_.end() && found->id == id;
}

std::vector<EncodedToken> HfTokenizer::EncodeOrdinary(std::string_view text) const {
  std::vector<TextPart> parts = added_tokens_.SplitAndNormalize(text);
  if (parts_.pre_tokenizer != nullptr) parts_.pre_tokenizer->Apply(&parts);
  std::vector<EncodedToken> tokens;
  std::vector<SubwordPiece> pieces;
  uint32_t last = 0;
  const auto add = [&](int32_t id, const AlignedText& part, ByteSpan range, bool special) {
    const auto size = static_cast<uint32_t>(part.text().size());
    range.begin = std::min(range.begin, size);
    range.end = std::min(range.end, size);
    EncodedToken token;
    token.id = id;
    token.piece = Piece(id, TextSide::kSource);
    token.special = special;
    token.span = TidySpan(text, part.ToOriginal(range), last);
    last = token.span.begin;
    if (special) token.span.end = token.span.begin;
    tokens.push_back(std::move(token));
  };
  for (const TextPart& part : parts) {
    const auto size = static_cast<uint32_t>(part.text.text().size());
    if (part.added_token >= 0) {
      add(part.added_token, part.text, {0, size}, IsSpecial(part.added_token));
      continue;
    }
    if (size == 0) continue;
    pieces.clear();
    parts_.model->Cut(part.text.text(), &pieces);
    for (const SubwordPiece& piece : pieces) add(piece.id, part.text, piece.range, false);
  }
  return tokens;
}

EncodedToken HfTokenizer::SpecialToken(int32_t id, uint32_t at) const {
  EncodedToken token;
  token.id = id;
  token.piece = Piece(id, TextSide::kSource);
  token.special = true;
  token.span = {at, at};
  return token;
}

EncodedText HfTokenizer::EncodeWith(std::string_view text, int32_t language) const {
  EncodedText encoded;
  encoded.num_end_tokens = 0;
  bool is_behind = false;
  for (const TemplateItem& item : parts_.around.single) {
    if (item.kind != TemplateItem::Kind::kToken) {
      std::vector<EncodedToken> tokens = EncodeOrdinary(text);
      encoded.tokens.insert(encoded.tokens.end(), std::make_move_iterator(tokens.begin()),
                            std::make_move_iterator(tokens.end()));
      is_behind = true;
      continue;
    }
    const int32_t id = language >= 0 && IsLanguage(item.id) ? language : item.id;
    const auto at = is_behind ? static_cast<uint32_t>(text.size()) : 0;
    encoded.tokens.push_back(SpecialToken(id, at));
    if (is_behind) ++encoded.num_end_tokens;
  }
  return encoded;
}

EncodedText HfTokenizer::Encode(std::string_view text, TextSide side) const {
  return EncodeWith(text, side == TextSide::kSource ? source_language_id_ : target_language_id_);
}

EncodedText HfTokenizer::EncodeIn(std::string_view text, TextSide,
                                  const TokenizerLanguage& language) const {
  ATTEND_CHECK(IsLanguage(language.id), "not a language of this tokenizer");
  return EncodeWith(text, language.id);
}

EncodedText HfTokenizer::EncodePair(std::string_view first, std::string_view second,
                                    int64_t max_tokens) const {
  const std::string_view texts[] = {first, second};
  std::vector<EncodedToken> tokens[] = {EncodeOrdinary(first), EncodeOrdinary(second)};
  const std::vector<TemplateItem>& items = parts_.around.pair;
  const auto num_special = static_cast<int64_t>(items.size()) - 2;
  size_t sizes[] = {tokens[0].size(), tokens[1].size()};
  ShareLimit(static_cast<size_t>(std::max<int64_t>(max_tokens - num_special, 0)), &sizes[0],
             &sizes[1]);
  EncodedText encoded;
  encoded.num_end_tokens = 0;
  size_t current = 0;      // the text that special tokens count to
  bool is_behind = false;  // the current text
  for (const TemplateItem& item : items) {
    if (item.kind == TemplateItem::Kind::kToken) {
      const auto at = is_behind ? static_cast<uint32_t>(texts[current].size()) : 0;
      encoded.tokens.push_back(SpecialToken(item.id, at));
      encoded.token_types.push_back(item.type);
      ++encoded.num_end_tokens;
      continue;
    }
    current = item.kind == TemplateItem::Kind::kFirst ? 0 : 1;
    is_behind = true;
    tokens[current].resize(sizes[current]);
    for (EncodedToken& token : tokens[current]) encoded.tokens.push_back(std::move(token));
    encoded.token_types.resize(encoded.tokens.size(), item.type);
    encoded.num_end_tokens = 0;
  }
  return encoded;
}

std::string HfTokenizer::Piece(int32_t id, TextSide) const {
  if (const AddedToken* token = added_tokens_.Find(id)) return token->content;
  return std::string(parts_.model->vocabulary().Piece(id));
}

bool HfTokenizer::IsSpecial(int32_t id) const {
  const AddedToken* token = added_tokens_.Find(id);
  return token != nullptr && token->special;
}

DecodedText HfTokenizer::Decode(absl::Span<const int32_t> ids, TextSide side,
                                bool keep_special) const {
  std::vector<DecodedPiece> pieces;
  pieces.reserve(ids.size());
  for (uint32_t i = 0; i < ids.size(); ++i) {
    const bool is_known =
        added_tokens_.Find(ids[i]) != nullptr || parts_.model->vocabulary().Has(ids[i]);
    if (!is_known || (!keep_special && IsSpecial(ids[i]))) continue;
    pieces.emplace_back(Piece(ids[i], side), i);
  }
  parts_.decoder->Decode(&pieces);
  DecodedPiece all;
  for (const DecodedPiece& piece : pieces) all.Append(piece);
  if (config_.clean_up_spaces) {
    constexpr std::pair<std::string_view, std::string_view> kReplacements[] = {
        {" .", "."},     {" ?", "?"},   {" !", "!"},   {" ,", ","},     {" ' ", "'"},
        {" n't", "n't"}, {" 'm", "'m"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
    for (const auto& [from, to] : kReplacements) ReplaceInPiece(from, to, &all);
  }
  DecodedTextBuilder builder;
  const std::string_view text = all.text;
  for (size_t at = 0; at < text.size();) {
    size_t end = at + 1;
    while (end < text.size() && all.tokens[end] == all.tokens[at]) ++end;
    builder.Append(text.substr(at, end - at), all.tokens[at]);
    at = end;
  }
  return std::move(builder).Build(ids.size());
}

}  // namespace attend
