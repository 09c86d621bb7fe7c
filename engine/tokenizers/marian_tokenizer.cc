// Encoding goes outside in: special tokens that the text spells out part it into segments, the
// language code is taken off each segment, the SentencePiece model cuts what is left, and the
// vocabulary numbers it. Spans are carried back out through the same steps. Decoding joins pieces
// between special tokens with the model's own rules; added tokens stand between spaces, as spelt.
#include "engine/tokenizers/marian_tokenizer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/checkpoint/checkpoint_error.h"
#include "engine/text/unicode.h"
#include "engine/tokenizers/decoded_text_builder.h"
#include "engine/tokenizers/language_code.h"

namespace attend {
namespace {

constexpr char kConfigFile[] = "tokenizer_config.json";
constexpr char kSpecialTokensFile[] = "special_tokens_map.json";
constexpr char kAddedTokensFile[] = "added_tokens.json";
constexpr char kVocabularyFile[] = "vocab.json";
constexpr char kTargetVocabularyFile[] = "target_vocab.json";
// A quarter of a million pieces, with every character escaped.
constexpr uint64_t kMaxVocabularyBytes = uint64_t{32} << 20;
constexpr int64_t kDefaultMaxLength = 512;      // of transformers' MarianTokenizer
constexpr int64_t kMaxVocabulary = 10'000'000;  // where config.json names no size

// Errors of Json say which key of which file; here they mean that the file is bad.
template <typename T>
absl::StatusOr<T> AsCorrupt(absl::StatusOr<T> value, std::string_view file) {
  if (!value.ok()) return CorruptJson(file, value.status());
  return value;
}

// A token is written as its text, or as an object with its text under "content".
absl::StatusOr<std::string> ReadTokenText(const Json& token) {
  if (token.IsObject()) return token.GetString("content");
  return token.AsString();
}

// The text given to the SentencePiece model, with the way back to the offsets of the original.
struct StrippedText {
  std::string_view language_code;  // ">>fra<<" at the very start
  std::string text;
  struct Run {
    uint32_t begin;     // in `text`
    uint32_t original;  // the same place in the original
  };
  std::vector<Run> runs;

  uint32_t ToOriginal(uint32_t offset) const {
    const auto after = std::upper_bound(runs.begin(), runs.end(), offset,
                                        [](uint32_t at, const Run& run) { return at < run.begin; });
    const Run& run = *(after - 1);
    return run.original + (offset - run.begin);
  }
  ByteSpan ToOriginal(ByteSpan span) const {
    if (span.empty()) return {ToOriginal(span.begin), ToOriginal(span.begin)};
    return {ToOriginal(span.begin), ToOriginal(span.end - 1) + 1};
  }
};

// Takes out what the greedy pattern ">>.+<<" matches, on each line: from the first ">>" to the last
// "<<" behind it.
StrippedText StripLanguageCodes(std::string_view text, ByteSpan segment) {
  StrippedText stripped;
  stripped.text.reserve(segment.size());
  const auto keep = [&](uint32_t begin, uint32_t end) {
    stripped.runs.push_back({static_cast<uint32_t>(stripped.text.size()), begin});
    stripped.text.append(text.substr(begin, end - begin));
  };
  for (uint32_t line = segment.begin; line < segment.end;) {
    const std::string_view rest = text.substr(line, segment.end - line);
    const std::string_view content = rest.substr(0, rest.find('\n'));
    const size_t open = content.find(">>");
    const size_t close = content.rfind("<<");
    const auto line_end = static_cast<uint32_t>(line + std::min(content.size() + 1, rest.size()));
    if (open == std::string_view::npos || close == std::string_view::npos || close < open + 3) {
      keep(line, line_end);
    } else {
      const auto begin = static_cast<uint32_t>(line + open),
                 end = static_cast<uint32_t>(line + close + 2);
      if (begin == segment.begin) stripped.language_code = text.substr(begin, end - begin);
      if (begin > line) keep(line, begin);
      keep(end, line_end);
    }
    line = line_end;
  }
  return stripped;
}

// On character boundaries, and without white space at the ends unless there is nothing else.
ByteSpan TidySpan(std::string_view text, ByteSpan span) {
  span.begin = CharacterBegin(text, span.begin);
  const uint32_t last = CharacterBegin(text, span.end);
  if (last < span.end) span.end = CodePointAt(text, last).end;
  const ByteSpan trimmed = TrimWhiteSpace(text, span);
  return trimmed.empty() ? span : trimmed;
}

bool IsLanguageToken(std::string_view piece) {
  return piece.size() > 4 && piece.substr(0, 2) == ">>" && piece.substr(piece.size() - 2) == "<<";
}

}  // namespace

struct MarianTokenizer::Config {
  std::string eos_token = "</s>", unk_token = "<unk>", pad_token = "<pad>";
  std::vector<std::string> further_special_tokens;  // those there are
  struct AddedToken {
    std::string text;
    int64_t id;
  };
  std::vector<AddedToken> added_tokens;
  const char* added_tokens_file = kConfigFile;
  bool separate_vocabularies = false;
  bool clean_up_spaces = false;
  std::string source_language, target_language;
  int64_t max_length = kDefaultMaxLength;

