// Encoding goes outside in: special tokens that the text spells out part it into segments, the
// language code is taken off each segment, the SentencePiece model cuts what is left, and the
// vocabulary numbers it. Spans are carried back out through the same steps. Decoding joins pieces
// between special tokens with the model's own rules; added tokens stand between spaces, as spelt.
#include "engine/tokenizers/sentencepiece/marian_tokenizer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/checkpoint/checkpoint_error.h"
#include "engine/tokenizers/decoded_parts.h"
#include "engine/tokenizers/language_code.h"
#include "engine/tokenizers/mapped_text.h"

namespace attend {
namespace {

constexpr char kVocabularyFile[] = "vocab.json";
constexpr char kTargetVocabularyFile[] = "target_vocab.json";
// A quarter of a million pieces, with every character escaped.
constexpr uint64_t kMaxVocabularyBytes = uint64_t{32} << 20;
constexpr int64_t kDefaultMaxLength = 512;      // of transformers' MarianTokenizer
constexpr int64_t kMaxVocabulary = 10'000'000;  // where config.json names no size

// The text given to the SentencePiece model.
struct StrippedText {
  std::string_view language_code;  // ">>fra<<" at the very start
  MappedText rest;
};

// Takes out what the greedy pattern ">>.+<<" matches, on each line: from the first ">>" to the last
// "<<" behind it.
StrippedText StripLanguageCodes(std::string_view text, ByteSpan segment) {
  StrippedText stripped;
  for (uint32_t line = segment.begin; line < segment.end;) {
    const std::string_view rest = text.substr(line, segment.end - line);
    const std::string_view content = rest.substr(0, rest.find('\n'));
    const size_t open = content.find(">>");
    const size_t close = content.rfind("<<");
    const auto line_end = static_cast<uint32_t>(line + std::min(content.size() + 1, rest.size()));
    if (open == std::string_view::npos || close == std::string_view::npos || close < open + 3) {
      stripped.rest.Keep(text, line, line_end);
    } else {
      const auto begin = static_cast<uint32_t>(line + open),
                 end = static_cast<uint32_t>(line + close + 2);
      if (begin == segment.begin) stripped.language_code = text.substr(begin, end - begin);
      if (begin > line) stripped.rest.Keep(text, line, begin);
      stripped.rest.Keep(text, end, line_end);
    }
    line = line_end;
  }
  return stripped;
}

std::string EosToken(const TokenizerConfig& config) {
  return config.TextOf(TokenizerConfig::kEos, "</s>");
}
std::string UnkToken(const TokenizerConfig& config) {
  return config.TextOf(TokenizerConfig::kUnk, "<unk>");
}

// Those that a checkpoint need not have.
std::vector<std::string> FurtherSpecialTokens(const TokenizerConfig& config) {
  std::vector<std::string> tokens = {config.TextOf(TokenizerConfig::kPad, "<pad>")};
  for (const auto role : {TokenizerConfig::kBos, TokenizerConfig::kSep, TokenizerConfig::kCls,
                          TokenizerConfig::kMask}) {
    if (config.named[role]) tokens.push_back(config.named[role]->text);
  }
  for (const WholeToken& token : config.additional) tokens.push_back(token.text);
  return tokens;
}

absl::Status RefuseStripping(const WholeToken& token) {
  if (!token.lstrip && !token.rstrip) return absl::OkStatus();
  return UnsupportedCheckpoint(
      {TokenizerConfig::kFile, {}},
      absl::StrCat("key 'added_tokens_decoder.", token.id, "': '",
                   token.lstrip ? "lstrip" : "rstrip", "' is not supported"));
}

ByteTrie TrieOf(std::vector<std::string> keys) {
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  std::vector<std::pair<std::string_view, int32_t>> entries;
  for (const std::string& key : keys) {
    if (!key.empty()) entries.emplace_back(key, 0);
  }
  ByteTrie trie;
  trie.Build(std::move(entries));
  return trie;
}

bool IsLanguageToken(std::string_view piece) {
  return piece.size() > 4 && piece.substr(0, 2) == ">>" && piece.substr(piece.size() - 2) == "<<";
}

}  // namespace

absl::Status MarianTokenizer::MarkSpecialTokens(const TokenizerConfig& config,
                                                std::string_view file, Side* side) {
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
  ATTEND_ASSIGN_OR_RETURN(side->eos_id, require(EosToken(config)));
  ATTEND_ASSIGN_OR_RETURN(side->unk_id, require(UnkToken(config)));
  const auto size = static_cast<size_t>(side->vocabulary.size());
  side->special.assign(size, false);
  side->verbatim.assign(size, false);
  side->language.assign(size, false);
  side->special[static_cast<size_t>(side->eos_id)] =
      side->special[static_cast<size_t>(side->unk_id)] = true;
  for (const std::string& token : FurtherSpecialTokens(config)) {
    if (const auto id = side->vocabulary.Find(token))
      side->special[static_cast<size_t>(*id)] = true;
  }
  // Whether an added token calls itself special makes no difference in transformers: only the named
  // ones are.
  for (const WholeToken& token : config.added) {
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
                                               const TokenizerConfig& config) {
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
    const bool is_own_target = i == 1 && separate_vocabularies_;
    const char* file = is_own_target ? kTargetVocabularyFile : kVocabularyFile;
    const int64_t limit = std::min(is_own_target ? decoder_vocab_size : vocab_size, kMaxVocabulary);
    ATTEND_ASSIGN_OR_RETURN(const Json json,
                            AsCorrupt(directory.ReadJson(file, kMaxVocabularyBytes), file));
    ATTEND_ASSIGN_OR_RETURN(sides_[i].vocabulary, Vocabulary::FromJson(json, file, limit));
    // With two vocabularies the added tokens are those of the first; transformers cannot say
    // otherwise either.
    for (const WholeToken& token : config.added) {
      if (is_own_target) break;
      ATTEND_RETURN_IF_ERROR(
          sides_[i].vocabulary.Add(token.text, token.id, config.added_file, limit));
    }
    ATTEND_RETURN_IF_ERROR(MarkSpecialTokens(config, file, &sides_[i]));
  }
  return absl::OkStatus();
}

// A SentencePiece model of another checkpoint cuts texts into pieces that this vocabulary has no
// numbers for: every translation would be made of unknown words, without an error.
absl::Status MarianTokenizer::CheckPieces(LoadReport* report) const {
  for (int i = 0; i < 2; ++i) {
    const Vocabulary& vocabulary = sides_[i].vocabulary;
    PieceCoverage coverage;
    coverage.file = i == 0 ? "source.spm" : "target.spm";
    coverage.vocabulary_file =
        i == 1 && separate_vocabularies_ ? kTargetVocabularyFile : kVocabularyFile;
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
    const bool is_same_file = i == 1 && !separate_vocabularies_;
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
  ATTEND_ASSIGN_OR_RETURN(const TokenizerConfig config,
                          TokenizerConfig::Read(directory, kDefaultMaxLength));
  for (const WholeToken& token : config.added) ATTEND_RETURN_IF_ERROR(RefuseStripping(token));
  ATTEND_ASSIGN_OR_RETURN(
      tokenizer->separate_vocabularies_,
      AsCorrupt(config.json.GetBoolOr("separate_vocabs", false), TokenizerConfig::kFile));
  ATTEND_ASSIGN_OR_RETURN(tokenizer->sides_[0].model,
                          SentencePieceModel::Load(directory.PathOf("source.spm")));
  ATTEND_ASSIGN_OR_RETURN(tokenizer->sides_[1].model,
                          SentencePieceModel::Load(directory.PathOf("target.spm")));
  ATTEND_RETURN_IF_ERROR(tokenizer->ReadVocabularies(directory, config));
  ATTEND_RETURN_IF_ERROR(tokenizer->CheckPieces(report));

  std::vector<std::string> whole = FurtherSpecialTokens(config);
  whole.insert(whole.end(), {EosToken(config), UnkToken(config)});
  for (const WholeToken& token : config.added) {
    if (tokenizer->source().vocabulary.Find(token.text)) whole.push_back(token.text);
  }
  tokenizer->whole_tokens_ = TrieOf(std::move(whole));
  tokenizer->clean_up_spaces_ = config.clean_up_spaces;
  tokenizer->source_language_ = ToLanguageCode(config.source_name);
  tokenizer->target_language_ = ToLanguageCode(config.target_name);
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
  const std::string& rest = stripped.rest.text();
  if (rest.empty()) return;
  for (const SentencePiece& piece : side.model->Encode(rest)) {
    const int32_t id = side.vocabulary.Find(piece.piece).value_or(side.unk_id);
    const ByteSpan span = stripped.rest.ToOriginal(TidySpan(rest, piece.span));
    tokens->push_back({id, std::string(side.vocabulary.Piece(id)), span, false});
  }
}

DecodedText MarianTokenizer::Decode(absl::Span<const int32_t> ids, TextSide text_side,
                                    bool keep_special) const {
  const Side& side = SideOf(text_side);
  PartSpelling spelling;
  spelling.around_special = PartSpelling::AroundSpecial::kSpaceAfter;
  spelling.replaces_space_symbols = true;
  DecodedParts parts(*side.model, spelling);
  for (size_t i = 0; i < ids.size(); ++i) {
    if (!side.vocabulary.Has(ids[i])) continue;
    const std::string_view piece = side.vocabulary.Piece(ids[i]);
    const auto position = static_cast<uint32_t>(i);
    if (side.verbatim[static_cast<size_t>(ids[i])]) {
      parts.AddVerbatim(piece, position);
    } else if (!side.special[static_cast<size_t>(ids[i])]) {
      parts.AddPiece(piece, position);
    } else if (keep_special) {
      parts.AddSpecial(piece, position);
    }
  }
  return std::move(parts).Finish(ids.size(), clean_up_spaces_);
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
