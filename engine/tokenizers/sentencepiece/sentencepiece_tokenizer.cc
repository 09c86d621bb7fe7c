// Encoding goes outside in: tokens that the text spells out part it into segments, the
// SentencePiece model cuts each segment, the vocabulary numbers the pieces, and the kind's frame
// goes around it.
#include "engine/tokenizers/sentencepiece/sentencepiece_tokenizer.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/checkpoint/checkpoint_error.h"

namespace attend {
namespace {

using Frame = SentencePieceKind::Frame;

bool BeginsWithSpace(std::string_view text) {
  return text.substr(0, 1) == " " || text.substr(0, kSpaceSymbol.size()) == kSpaceSymbol;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Tokenizer>> SentencePieceTokenizer::Load(
    const ModelDirectory& directory, LoadReport* report) {
  std::unique_ptr<SentencePieceTokenizer> tokenizer(new SentencePieceTokenizer());
  ATTEND_ASSIGN_OR_RETURN(const TokenizerConfig config,
                          TokenizerConfig::Read(directory, TokenizerConfig::kUnlimited));
  ATTEND_ASSIGN_OR_RETURN(tokenizer->kind_, FindSentencePieceKind(directory, config));
  const SentencePieceKind& kind = tokenizer->kind_;
  if (kind.numbering == SentencePieceKind::Numbering::kPieces) {
    ATTEND_ASSIGN_OR_RETURN(const bool is_legacy, AsCorrupt(config.json.GetBoolOr("legacy", true),
                                                            TokenizerConfig::kFile));
    tokenizer->guards_segments_ = !is_legacy;
    tokenizer->adds_space_ = kind.spelling.drops_first_space_symbol;
  }
  ATTEND_ASSIGN_OR_RETURN(tokenizer->model_,
                          SentencePieceModel::Load(directory.PathOf(kind.model_file)));
  if (tokenizer->guards_segments_) {
    tokenizer->model_->DropDummyPrefix();
    tokenizer->guard_ =
        config.TextOf(TokenizerConfig::kUnk, kind.special_tokens[TokenizerConfig::kUnk]);
    tokenizer->num_guard_pieces_ = tokenizer->model_->Encode(tokenizer->guard_).size();
  }
  ATTEND_ASSIGN_OR_RETURN(
      tokenizer->vocabulary_,
      SentencePieceVocabulary::Build(kind, config, *tokenizer->model_, directory, report));
  ATTEND_RETURN_IF_ERROR(tokenizer->ChooseLanguages(config));
  tokenizer->clean_up_spaces_ = config.clean_up_spaces;
  tokenizer->max_length_ = config.max_length;
  return tokenizer;
}

absl::Status SentencePieceTokenizer::ChooseLanguages(const TokenizerConfig& config) {
  if (!kind_.languages) return absl::OkStatus();
  const auto find = [&](const char* key,
                        const std::string& name) -> absl::StatusOr<const TokenizerLanguage*> {
    const TokenizerLanguage* language = FindLanguage(languages(), name);
    if (language != nullptr || name.empty()) return language;
    return MismatchedTensor({TokenizerConfig::kFile, {}},
                            absl::StrCat("key '", key, "' with one of the tokenizer's ",
                                         languages().size(), " languages"),
                            absl::StrCat("'", Printable(name), "'"));
  };
  ATTEND_ASSIGN_OR_RETURN(source_, find("src_lang", config.source_name));
  ATTEND_ASSIGN_OR_RETURN(target_, find("tgt_lang", config.target_name));
  if (source_ != nullptr) source_code_ = source_->code;
  if (target_ != nullptr) target_code_ = target_->code;
  if (source_ == nullptr) source_ = FindLanguage(languages(), kind_.default_language);
  return absl::OkStatus();
}

EncodedText SentencePieceTokenizer::Encode(std::string_view text, TextSide side) const {
  return EncodeWith(text, side == TextSide::kSource ? source_ : target_);
}

EncodedText SentencePieceTokenizer::EncodeIn(std::string_view text, TextSide,
                                             const TokenizerLanguage& language) const {
  return EncodeWith(text, &language);
}

EncodedText SentencePieceTokenizer::EncodeWith(std::string_view text,
                                               const TokenizerLanguage* language) const {
  EncodedText encoded;
  const auto end = static_cast<uint32_t>(text.size());
  if (language != nullptr && kind_.frame == Frame::kLanguageFirst)
    encoded.tokens.push_back(SpecialToken(language->id, 0));
  std::vector<EncodedToken> body = EncodeBody(text);
  encoded.tokens.insert(encoded.tokens.end(), std::make_move_iterator(body.begin()),
                        std::make_move_iterator(body.end()));
  const bool has_end = kind_.frame == Frame::kEndOnce && !encoded.tokens.empty() &&
                       encoded.tokens.back().id == eos_id();
  if (!has_end) encoded.tokens.push_back(SpecialToken(eos_id(), end));
  if (language != nullptr && kind_.frame == Frame::kLanguageLast) {
    encoded.tokens.push_back(SpecialToken(language->id, end));
    encoded.num_end_tokens = 2;
  }
  return encoded;
}

MappedText SentencePieceTokenizer::Prepare(std::string_view text) const {
  MappedText prepared;
  if (adds_space_) prepared.Insert(kSpaceSymbol, 0);
  for (size_t at = 0; at < text.size();) {
    const size_t symbol = std::min(text.find(kSpaceSymbol, at), text.size());
    if (symbol > at) prepared.Keep(text, static_cast<uint32_t>(at), static_cast<uint32_t>(symbol));
    if (symbol < text.size()) prepared.Insert(" ", static_cast<uint32_t>(symbol));
    at = symbol + kSpaceSymbol.size();
  }
  return prepared;
}

std::vector<EncodedToken> SentencePieceTokenizer::EncodeBody(std::string_view text) const {
  std::vector<EncodedToken> tokens;
  if (text.empty()) return tokens;
  const MappedText prepared = guards_segments_ ? Prepare(text) : MappedText();
  const std::string_view all = guards_segments_ ? std::string_view(prepared.text()) : text;
  const auto size = static_cast<uint32_t>(all.size());
  ByteSpan segment = {0, 0};
  bool strips_begin = false;
  const auto end_segment = [&](uint32_t end, bool strips_end) {
    segment.end = end;
    EncodeSegment(all, StripSpan(all, segment, strips_begin, strips_end), &tokens);
  };
  bool is_first_whole = false;  // whether the second token was found whole, and is special
  for (uint32_t at = 0; at < size;) {
    const uint32_t length = vocabulary_.whole_tokens().LongestPrefix(all.substr(at));
    if (length == 0) {
      ++at;
      continue;
    }
    const int32_t id = vocabulary_.whole_tokens().Find(all.substr(at, length));
    const SentencePieceVocabulary::Entry& entry = vocabulary_.At(id);
    end_segment(at, entry.takes_space_before);
    if (tokens.size() == 1) is_first_whole = entry.is_special;
    tokens.push_back(entry.is_special || entry.is_language ? SpecialToken(id, at)
                                                           : TokenAt(id, {at, at + length}));
    strips_begin = entry.takes_space_behind;
    segment.begin = at += length;
  }
  end_segment(size, false);
  if (!guards_segments_) return tokens;
  for (EncodedToken& token : tokens) {
    token.span = prepared.ToOriginal(token.span);
    if (!token.special) token.span = TidySpan(text, token.span);
  }
  // The space that was put in front of the text is none in front of a special token.
  if (is_first_whole && tokens[0].piece == kSpaceSymbol) tokens.erase(tokens.begin());
  return tokens;
}

void SentencePieceTokenizer::EncodeSegment(std::string_view text, ByteSpan segment,
                                           std::vector<EncodedToken>* tokens) const {
  if (segment.empty()) return;
  const std::string_view part = text.substr(segment.begin, segment.size());
  const bool is_guarded = guards_segments_ && BeginsWithSpace(part);
  const std::vector<SentencePiece> pieces =
      is_guarded ? model_->Encode(absl::StrCat(guard_, std::string(part))) : model_->Encode(part);
  const auto shift = static_cast<uint32_t>(is_guarded ? guard_.size() : 0);
  const auto place = [&](uint32_t offset) { return std::max(offset, shift) - shift; };
  for (size_t i = is_guarded && pieces.size() >= num_guard_pieces_ ? num_guard_pieces_ : 0;
       i < pieces.size(); ++i) {
    const ByteSpan span = TidySpan(part, {place(pieces[i].span.begin), place(pieces[i].span.end)});
    tokens->push_back(TokenAt(vocabulary_.IdOf(pieces[i].piece),
                              {segment.begin + span.begin, segment.begin + span.end}));
  }
}

EncodedToken SentencePieceTokenizer::TokenAt(int32_t id, ByteSpan span) const {
  return {id, vocabulary_.Has(id) ? vocabulary_.At(id).piece : std::string(), span, false};
}

EncodedToken SentencePieceTokenizer::SpecialToken(int32_t id, uint32_t at) const {
  EncodedToken token = TokenAt(id, {at, at});
  token.special = true;
  return token;
}

DecodedText SentencePieceTokenizer::Decode(absl::Span<const int32_t> ids, TextSide,
                                           bool keep_special) const {
  DecodedParts parts(*model_, kind_.spelling);
  for (size_t i = 0; i < ids.size(); ++i) {
    if (!vocabulary_.Has(ids[i])) continue;
    const SentencePieceVocabulary::Entry& entry = vocabulary_.At(ids[i]);
    const auto position = static_cast<uint32_t>(i);
    if (entry.is_special && !keep_special) continue;
    if (entry.is_verbatim) {
      parts.AddVerbatim(entry.piece, position);
    } else if (entry.is_special) {
      parts.AddSpecial(entry.piece, position);
    } else {
      parts.AddPiece(entry.piece, position);
    }
  }
  return std::move(parts).Finish(ids.size(), clean_up_spaces_);
}

std::string SentencePieceTokenizer::Piece(int32_t id, TextSide) const {
  return vocabulary_.Has(id) ? vocabulary_.At(id).piece : std::string();
}

bool SentencePieceTokenizer::IsSpecial(int32_t id) const {
  return vocabulary_.Has(id) && (vocabulary_.At(id).is_special || vocabulary_.At(id).is_language);
}

}  // namespace attend