  absl::Status ReadSpecialTokens(const Json& json);
  absl::Status ReadOptions(const Json& json);
  absl::Status ReadAddedTokens(const Json& added);
};

// Of tokenizer_config.json or special_tokens_map.json; what is read last counts.
absl::Status MarianTokenizer::Config::ReadSpecialTokens(const Json& json) {
  const std::pair<const char*, std::string*> tokens[] = {
      {"eos_token", &eos_token}, {"unk_token", &unk_token}, {"pad_token", &pad_token}};
  for (const auto& [key, text] : tokens) {
    if (!json.Has(key)) continue;
    ATTEND_ASSIGN_OR_RETURN(const Json token, json.Get(key));
    ATTEND_ASSIGN_OR_RETURN(*text, ReadTokenText(token));
  }
  for (const char* key : {"bos_token", "sep_token", "cls_token", "mask_token"}) {
    if (!json.Has(key)) continue;
    ATTEND_ASSIGN_OR_RETURN(const Json token, json.Get(key));
    ATTEND_ASSIGN_OR_RETURN(further_special_tokens.emplace_back(), ReadTokenText(token));
  }
  if (!json.Has("additional_special_tokens")) return absl::OkStatus();
  ATTEND_ASSIGN_OR_RETURN(const Json list, json.Get("additional_special_tokens"));
  ATTEND_RETURN_IF_ERROR(list.RequireArray());
  for (const Json& token : list.Elements()) {
    ATTEND_ASSIGN_OR_RETURN(further_special_tokens.emplace_back(), ReadTokenText(token));
  }
  return absl::OkStatus();
}

absl::Status MarianTokenizer::Config::ReadOptions(const Json& json) {
  ATTEND_ASSIGN_OR_RETURN(separate_vocabularies, json.GetBoolOr("separate_vocabs", false));
  ATTEND_ASSIGN_OR_RETURN(clean_up_spaces, json.GetBoolOr("clean_up_tokenization_spaces", false));
  ATTEND_ASSIGN_OR_RETURN(const std::string source, json.GetStringOr("source_lang", ""));
  ATTEND_ASSIGN_OR_RETURN(const std::string target, json.GetStringOr("target_lang", ""));
  source_language = ToLanguageCode(source);
  target_language = ToLanguageCode(target);
  ATTEND_ASSIGN_OR_RETURN(const double limit,
                          json.GetNumberOr("model_max_length", kDefaultMaxLength));
  if (!(limit >= 1)) {
    return CorruptTensor({kConfigFile, {}}, "a 'model_max_length' of at least 1",
                         absl::StrCat(limit));
  }
  max_length = limit < static_cast<double>(kUnlimited) ? static_cast<int64_t>(limit) : kUnlimited;
  return absl::OkStatus();
}

// added_tokens_decoder: ids as text → tokens as objects.
absl::Status MarianTokenizer::Config::ReadAddedTokens(const Json& added) {
  ATTEND_RETURN_IF_ERROR(added.RequireObject());
  for (const std::string& key : added.Keys()) {
    ATTEND_ASSIGN_OR_RETURN(const Json token, added.Get(key));
    AddedToken read_token;
    const bool is_number =
        !key.empty() && key.size() <= 9 && key.find_first_not_of("0123456789") == std::string::npos;
    if (!is_number) {
      return CorruptTensor({kConfigFile, {}}, "ids as keys of 'added_tokens_decoder'",
                           absl::StrCat("'", Printable(key), "'"));
    }
    read_token.id = std::stol(key);
    ATTEND_ASSIGN_OR_RETURN(read_token.text, token.GetString("content"));
    ATTEND_RETURN_IF_ERROR(token.GetBoolOr("special", false).status());
    for (const char* flag : {"lstrip", "rstrip", "single_word"}) {
      ATTEND_ASSIGN_OR_RETURN(const bool is_set, token.GetBoolOr(flag, false));
      if (!is_set) continue;
      return UnsupportedCheckpoint(
          {kConfigFile, {}},
          absl::StrCat("key 'added_tokens_decoder.", key, "': '", flag, "' is not supported"));
    }
    added_tokens.push_back(std::move(read_token));
  }
  return absl::OkStatus();
}

absl::StatusOr<MarianTokenizer::Config> MarianTokenizer::ReadConfig(
    const ModelDirectory& directory) {
  Config config;
  Json json;
  if (directory.Has(kConfigFile)) {
    ATTEND_ASSIGN_OR_RETURN(json, AsCorrupt(directory.ReadJson(kConfigFile), kConfigFile));
    const auto read = [&config, &json]() -> absl::Status {
      ATTEND_RETURN_IF_ERROR(json.RequireObject());
      ATTEND_RETURN_IF_ERROR(config.ReadSpecialTokens(json));
      return config.ReadOptions(json);
    };
    if (const absl::Status status = read(); !status.ok()) return CorruptJson(kConfigFile, status);
  }
  if (json.Has("added_tokens_decoder")) {
    ATTEND_ASSIGN_OR_RETURN(const Json added, json.Get("added_tokens_decoder"));
    const absl::Status status = config.ReadAddedTokens(added);
    if (!status.ok()) return CorruptJson(kConfigFile, status);
    return config;
  }
  // Older folders (transformers before 4.34) say the same in two more files; newer ones keep copies
  // of them that count no longer.
  if (directory.Has(kSpecialTokensFile)) {
    ATTEND_ASSIGN_OR_RETURN(const Json map,
                            AsCorrupt(directory.ReadJson(kSpecialTokensFile), kSpecialTokensFile));
    absl::Status status = map.RequireObject();
    if (status.ok()) status = config.ReadSpecialTokens(map);
    if (!status.ok()) return CorruptJson(kSpecialTokensFile, status);
  }
  if (directory.Has(kAddedTokensFile)) {
    ATTEND_ASSIGN_OR_RETURN(const Json added,
                            AsCorrupt(directory.ReadJson(kAddedTokensFile), kAddedTokensFile));
    ATTEND_ASSIGN_OR_RETURN(const auto ids, AsCorrupt(added.AsIntMap(), kAddedTokensFile));
    for (const auto& [text, id] : ids) config.added_tokens.push_back({text, id});
    config.added_tokens_file = kAddedTokensFile;
  }
  return config;
}

absl::Status MarianTokenizer::MarkSpecialTokens(const Config& config, std::string_view file,
                                                Side* side) {
  const auto require = [&](const std::string& token) -> absl::StatusOr<int32_t> {
    const auto id = side->vocabulary.Find(token);
    if (id) return *id;
    std::string found = "none";
    for (const auto& [piece, large_id] : side->vocabulary.left_out()) {
      if (piece == token) found = absl::StrCat(large_id);
    }
    return CorruptTensor(
        {file, {}},
        absl::StrCat("an id within vocab_size for the special token '", Printable(token), "'"),
        found);
  };
  ATTEND_ASSIGN_OR_RETURN(side->eos_id, require(config.eos_token));
  ATTEND_ASSIGN_OR_RETURN(side->unk_id, require(config.unk_token));
  const auto size = static_cast<size_t>(side->vocabulary.size());
  side->special.assign(size, false);
  side->verbatim.assign(size, false);
  side->language.assign(size, false);
  side->special[static_cast<size_t>(side->eos_id)] =
      side->special[static_cast<size_t>(side->unk_id)] = true;
  std::vector<std::string> optional = config.further_special_tokens;
  optional.push_back(config.pad_token);
  for (const std::string& token : optional) {
    if (const auto id = side->vocabulary.Find(token))
      side->special[static_cast<size_t>(*id)] = true;
  }
  // Whether an added token calls itself special makes no difference in transformers: only the named
  // ones are.
  for (const Config::AddedToken& token : config.added_tokens) {
    const auto id = side->vocabulary.Find(token.text);
    if (id && !side->special[static_cast<size_t>(*id)])
      side->verbatim[static_cast<size_t>(*id)] = true;
  }
  for (size_t id = 0; id < size; ++id) {
    side->language[id] = IsLanguageToken(side->vocabulary.Piece(static_cast<int32_t>(id)));
  }
  return absl::OkStatus();
}

absl::Status MarianTokenizer::ReadVocabularies(const ModelDirectory& directory,
                                               const Config& config) {
  const Json& model_config = directory.config();
  ATTEND_ASSIGN_OR_RETURN(
      const int64_t vocab_size,
      AsCorrupt(model_config.GetIntOr("vocab_size", kMaxVocabulary), "config.json"));
  ATTEND_ASSIGN_OR_RETURN(
      const bool shares_embeddings,
      AsCorrupt(model_config.GetBoolOr("share_encoder_decoder_embeddings", true), "config.json"));
  int64_t decoder_vocab_size = vocab_size;
  if (!shares_embeddings) {
    ATTEND_ASSIGN_OR_RETURN(
        decoder_vocab_size,
        AsCorrupt(model_config.GetIntOr("decoder_vocab_size", vocab_size), "config.json"));
  }
  for (int i = 0; i < 2; ++i) {
    const bool is_own_target = i == 1 && config.separate_vocabularies;
    const char* file = is_own_target ? kTargetVocabularyFile : kVocabularyFile;
    const int64_t limit = std::min(is_own_target ? decoder_vocab_size : vocab_size, kMaxVocabulary);
    ATTEND_ASSIGN_OR_RETURN(const Json json,
                            AsCorrupt(directory.ReadJson(file, kMaxVocabularyBytes), file));
    ATTEND_ASSIGN_OR_RETURN(sides_[i].vocabulary, Vocabulary::FromJson(json, file, limit));
    // With two vocabularies the added tokens are those of the first; transformers cannot say
    // otherwise either.
    for (const Config::AddedToken& token : config.added_tokens) {
      if (is_own_target) break;
      ATTEND_RETURN_IF_ERROR(
          sides_[i].vocabulary.Add(token.text, token.id, config.added_tokens_file, limit));
    }
    ATTEND_RETURN_IF_ERROR(MarkSpecialTokens(config, file, &sides_[i]));
  }
  return absl::OkStatus();
}

// A SentencePiece model of another checkpoint cuts texts into pieces that this vocabulary has no
// numbers for: every translation would be made of unknown words, without an error.
absl::Status MarianTokenizer::CheckPieces(const Config& config, LoadReport* report) const {
  for (int i = 0; i < 2; ++i) {
    const Vocabulary& vocabulary = sides_[i].vocabulary;
    PieceCoverage coverage;
    coverage.file = i == 0 ? "source.spm" : "target.spm";
    coverage.vocabulary_file =
        i == 1 && config.separate_vocabularies ? kTargetVocabularyFile : kVocabularyFile;
    for (const std::string_view piece : sides_[i].model->NormalPieces()) {
      ++coverage.num_pieces;
      coverage.num_known += vocabulary.Find(piece).has_value() ? 1 : 0;
    }
    if (2 * coverage.num_known < coverage.num_pieces) {
      return MismatchedTensor({coverage.file, {}},
                              absl::StrCat("a model of which at least half of the pieces are in ",
                                           coverage.vocabulary_file),
                              absl::StrCat(coverage.num_known, " of ", coverage.num_pieces,
                                           ": they belong to different checkpoints"));
    }
    if (report == nullptr) continue;
    const auto& left_out = vocabulary.left_out();
    const bool is_same_file = i == 1 && !config.separate_vocabularies;
    if (!left_out.empty() && !is_same_file) {
      report->notes.push_back(
          absl::StrCat(coverage.vocabulary_file, ": ", left_out.size(),
                       " entries left out, whose ids the model has no embeddings for, such as '",
                       Printable(left_out[0].first), "': ", left_out[0].second));
    }
    report->pieces.push_back(std::move(coverage));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Tokenizer>> MarianTokenizer::Load(const ModelDirectory& directory,
                                                                 LoadReport* report) {
  std::unique_ptr<MarianTokenizer> tokenizer(new MarianTokenizer());
  ATTEND_ASSIGN_OR_RETURN(const Config config, ReadConfig(directory));
  ATTEND_ASSIGN_OR_RETURN(tokenizer->sides_[0].model,
                          SentencePieceModel::Load(directory.PathOf("source.spm")));
  ATTEND_ASSIGN_OR_RETURN(tokenizer->sides_[1].model,
                          SentencePieceModel::Load(directory.PathOf("target.spm")));
  ATTEND_RETURN_IF_ERROR(tokenizer->ReadVocabularies(directory, config));
  ATTEND_RETURN_IF_ERROR(tokenizer->CheckPieces(config, report));

  std::vector<std::string> whole = config.further_special_tokens;
  whole.insert(whole.end(), {config.eos_token, config.unk_token, config.pad_token});
  for (const Config::AddedToken& token : config.added_tokens) {
    if (tokenizer->source().vocabulary.Find(token.text)) whole.push_back(token.text);
  }
  std::sort(whole.begin(), whole.end());
  whole.erase(std::unique(whole.begin(), whole.end()), whole.end());
  std::vector<std::pair<std::string_view, int32_t>> entries;
  for (const std::string& token : whole) {
    if (!token.empty()) entries.emplace_back(token, 0);
  }
  tokenizer->whole_tokens_.Build(std::move(entries));
  tokenizer->clean_up_spaces_ = config.clean_up_spaces;
  tokenizer->source_language_ = config.source_language;
  tokenizer->target_language_ = config.target_language;
  tokenizer->max_length_ = config.max_length;
  return tokenizer;
}

EncodedText MarianTokenizer::Encode(std::string_view text, TextSide text_side) const {
  const Side& side = SideOf(text_side);
  EncodedText encoded;
  const auto append_whole = [&](int32_t id, uint32_t at, uint32_t length) {
    const bool is_special = !side.verbatim[static_cast<size_t>(id)];
    encoded.tokens.push_back({id,
                              std::string(side.vocabulary.Piece(id)),
                              {at, is_special ? at : at + length},
                              is_special});
  };
  const auto size = static_cast<uint32_t>(text.size());
  uint32_t segment = 0;
  for (uint32_t at = 0; at < size;) {
    const uint32_t length = whole_tokens_.LongestPrefix(text.substr(at));
    if (length == 0) {
      ++at;
      continue;
    }
    EncodeSegment(text, {segment, at}, side, &encoded.tokens);
    append_whole(side.vocabulary.Find(text.substr(at, length)).value_or(side.unk_id), at, length);
    segment = at += length;
  }
  EncodeSegment(text, {segment, size}, side, &encoded.tokens);
  append_whole(side.eos_id, size, 0);
  return encoded;
}

void MarianTokenizer::EncodeSegment(std::string_view text, ByteSpan segment, const Side& side,
                                    std::vector<EncodedToken>* tokens) const {
  if (segment.empty()) return;
  const StrippedText stripped = StripLanguageCodes(text, segment);
  if (!stripped.language_code.empty()) {
    const int32_t id = side.vocabulary.Find(stripped.language_code).value_or(side.unk_id);
    tokens->push_back(
        {id, std::string(side.vocabulary.Piece(id)), {segment.begin, segment.begin}, true});
  }
  if (stripped.text.empty()) return;
  for (const SentencePiece& piece : side.model->Encode(stripped.text)) {
    const int32_t id = side.vocabulary.Find(piece.piece).value_or(side.unk_id);
    const ByteSpan span = stripped.ToOriginal(TidySpan(stripped.text, piece.span));
    tokens->push_back({id, std::string(side.vocabulary.Piece(id)), span, false});
  }
}

DecodedText MarianTokenizer::Decode(absl::Span<const int32_t> ids, TextSide text_side,
                                    bool keep_special) const {
  const Side& side = SideOf(text_side);
  DecodedTextBuilder builder, part;  // the text, and what follows its last added token
  bool is_first = true;
  const auto separate = [&](uint32_t token) {
    if (!is_first) builder.Append(" ", token);
    is_first = false;
  };
  std::vector<std::string_view> pieces;  // since the last special or added token
  std::vector<uint32_t> positions;
  bool has_part = false;
  const auto flush = [&] {
    const std::vector<std::string> written = side.model->Decode(pieces);
    for (size_t i = 0; i < written.size(); ++i) part.Append(written[i], positions[i]);
    pieces.clear();
    positions.clear();
  };
  const auto end_part = [&](bool is_last) {
    flush();
    part.ReplaceAll(kSpaceSymbol, " ");
    part.Strip();
    if (!part.empty()) {
      separate(part.first_token());
      builder.Append(part);
    } else if (is_last && has_part) {
      separate(
          static_cast<uint32_t>(ids.size() - 1));  // nothing, but set off: as transformers has it
    }
    part = DecodedTextBuilder();
    has_part = false;
  };
  for (size_t i = 0; i < ids.size(); ++i) {
    if (!side.vocabulary.Has(ids[i])) continue;
    const std::string_view piece = side.vocabulary.Piece(ids[i]);
    if (side.verbatim[static_cast<size_t>(ids[i])]) {
      end_part(false);
      separate(static_cast<uint32_t>(i));
      builder.Append(piece, static_cast<uint32_t>(i));
    } else if (!side.special[static_cast<size_t>(ids[i])]) {
      pieces.push_back(piece);
      positions.push_back(static_cast<uint32_t>(i));
      has_part = true;
    } else if (keep_special) {
      flush();
      part.Append(absl::StrCat(std::string(piece), " "), static_cast<uint32_t>(i));
      has_part = true;
    }
  }
  end_part(true);
  if (clean_up_spaces_) {
    // transformers' clean_up_tokenization, in its order.
    for (const std::string_view from : {" .", " ?", " !", " ,"})
      builder.ReplaceAll(from, from.substr(1));
    builder.ReplaceAll(" ' ", "'");
    for (const std::string_view from : {" n't", " 'm", " 's", " 've", " 're"})
      builder.ReplaceAll(from, from.substr(1));
  }
  return std::move(builder).Build(ids.size());
}

std::string MarianTokenizer::Piece(int32_t id, TextSide side) const {
  return std::string(SideOf(side).vocabulary.Piece(id));
}

bool MarianTokenizer::IsSpecial(int32_t id) const {
  const Side& side = target();
  return side.vocabulary.Has(id) &&
         (side.special[static_cast<size_t>(id)] || side.language[static_cast<size_t>(id)]);
}

int64_t MarianTokenizer::vocab_size() const {
  return std::max(source().vocabulary.size(), target().vocabulary.size());
}

}  // namespace attend
