// One small class for each kind; each changes the list of pieces, which are joined at the end. A
// character that several tokens make together is written by the last of them.
#include "engine/tokenizers/hf/hf_decoder.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "engine/base/status_macros.h"
#include "engine/text/offset_map.h"  // IsValidUtf8
#include "engine/text/unicode.h"
#include "engine/tokenizers/hf/byte_level.h"
#include "engine/tokenizers/hf/json_place.h"
#include "engine/tokenizers/hf/text_pattern.h"

namespace attend {
namespace {

using DecoderPointer = std::unique_ptr<const HfDecoder>;
using Pieces = std::vector<DecodedPiece>;

constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";

template <typename Work>
class SimpleDecoder : public HfDecoder {
 public:
  explicit SimpleDecoder(Work work) : work_(std::move(work)) {}
  void Decode(Pieces* pieces) const override { work_(pieces); }

 private:
  Work work_;
};

template <typename Work>
DecoderPointer Simple(Work work) {
  return std::make_unique<SimpleDecoder<Work>>(std::move(work));
}

bool StartsWith(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

void ErasePrefix(size_t size, DecodedPiece* piece) {
  piece->text.erase(0, size);
  piece->tokens.erase(piece->tokens.begin(), piece->tokens.begin() + static_cast<ptrdiff_t>(size));
}

void InsertSpace(DecodedPiece* piece, uint32_t token) {
  piece->text.insert(0, " ");
  piece->tokens.insert(piece->tokens.begin(), token);
}

// Replaces ranges of a piece.
void ReplaceRanges(const std::vector<ByteSpan>& ranges, std::string_view from_or_empty,
                   std::string_view to, DecodedPiece* piece) {
  if (ranges.empty()) return;
  const size_t part = from_or_empty.empty() ? std::string_view::npos : from_or_empty.find(to);
  DecodedPiece out;
  uint32_t copied = 0;
  const auto copy_to = [&](uint32_t end) {
    out.text.append(piece->text, copied, end - copied);
    out.tokens.insert(out.tokens.end(), piece->tokens.begin() + copied,
                      piece->tokens.begin() + end);
  };
  for (const ByteSpan range : ranges) {
    copy_to(range.begin);
    for (size_t i = 0; i < to.size(); ++i) {
      const size_t owner = part == std::string_view::npos ? range.begin : range.begin + part + i;
      out.tokens.push_back(piece->tokens[owner]);
    }
    out.text.append(to);
    copied = range.end;
  }
  copy_to(static_cast<uint32_t>(piece->text.size()));
  *piece = std::move(out);
}

// The end of the longest well-formed or broken-off character at `at`, and whether it is
// well-formed: what from_utf8_lossy puts one U+FFFD for.
std::pair<uint32_t, bool> CharacterOrRest(std::string_view bytes, uint32_t at) {
  const CodePoint c = CodePointAt(bytes, at);
  return {c.end, IsValidUtf8(bytes.substr(at, c.end - at))};
}

void JoinBytes(Pieces* pieces) {
  DecodedPiece bytes;
  for (size_t i = 0; i < pieces->size(); ++i) {
    const DecodedPiece& piece = (*pieces)[i];
    DecodedPiece spelt;
    bool is_spelt = true;
    for (uint32_t at = 0; at < piece.text.size() && is_spelt;) {
      const CodePoint c = CodePointAt(piece.text, at);
      const int byte = ByteOfCharacter(c.value);
      is_spelt = byte >= 0;
      if (is_spelt) {
        const char as_char = static_cast<char>(byte);
        spelt.Append(std::string_view(&as_char, 1), piece.tokens[at]);
      }
      at = c.end;
    }
    bytes.Append(is_spelt ? spelt : piece);
  }
  DecodedPiece text;
  for (uint32_t at = 0; at < bytes.text.size();) {
    const auto [end, is_valid] = CharacterOrRest(bytes.text, at);
    text.Append(
        is_valid ? std::string_view(bytes.text).substr(at, end - at) : kReplacementCharacter,
        bytes.tokens[end - 1]);
    at = end;
  }
  pieces->assign(1, std::move(text));
}

void DecodeWordPieces(const std::string& prefix, bool cleanup, Pieces* pieces) {
  for (size_t i = 0; i < pieces->size(); ++i) {
    DecodedPiece& piece = (*pieces)[i];
    if (i > 0 && !prefix.empty() && StartsWith(piece.text, prefix)) {
      ErasePrefix(prefix.size(), &piece);
    } else if (i > 0 && !piece.text.empty()) {
      InsertSpace(&piece, piece.tokens.front());
    }
    if (!cleanup) continue;
    constexpr std::pair<std::string_view, std::string_view> kReplacements[] = {
        {" .", "."},   {" ?", "?"},     {" !", "!"},     {" ,", ","},
        {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},   {" do not", " don't"},
        {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
    };
    for (const auto& [from, to] : kReplacements) ReplaceInPiece(from, to, &piece);
  }
}

absl::StatusOr<DecoderPointer> ReadMetaspace(const Json& json) {
  ATTEND_ASSIGN_OR_RETURN(const std::string symbol, json.GetStringOr("replacement", "\u2581"));
  ATTEND_ASSIGN_OR_RETURN(const bool add_prefix, json.GetBoolOr("add_prefix_space", true));
  ATTEND_ASSIGN_OR_RETURN(const std::string scheme,
                          json.GetStringOr("prepend_scheme", add_prefix ? "always" : "never"));
  if (symbol.empty()) return CorruptValue(json, "'replacement' is empty");
  return Simple([symbol, strips = scheme != "never"](Pieces* pieces) {
    for (size_t i = 0; i < pieces->size(); ++i) {
      ReplaceInPiece(symbol, i == 0 && strips ? "" : " ", &(*pieces)[i]);
    }
  });
}

std::optional<uint8_t> ByteOfPiece(std::string_view piece) {
  if (piece.size() != 6 || !StartsWith(piece, "<0x") || piece.back() != '>') return std::nullopt;
  uint32_t byte = 0;
  for (const char c : piece.substr(3, 2)) {
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                             : -1;
    if (digit < 0) return std::nullopt;
    byte = byte * 16 + static_cast<uint32_t>(digit);
  }
  return static_cast<uint8_t>(byte);
}

// Runs of "<0x0A>" become what they spell, or as many U+FFFD where that is not UTF-8.
void DecodeByteFallback(Pieces* pieces) {
  Pieces out;
  DecodedPiece bytes;
  const auto finish = [&] {
    if (bytes.text.empty()) return;
    DecodedPiece text;
    const bool is_valid = IsValidUtf8(bytes.text);
    for (uint32_t at = 0; at < bytes.text.size();) {
      const uint32_t end = is_valid ? CodePointAt(bytes.text, at).end : at + 1;
      text.Append(
          is_valid ? std::string_view(bytes.text).substr(at, end - at) : kReplacementCharacter,
          bytes.tokens[end - 1]);
      at = end;
    }
    out.push_back(std::move(text));
    bytes = {};
  };
  for (DecodedPiece& piece : *pieces) {
    if (const auto byte = ByteOfPiece(piece.text)) {
      const char as_char = static_cast<char>(*byte);
      bytes.Append(std::string_view(&as_char, 1), piece.tokens.back());
      continue;
    }
    finish();
    out.push_back(std::move(piece));
  }
  finish();
  *pieces = std::move(out);
}

void Fuse(Pieces* pieces) {
  DecodedPiece all;
  for (const DecodedPiece& piece : *pieces) all.Append(piece);
  pieces->assign(1, std::move(all));
}

absl::StatusOr<DecoderPointer> ReadStrip(const Json& json) {
  ATTEND_ASSIGN_OR_RETURN(const std::string content, json.GetStringOr("content", " "));
  ATTEND_ASSIGN_OR_RETURN(const int64_t start, json.GetIntOr("start", 0));
  ATTEND_ASSIGN_OR_RETURN(const int64_t stop, json.GetIntOr("stop", 0));
  if (content.empty() || start < 0 || stop < 0) {
    return CorruptValue(json, "expected a character and numbers from 0");
  }
  return Simple([content, start, stop](Pieces* pieces) {
    for (DecodedPiece& piece : *pieces) {
      for (int64_t i = 0; i < start && StartsWith(piece.text, content); ++i) {
        ErasePrefix(content.size(), &piece);
      }
      for (int64_t i = 0;
           i < stop && piece.text.size() >= content.size() &&
           piece.text.compare(piece.text.size() - content.size(), content.size(), content) == 0;
           ++i) {
        piece.text.resize(piece.text.size() - content.size());
        piece.tokens.resize(piece.text.size());
      }
    }
  });
}

absl::StatusOr<DecoderPointer> ReadReplace(const Json& json) {
  ATTEND_ASSIGN_OR_RETURN(const Json pattern_json, json.Get("pattern"));
  ATTEND_ASSIGN_OR_RETURN(TextPattern pattern, TextPattern::Read(pattern_json));
  ATTEND_ASSIGN_OR_RETURN(std::string content, json.GetString("content"));
  return Simple([pattern = std::move(pattern), content = std::move(content)](Pieces* pieces) {
    for (DecodedPiece& piece : *pieces)
      ReplaceRanges(pattern.Matches(piece.text), "", content, &piece);
  });
}

absl::StatusOr<DecoderPointer> ReadSequence(const Json& json) {
  ATTEND_ASSIGN_OR_RETURN(const Json list, json.Get("decoders"));
  ATTEND_RETURN_IF_ERROR(list.RequireArray());
  std::vector<DecoderPointer> parts;
  for (const Json& part : list.Elements()) {
    ATTEND_ASSIGN_OR_RETURN(parts.emplace_back(), ReadHfDecoder(part));
  }
  return Simple([parts = std::move(parts)](Pieces* pieces) {
    for (const DecoderPointer& part : parts) part->Decode(pieces);
  });
}

absl::StatusOr<DecoderPointer> ReadBpe(const Json& json) {
  ATTEND_ASSIGN_OR_RETURN(const std::string suffix, json.GetStringOr("suffix", "</w>"));
  if (suffix.empty()) return CorruptValue(json, "'suffix' is empty");
  return Simple([suffix](Pieces* pieces) {
    for (size_t i = 0; i < pieces->size(); ++i) {
      ReplaceInPiece(suffix, i + 1 == pieces->size() ? "" : " ", &(*pieces)[i]);
    }
  });
}

}  // namespace

void ReplaceInPiece(std::string_view from, std::string_view to, DecodedPiece* piece) {
  if (piece->text.size() < from.size()) return;
  ReplaceRanges(TextPattern::OfString(std::string(from)).Matches(piece->text), from, to, piece);
}

std::unique_ptr<const HfDecoder> MakeWordPieceDecoder(std::string prefix, bool cleanup) {
  return Simple([prefix = std::move(prefix), cleanup](Pieces* pieces) {
    DecodeWordPieces(prefix, cleanup, pieces);
  });
}

std::unique_ptr<const HfDecoder> MakeByteLevelDecoder() { return Simple(JoinBytes); }

std::unique_ptr<const HfDecoder> MakeSpacingDecoder() {
  return Simple([](Pieces* pieces) {
    for (size_t i = 1; i < pieces->size(); ++i) {
      DecodedPiece& piece = (*pieces)[i];
      if (!piece.text.empty()) InsertSpace(&piece, piece.tokens.front());
    }
  });
}

absl::StatusOr<std::unique_ptr<const HfDecoder>> ReadHfDecoder(const Json& json) {
  ATTEND_ASSIGN_OR_RETURN(const std::string kind, json.GetString("type"));
  if (kind == "Sequence") return ReadSequence(json);
  if (kind == "ByteLevel") return MakeByteLevelDecoder();
  if (kind == "Metaspace") return ReadMetaspace(json);
  if (kind == "ByteFallback") return Simple(DecodeByteFallback);
  if (kind == "Fuse") return Simple(Fuse);
  if (kind == "Strip") return ReadStrip(json);
  if (kind == "Replace") return ReadReplace(json);
  if (kind == "BPEDecoder") return ReadBpe(json);
  if (kind == "WordPiece") {
    ATTEND_ASSIGN_OR_RETURN(std::string prefix, json.GetStringOr("prefix", "##"));
    ATTEND_ASSIGN_OR_RETURN(const bool cleanup, json.GetBoolOr("cleanup", true));
    return MakeWordPieceDecoder(std::move(prefix), cleanup);
  }
  return UnknownKind(json, kind);
}

}  // namespace attend
