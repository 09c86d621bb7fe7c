// Encoding goes outside in: special tokens that the text spells out part it into segments, the
// language code is taken off each segment, the SentencePiece model cuts what is left, and the
// vocabulary numbers it. Spans are carried back out through the same steps. Decoding joins pieces
// between special tokens with the model's own rules.
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
constexpr int64_t kDefaultMaxLength = 512;      // of transformers' MarianTokenizer
constexpr int64_t kMaxVocabulary = 10'000'000;  // where config.json names no size

// Errors of Json say which key of which file; here they mean that the file is bad.
absl::Status AsCorrupt(const absl::Status& status, std::string_view file) {
  if (status.ok() || status.code() != absl::StatusCode::kInvalidArgument) return status;
  std::string what(status.message());
  const std::string prefix = absl::StrCat(std::string(file), ": ");
  if (what.compare(0, prefix.size(), prefix) == 0) what.erase(0, prefix.size());
  return CorruptCheckpoint({file, {}}, what);
}

template <typename T>
absl::StatusOr<T> AsCorrupt(absl::StatusOr<T> value, std::string_view file) {
  if (!value.ok()) return AsCorrupt(value.status(), file);
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
  bool separate_vocabularies = false;
  bool clean_up_spaces = false;
  std::string source_language, target_language;
  int64_t max_length = kDefaultMaxLength;
};

absl::StatusOr<MarianTokenizer::Config> MarianTokenizer::ReadConfig(
    const ModelDirectory& directory) {
  Config config;
  if (!directory.Has(kConfigFile)) return config;
  ATTEND_ASSIGN_OR_RETURN(const Json json, AsCorrupt(directory.ReadJson(kConfigFile), kConfigFile));
  if (!json.IsObject()) return CorruptCheckpoint({kConfigFile, {}}, "expected an object");
  const auto read = [&config, &json]() -> absl::Status {
    const std::pair<const char*, std::string*> tokens[] = {{"eos_token", &config.eos_token},
                                                           {"unk_token", &config.unk_token},
                                                           {"pad_token", &config.pad_token}};
    for (const auto& [key, text] : tokens) {
      if (!json.Has(key)) continue;
      ATTEND_ASSIGN_OR_RETURN(const Json token, json.Get(key));
      ATTEND_ASSIGN_OR_RETURN(*text, ReadTokenText(token));
    }
    if (json.Has("additional_special_tokens")) {
      ATTEND_ASSIGN_OR_RETURN(const Json list, json.Get("additional_special_tokens"));
      for (const Json& token : list.Elements()) {
        ATTEND_ASSIGN_OR_RETURN(config.further_special_tokens.emplace_back(), ReadTokenText(token));
      }
    }
    ATTEND_ASSIGN_OR_RETURN(config.separate_vocabularies, json.GetBoolOr("separate_vocabs", false));
    ATTEND_ASSIGN_OR_RETURN(config.clean_up_spaces,
                            json.GetBoolOr("clean_up_tokenization_spaces", false));
    ATTEND_ASSIGN_OR_RETURN(const std::string source, json.GetStringOr("source_lang", ""));
    ATTEND_ASSIGN_OR_RETURN(const std::string target, json.GetStringOr("target_lang", ""));
    config.source_language = ToLanguageCode(source);
    config.target_language = ToLanguageCode(target);
    ATTEND_ASSIGN_OR_RETURN(const double max_length,
                            json.GetNumberOr("model_max_length", kDefaultMaxLength));
    if (!(max_length >= 1))
      return CorruptCheckpoint({kConfigFile, {}}, "key 'model_max_length': must be at least 1");
    config.max_length = max_length < static_cast<double>(kUnlimited)
                            ? static_cast<int64_t>(max_length)
                            : kUnlimited;
    if (!json.Has("added_tokens_decoder")) return absl::OkStatus();
    ATTEND_ASSIGN_OR_RETURN(const Json added, json.Get("added_tokens_decoder"));
    for (const std::string& key : added.Keys()) {
      ATTEND_ASSIGN_OR_RETURN(const Json token, added.Get(key));
      Config::AddedToken read_token;
      const bool is_number = !key.empty() && key.size() <= 9 &&
                             key.find_first_not_of("0123456789") == std::string::npos;
      if (!is_number)
        return CorruptCheckpoint({kConfigFile, {}},
                                 "key 'added_tokens_decoder': its keys must be ids");
      read_token.id = std::stol(key);
      ATTEND_ASSIGN_OR_RETURN(read_token.text, token.GetString("content"));
      for (const char* flag : {"lstrip", "rstrip", "single_word"}) {
        ATTEND_ASSIGN_OR_RETURN(const bool is_set, token.GetBoolOr(flag, false));
        if (!is_set) continue;
        return UnsupportedCheckpoint(
            {kConfigFile, {}}, absl::StrCat(token.origin(), ": '", flag, "' is not supported"));
      }
      ATTEND_ASSIGN_OR_RETURN(const bool is_special, token.GetBoolOr("special", false));
      if (!is_special) {
        return UnsupportedCheckpoint(
            {kConfigFile, {}},
            absl::StrCat(token.origin(), ": added tokens that are not special are not supported"));
      }
      config.further_special_tokens.push_back(read_token.text);
      config.added_tokens.push_back(std::move(read_token));
    }
    return absl::OkStatus();
  };
  ATTEND_RETURN_IF_ERROR(AsCorrupt(read(), kConfigFile));
  return config;
}

