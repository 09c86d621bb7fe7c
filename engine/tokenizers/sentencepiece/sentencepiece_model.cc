// Reading a model: field by field, nothing believed. Encoding: the unigram model's best
// segmentation by dynamic programming over byte positions (Kudo 2018); BPE is in
// sentencepiece_bpe.cc. Sums are kept in single precision and compared in the order that
// libsentencepiece uses, because ties between segmentations are common and the last bit decides
// them.
#include "engine/tokenizers/sentencepiece/sentencepiece_model.h"

#include <algorithm>
#include <array>
#include <cfloat>
#include <cmath>
#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/checkpoint/checkpoint_error.h"
#include "engine/checkpoint/stored_file.h"
#include "engine/text/offset_map.h"  // IsValidUtf8
#include "engine/tokenizers/sentencepiece/wire_reader.h"

namespace attend {
namespace {

// The largest models in use have 256,000 pieces in 5 MB.
constexpr uint64_t kMaxFileBytes = uint64_t{32} << 20;
constexpr size_t kMaxPieces = 1'000'000;
constexpr size_t kMaxPieceBytes = 1024;  // also bounds the work for each byte of a text
constexpr float kUnknownPenalty = 10.0f;

absl::Status Corrupt(std::string_view origin, std::string_view what) {
  return CorruptCheckpoint({origin, {}}, what);
}

std::string BytePiece(uint8_t byte) {
  char name[8];
  std::snprintf(name, sizeof(name), "<0x%02X>", byte);
  return name;
}

// The byte that "<0xE9>" stands for, or -1.
int ByteOfPiece(std::string_view piece) {
  if (piece.size() != 6 || piece.substr(0, 3) != "<0x" || piece[5] != '>') return -1;
  int byte = 0;
  for (const char c : piece.substr(3, 2)) {
    if (c >= '0' && c <= '9')
      byte = byte * 16 + (c - '0');
    else if (c >= 'A' && c <= 'F')
      byte = byte * 16 + (c - 'A' + 10);
    else
      return -1;
  }
  return byte;
}

void ReplaceSpaceSymbols(std::string_view piece, std::string* out) {
  while (!piece.empty()) {
    const size_t at = piece.find(kSpaceSymbol);
    out->append(piece.substr(0, at));
    if (at == std::string_view::npos) return;
    out->push_back(' ');
    piece.remove_prefix(at + kSpaceSymbol.size());
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<SentencePieceModel>> SentencePieceModel::Load(
    const std::string& path) {
  ATTEND_ASSIGN_OR_RETURN(const std::unique_ptr<StoredFile> file, StoredFile::Open(path));
  ATTEND_RETURN_IF_ERROR(file->RefuseLfsPointer());
  if (file->size() > kMaxFileBytes) {
    return CorruptCheckpoint({file->name(), {}}, absl::StrCat("expected at most ", kMaxFileBytes,
                                                              " bytes, found ", file->size()));
  }
  ATTEND_ASSIGN_OR_RETURN(const std::string bytes, file->ReadString(0, file->size()));
  return Parse(bytes, file->name());
}

absl::StatusOr<std::unique_ptr<SentencePieceModel>> SentencePieceModel::Parse(
    std::string_view bytes, std::string_view origin) {
  std::unique_ptr<SentencePieceModel> model(new SentencePieceModel());
  ATTEND_RETURN_IF_ERROR(model->ReadModel(bytes, origin));
  return model;
}

absl::Status SentencePieceModel::ReadModel(std::string_view bytes, std::string_view origin) {
  NormalizerSpec normalizer_spec, denormalizer_spec;
  WireReader reader(bytes);
  for (WireField field; reader.Next(&field);) {
    if (field.number > 5 || field.number == 4) continue;  // self tests and extensions
    if (field.kind != WireField::Kind::kBytes) return Corrupt(origin, "not a SentencePiece model");
    if (field.number == 1) ATTEND_RETURN_IF_ERROR(ReadPiece(field.bytes, origin));
    if (field.number == 2) ATTEND_RETURN_IF_ERROR(ReadTrainerSpec(field.bytes, origin));
    if (field.number == 3)
      ATTEND_RETURN_IF_ERROR(ReadNormalizerSpec(field.bytes, origin, &normalizer_spec));
    if (field.number == 5)
      ATTEND_RETURN_IF_ERROR(ReadNormalizerSpec(field.bytes, origin, &denormalizer_spec));
  }
  if (!reader.ok()) return Corrupt(origin, "not a SentencePiece model, or cut short");
  if (pieces_.empty()) return Corrupt(origin, "holds no pieces");
  if (model_type_ != kUnigram && model_type_ != kBpe) {
    return UnsupportedCheckpoint(
        {origin, {}},
        absl::StrCat("trainer_spec.model_type: expected 1 (unigram) or 2 (BPE), found ",
                     model_type_));
  }
  if (!denormalizer_spec.precompiled_charsmap.empty()) {
    return UnsupportedCheckpoint(
        {origin, {}}, "denormalizer_spec: models that rewrite their output are not supported");
  }
  return BuildTries(std::move(normalizer_spec), origin);
}

absl::Status SentencePieceModel::ReadPiece(std::string_view message, std::string_view origin) {
  const auto corrupt = [&](std::string_view what) {
    return Corrupt(origin, absl::StrCat("piece ", pieces_.size(), ": ", std::string(what)));
  };
  if (pieces_.size() >= kMaxPieces)
    return corrupt(absl::StrCat("more than ", kMaxPieces, " pieces"));
  Piece piece;
  WireReader reader(message);
  for (WireField field; reader.Next(&field);) {
    if (field.number == 1 && field.kind == WireField::Kind::kBytes) {
      piece.text = std::string(field.bytes);
    } else if (field.number == 2 && field.kind == WireField::Kind::kFixed32) {
      piece.score = field.AsFloat();
    } else if (field.number == 3 && field.kind == WireField::Kind::kVarint) {
      if (field.integer < 1 || field.integer > 6)
        return corrupt(absl::StrCat("unknown type ", field.integer));
      piece.type = static_cast<PieceType>(field.integer);
    } else if (field.number <= 3) {
      return corrupt("a field has the wrong type");
    }
  }
  if (!reader.ok()) return corrupt("malformed");
  if (piece.text.empty()) return corrupt("empty");
  if (piece.text.size() > kMaxPieceBytes)
    return corrupt(absl::StrCat("longer than ", kMaxPieceBytes, " bytes"));
  if (!IsValidUtf8(piece.text)) return corrupt("not UTF-8");
  if (!std::isfinite(piece.score)) return corrupt("its score is not a finite number");
  pieces_.push_back(std::move(piece));
  return absl::OkStatus();
}

absl::Status SentencePieceModel::ReadTrainerSpec(std::string_view message,
                                                 std::string_view origin) {
  WireReader reader(message);
  for (WireField field; reader.Next(&field);) {
    const bool is_integer = field.kind == WireField::Kind::kVarint;
    if (field.number == 3 && is_integer)
      model_type_ = static_cast<int64_t>(field.integer & 0x7FFFFFFF);
    if (field.number == 24 && is_integer) whitespace_as_suffix_ = field.AsBool();
    if (field.number == 35 && is_integer) byte_fallback_ = field.AsBool();
    if (field.number == 44 && field.kind == WireField::Kind::kBytes) {
      unknown_surface_ = std::string(field.bytes.substr(0, field.bytes.find('\0')));
      if (unknown_surface_.size() > kMaxPieceBytes || !IsValidUtf8(unknown_surface_)) {
        return Corrupt(origin, "trainer_spec.unk_surface is too long or not UTF-8");
      }
    }
  }
  return reader.ok() ? absl::OkStatus() : Corrupt(origin, "trainer_spec is malformed");
}

absl::Status SentencePieceModel::ReadNormalizerSpec(std::string_view message,
                                                    std::string_view origin, NormalizerSpec* spec) {
  WireReader reader(message);
  for (WireField field; reader.Next(&field);) {
    const bool is_integer = field.kind == WireField::Kind::kVarint;
    if (field.number == 2 && field.kind == WireField::Kind::kBytes) {
      spec->precompiled_charsmap = std::string(field.bytes);
    }
    if (field.number == 3 && is_integer) spec->add_dummy_prefix = field.AsBool();
    if (field.number == 4 && is_integer) spec->remove_extra_whitespaces = field.AsBool();
    if (field.number == 5 && is_integer) spec->escape_whitespaces = field.AsBool();
  }
  return reader.ok() ? absl::OkStatus() : Corrupt(origin, "normalizer_spec is malformed");
}

absl::Status SentencePieceModel::BuildTries(NormalizerSpec spec, std::string_view origin) {
  std::vector<std::pair<std::string_view, int32_t>> matched, reserved, user_defined;
  std::array<bool, 256> bytes_found{};
  // FLT_MIN is the smallest positive number, not the lowest: libsentencepiece starts its maximum
  // there too.
  float lowest = FLT_MAX, highest = FLT_MIN;
  for (size_t i = 0; i < pieces_.size(); ++i) {
    const Piece& piece = pieces_[i];
    const auto id = static_cast<int32_t>(i);
    switch (piece.type) {
      case PieceType::kNormal:
        lowest = std::min(lowest, piece.score);
        highest = std::max(highest, piece.score);
        matched.emplace_back(piece.text, id);
        continue;
      case PieceType::kUserDefined:
        user_defined.emplace_back(piece.text, id);
        matched.emplace_back(piece.text, id);
        continue;
      case PieceType::kUnused:
        matched.emplace_back(piece.text, id);
        continue;
      case PieceType::kUnknown:
        if (unknown_id_ >= 0)
          return Corrupt(origin, absl::StrCat("piece ", i, ": a second unknown piece"));
        unknown_id_ = id;
        break;
      case PieceType::kByte: {
        const int byte = ByteOfPiece(piece.text);
        if (byte < 0 || !byte_fallback_)
          return Corrupt(origin, absl::StrCat("piece ", i, ": not a byte piece"));
        bytes_found[static_cast<size_t>(byte)] = true;
        break;
      }
      case PieceType::kControl:
        break;
    }
    reserved.emplace_back(piece.text, id);
  }
  if (unknown_id_ < 0) return Corrupt(origin, "no piece is the unknown piece");
  if (matched.empty()) return Corrupt(origin, "holds no normal pieces");
  if (byte_fallback_ && std::count(bytes_found.begin(), bytes_found.end(), true) != 256) {
    return Corrupt(origin, "trainer_spec.byte_fallback is set, but not every byte has a piece");
  }
  for (auto* list : {&matched, &reserved}) {
    std::sort(list->begin(), list->end());
    const auto same = [](const auto& a, const auto& b) { return a.first == b.first; };
    const auto twice = std::adjacent_find(list->begin(), list->end(), same);
    if (twice != list->end()) {
      return Corrupt(origin, absl::StrCat("pieces ", twice->second, " and ", (twice + 1)->second,
                                          " are the same"));
    }
  }
  matched_.Build(std::move(matched));
  reserved_.Build(std::move(reserved));
  unknown_score_ = lowest - kUnknownPenalty;
  user_defined_score_ = highest;
  ByteTrie verbatim;
  verbatim.Build(std::move(user_defined));
  spec.treat_whitespace_as_suffix = whitespace_as_suffix_;
  return normalizer_.Init(std::move(spec), std::move(verbatim), origin);
}

std::vector<SentencePieceModel::Step> SentencePieceModel::FindBestSteps(
    std::string_view normalized) const {
  const auto size = static_cast<uint32_t>(normalized.size());
  std::vector<Step> best(size + 1);  // by end position: the piece that the best way there ends with
  for (uint32_t begin = 0; begin < size;) {
    const float score_here = best[begin].score;
    const auto character =
        static_cast<uint32_t>(std::min<size_t>(Utf8SizeByLead(normalized[begin]), size - begin));
    bool is_covered = false;  // some piece is this one character
    uint32_t node = ByteTrie::kRoot;
    for (uint32_t end = begin; end < size;) {
      node = matched_.Child(node, static_cast<uint8_t>(normalized[end++]));
      if (node == ByteTrie::kNone) break;
      const int32_t id = matched_.Value(node);
      if (id < 0 || pieces_[id].type == PieceType::kUnused) continue;
      // User-defined pieces always win: they weigh more, the longer they are.
      const double weight = pieces_[id].type == PieceType::kUserDefined
                                ? static_cast<float>(end - begin) * user_defined_score_ - 0.1
                                : static_cast<double>(pieces_[id].score);
      const double score = weight + static_cast<double>(score_here);
      if (best[end].begin == UINT32_MAX || score > static_cast<double>(best[end].score)) {
        best[end] = {static_cast<float>(score), id, begin, end};
      }
      is_covered = is_covered || end - begin == character;
    }
    const uint32_t end = begin + character;
    if (!is_covered) {
      const float score = unknown_score_ + score_here;
      if (best[end].begin == UINT32_MAX || score > best[end].score)
        best[end] = {score, unknown_id_, begin, end};
    }
    begin = end;
  }
  std::vector<Step> steps;
  for (uint32_t end = size; end > 0; end = steps.back().begin) steps.push_back(best[end]);
  std::reverse(steps.begin(), steps.end());
  return steps;
}

std::vector<SentencePiece> SentencePieceModel::Encode(std::string_view text) const {
  std::vector<SentencePiece> pieces;
  const NormalizedText normalized = normalizer_.Normalize(text);
  const std::string_view all = normalized.text;
  bool after_unknown = false;
  for (const Step& step : model_type_ == kBpe ? MergeSteps(all) : FindBestSteps(all)) {
    const std::string_view piece = all.substr(step.begin, step.end - step.begin);
    const ByteSpan span = {normalized.begins[step.begin], normalized.ends[step.end - 1]};
    const bool is_unknown = step.id == unknown_id_;
    if (is_unknown && byte_fallback_) {
      AppendBytePieces(piece, span, &pieces);
    } else if (is_unknown && after_unknown) {
      pieces.back().piece.append(piece);
      pieces.back().span.end = span.end;
    } else {
      pieces.push_back({std::string(piece), span});
    }
    after_unknown = is_unknown && !byte_fallback_;
  }
  return pieces;
}

void SentencePieceModel::AppendBytePieces(std::string_view character, ByteSpan span,
                                          std::vector<SentencePiece>* pieces) const {
  for (const char byte : character)
    pieces->push_back({BytePiece(static_cast<uint8_t>(byte)), span});
}

std::vector<std::string_view> SentencePieceModel::NormalPieces() const {
  std::vector<std::string_view> normal;
  for (const Piece& piece : pieces_) {
    if (piece.type == PieceType::kNormal) normal.emplace_back(piece.text);
  }
  return normal;
}

int32_t SentencePieceModel::FindPiece(std::string_view piece) const {
  if (const int32_t id = reserved_.Find(piece); id >= 0) return id;
  const int32_t id = matched_.Find(piece);
  return id >= 0 ? id : unknown_id_;
}

bool SentencePieceModel::AppendControlOrUnknown(int32_t id, std::string_view piece,
                                                std::vector<std::string>* written) const {
  if (pieces_[id].type == PieceType::kControl) {
    written->emplace_back();
    return true;
  }
  if (id != unknown_id_) return false;
  written->push_back(piece == pieces_[id].text ? unknown_surface_ : std::string(piece));
  return true;
}

std::vector<std::string> SentencePieceModel::Decode(
    absl::Span<const std::string_view> pieces) const {
  constexpr char kReplacementCharacter[] = "\xEF\xBF\xBD";
  std::vector<std::string> written;
  written.reserve(pieces.size());
  const NormalizerSpec& spec = normalizer_.spec();
  bool strip_space = spec.add_dummy_prefix || spec.remove_extra_whitespaces;
  bool nothing_yet = true;
  for (size_t i = 0; i < pieces.size();) {
    const int32_t id = pieces[i].empty() ? unknown_id_ : FindPiece(pieces[i]);
    if (pieces_[id].type == PieceType::kByte) {
      // Bytes up to the next other piece: characters are written by the last of their bytes.
      std::string bytes;
      for (size_t j = i; j < pieces.size() && ByteOfPiece(pieces[j]) >= 0; ++j) {
        bytes.push_back(static_cast<char>(ByteOfPiece(pieces[j])));
      }
      for (size_t at = 0; at < bytes.size();) {
        const size_t size = std::min(Utf8SizeByLead(bytes[at]), bytes.size() - at);
        const bool is_valid = IsValidUtf8(std::string_view(bytes).substr(at, size));
        if (is_valid) written.resize(written.size() + size - 1);
        written.push_back(is_valid ? bytes.substr(at, size) : kReplacementCharacter);
        at += is_valid ? size : 1;
      }
      i += bytes.size();
      nothing_yet = strip_space = false;
      continue;
    }
    std::string_view piece = pieces[i++];
    if (!nothing_yet) strip_space = false;
    if (!AppendControlOrUnknown(id, piece, &written)) {
      if (strip_space && piece.substr(0, kSpaceSymbol.size()) == kSpaceSymbol) {
        piece.remove_prefix(kSpaceSymbol.size());
        // Without folding of white space only the one space that encoding put in front goes.
        if (!spec.remove_extra_whitespaces) nothing_yet = false;
      }
      written.emplace_back();
      ReplaceSpaceSymbols(piece, &written.back());
    }
    if (!written.back().empty()) nothing_yet = false;
  }
  return written;
}

}  // namespace attend