absl::Status MarianTokenizer::MarkSpecialTokens(const Config& config, std::string_view file,
                                                Side* side) {
  const auto require = [&](const std::string& token) -> absl::StatusOr<int32_t> {
    const auto id = side->vocabulary.Find(token);
    if (id) return *id;
    return CorruptCheckpoint(
        {file, {}}, absl::StrCat("key '", Printable(token), "': missing, but a special token"));
  };
  ATTEND_ASSIGN_OR_RETURN(side->eos_id, require(config.eos_token));
  ATTEND_ASSIGN_OR_RETURN(side->unk_id, require(config.unk_token));
  const auto size = static_cast<size_t>(side->vocabulary.size());
  side->special.assign(size, false);
  side->language.assign(size, false);
  side->special[static_cast<size_t>(side->eos_id)] =
      side->special[static_cast<size_t>(side->unk_id)] = true;
  std::vector<std::string> optional = config.further_special_tokens;
  optional.push_back(config.pad_token);
  for (const std::string& token : optional) {
    if (const auto id = side->vocabulary.Find(token))
      side->special[static_cast<size_t>(*id)] = true;
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
      const int64_t decoder_vocab_size,
      AsCorrupt(model_config.GetIntOr("decoder_vocab_size", vocab_size), "config.json"));
  for (int i = 0; i < 2; ++i) {
    const bool is_own_target = i == 1 && config.separate_vocabularies;
    const char* file = is_own_target ? "target_vocab.json" : "vocab.json";
    const int64_t limit = std::min(is_own_target ? decoder_vocab_size : vocab_size, kMaxVocabulary);
    ATTEND_ASSIGN_OR_RETURN(const Json json, AsCorrupt(directory.ReadJson(file), file));
    ATTEND_ASSIGN_OR_RETURN(sides_[i].vocabulary, Vocabulary::FromJson(json, file, limit));
    // With two vocabularies the added tokens are those of the first; transformers cannot say
    // otherwise either.
    for (const Config::AddedToken& token : config.added_tokens) {
      if (is_own_target) break;
      ATTEND_RETURN_IF_ERROR(sides_[i].vocabulary.Add(token.text, token.id, kConfigFile, limit));
    }
    ATTEND_RETURN_IF_ERROR(MarkSpecialTokens(config, file, &sides_[i]));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Tokenizer>> MarianTokenizer::Load(const ModelDirectory& directory) {
  std::unique_ptr<MarianTokenizer> tokenizer(new MarianTokenizer());
  ATTEND_ASSIGN_OR_RETURN(const Config config, ReadConfig(directory));
  ATTEND_ASSIGN_OR_RETURN(tokenizer->sides_[0].model,
                          SentencePieceModel::Load(directory.PathOf("source.spm")));
  ATTEND_ASSIGN_OR_RETURN(tokenizer->sides_[1].model,
                          SentencePieceModel::Load(directory.PathOf("target.spm")));
  ATTEND_RETURN_IF_ERROR(tokenizer->ReadVocabularies(directory, config));

  std::vector<std::string> special = config.further_special_tokens;
  special.insert(special.end(), {config.eos_token, config.unk_token, config.pad_token});
  std::sort(special.begin(), special.end());
  special.erase(std::unique(special.begin(), special.end()), special.end());
  std::vector<std::pair<std::string_view, int32_t>> entries;
  for (const std::string& token : special) {
    if (!token.empty()) entries.emplace_back(token, 0);
  }
  tokenizer->special_tokens_.Build(std::move(entries));
  tokenizer->clean_up_spaces_ = config.clean_up_spaces;
  tokenizer->source_language_ = config.source_language;
  tokenizer->target_language_ = config.target_language;
  tokenizer->max_length_ = config.max_length;
  return tokenizer;
}

EncodedText MarianTokenizer::Encode(std::string_view text, TextSide text_side) const {
  const Side& side = SideOf(text_side);
  EncodedText encoded;
  const auto append_special = [&](int32_t id, uint32_t at) {
    encoded.tokens.push_back({id, std::string(side.vocabulary.Piece(id)), {at, at}, true});
  };
  const auto size = static_cast<uint32_t>(text.size());
  uint32_t segment = 0;
  for (uint32_t at = 0; at < size;) {
    const uint32_t length = special_tokens_.LongestPrefix(text.substr(at));
    if (length == 0) {
      ++at;
      continue;
    }
    EncodeSegment(text, {segment, at}, side, &encoded.tokens);
    append_special(side.vocabulary.Find(text.substr(at, length)).value_or(side.unk_id), at);
    segment = at += length;
  }
  EncodeSegment(text, {segment, size}, side, &encoded.tokens);
  append_special(side.eos_id, size);
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
  DecodedTextBuilder builder;
  std::vector<std::string_view> pieces;  // since the last special token
  std::vector<uint32_t> positions;
  const auto flush = [&] {
    const std::vector<std::string> written = side.model->Decode(pieces);
    for (size_t i = 0; i < written.size(); ++i) builder.Append(written[i], positions[i]);
    pieces.clear();
    positions.clear();
  };
  for (size_t i = 0; i < ids.size(); ++i) {
    if (!side.vocabulary.Has(ids[i])) continue;
    const std::string_view piece = side.vocabulary.Piece(ids[i]);
    if (!side.special[static_cast<size_t>(ids[i])]) {
      pieces.push_back(piece);
      positions.push_back(static_cast<uint32_t>(i));
    } else if (keep_special) {
      flush();
      builder.Append(absl::StrCat(std::string(piece), " "), static_cast<uint32_t>(i));
    }
  }
  flush();
  builder.ReplaceAll(kSpaceSymbol, " ");
  builder.Strip();
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
