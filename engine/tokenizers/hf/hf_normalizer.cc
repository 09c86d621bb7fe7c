// One small class for each kind. Precompiled, the largest, has a file of its own.
#include "engine/tokenizers/hf/hf_normalizer.h"

#include <string>
#include <utility>
#include <vector>

#include "engine/base/status_macros.h"
#include "engine/text/unicode.h"
#include "engine/tokenizers/hf/byte_level.h"
#include "engine/tokenizers/hf/json_place.h"
#include "engine/tokenizers/hf/precompiled_normalizer.h"
#include "engine/tokenizers/hf/text_pattern.h"
#include "engine/tokenizers/hf/unicode_forms.h"

namespace attend {
namespace {

using NormalizerPointer = std::unique_ptr<const HfNormalizer>;

// A kind whose work is one function.
template <typename Work>
class SimpleNormalizer : public HfNormalizer {
 public:
  explicit SimpleNormalizer(Work work) : work_(std::move(work)) {}
  void Normalize(AlignedText* text) const override { work_(text); }

 private:
  Work work_;
};

template <typename Work>
NormalizerPointer Simple(Work work) {
  return std::make_unique<SimpleNormalizer<Work>>(std::move(work));
}

template <typename Map>
void MapCharacters(AlignedText* text, const Map& map) {
  std::vector<CharacterChange> changes;
  changes.reserve(text->text().size());
  for (const char32_t c : CodePointsOf(text->text())) changes.push_back({map(c), 0});
  text->Transform(changes, 0);
}

bool IsHan(char32_t c) {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) ||
         (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B73F) ||
         (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

void CleanForBert(AlignedText* text) {
  text->Filter([](char32_t c) {
    if (c == '\t' || c == '\n' || c == '\r') return true;
    return c != 0 && c != 0xFFFD && !IsOtherCategory(c);
  });
  MapCharacters(text, [](char32_t c) { return IsWhiteSpace(c) ? U' ' : c; });
}

void SpaceHan(AlignedText* text) {
  std::vector<CharacterChange> changes;
  changes.reserve(text->text().size());
  bool found = false;
  for (const char32_t c : CodePointsOf(text->text())) {
    if (!IsHan(c)) {
      changes.push_back({c, 0});
      continue;
    }
    found = true;
    changes.insert(changes.end(), {{U' ', 0}, {c, 1}, {U' ', 1}});
  }
  if (found) text->Transform(changes, 0);
}

void NormalizeForBert(const BertNormalizerOptions& options, AlignedText* text) {
  if (options.clean_text) CleanForBert(text);
  if (options.handle_chinese_chars) SpaceHan(text);
  if (options.strip_accents) {
    NormalizeUnicode(UnicodeForm::kNfd, text);
    text->Filter([](char32_t c) { return !IsNonspacingMark(c); });
  }
  if (options.lowercase) LowercaseCharacters(text);
}

absl::StatusOr<NormalizerPointer> ReadBert(const Json& json,
                                           const BertNormalizerOverride* override_with) {
  BertNormalizerOptions options;
  ATTEND_ASSIGN_OR_RETURN(options.clean_text, json.GetBoolOr("clean_text", true));
  ATTEND_ASSIGN_OR_RETURN(options.handle_chinese_chars,
                          json.GetBoolOr("handle_chinese_chars", true));
  ATTEND_ASSIGN_OR_RETURN(options.lowercase, json.GetBoolOr("lowercase", true));
  ATTEND_ASSIGN_OR_RETURN(options.strip_accents,
                          json.GetBoolOr("strip_accents", options.lowercase));
  if (override_with != nullptr) {
    options.lowercase = override_with->do_lower_case;
    options.handle_chinese_chars = override_with->tokenize_chinese_chars;
    options.strip_accents = override_with->has_strip_accents ? override_with->strip_accents
                                                             : override_with->do_lower_case;
  }
  return MakeBertNormalizer(options);
}

void NormalizeAsNmt(AlignedText* text) {
  text->Filter([](char32_t c) {
    return !((c >= 1 && c <= 8) || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F || c == 0x8F ||
             c == 0x9F);
  });
  MapCharacters(text, [](char32_t c) {
    const bool is_space = c == 9 || c == 0xA || c == 0xC || c == 0xD || c == 0x1680 ||
                          (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 ||
                          c == 0x2581 || c == 0xFEFF || c == 0xFFFD;
    return is_space ? U' ' : c;
  });
}

absl::StatusOr<NormalizerPointer> ReadReplace(const Json& json) {
  ATTEND_ASSIGN_OR_RETURN(const Json pattern_json, json.Get("pattern"));
  ATTEND_ASSIGN_OR_RETURN(TextPattern pattern, TextPattern::Read(pattern_json));
  ATTEND_ASSIGN_OR_RETURN(std::string content, json.GetString("content"));
  return Simple([pattern = std::move(pattern), content = std::move(content)](AlignedText* text) {
    text->Replace(pattern.Matches(text->text()), content);
  });
}

absl::StatusOr<NormalizerPointer> ReadStrip(const Json& json) {
  ATTEND_ASSIGN_OR_RETURN(const bool left, json.GetBoolOr("strip_left", true));
  ATTEND_ASSIGN_OR_RETURN(const bool right, json.GetBoolOr("strip_right", true));
  return Simple([left, right](AlignedText* text) { text->Strip(left, right); });
}

absl::StatusOr<NormalizerPointer> ReadSequence(const Json& json,
                                               const BertNormalizerOverride* override_with) {
  ATTEND_ASSIGN_OR_RETURN(const Json list, json.Get("normalizers"));
  ATTEND_RETURN_IF_ERROR(list.RequireArray());
  std::vector<NormalizerPointer> parts;
  for (const Json& part : list.Elements()) {
    ATTEND_ASSIGN_OR_RETURN(parts.emplace_back(), ReadHfNormalizer(part, override_with));
  }
  return Simple([parts = std::move(parts)](AlignedText* text) {
    for (const NormalizerPointer& part : parts) part->Normalize(text);
  });
}

NormalizerPointer OfForm(UnicodeForm form) {
  return Simple([form](AlignedText* text) { NormalizeUnicode(form, text); });
}

}  // namespace

std::unique_ptr<const HfNormalizer> MakeBertNormalizer(const BertNormalizerOptions& options) {
  return Simple([options](AlignedText* text) { NormalizeForBert(options, text); });
}

absl::StatusOr<std::unique_ptr<const HfNormalizer>> ReadHfNormalizer(
    const Json& json, const BertNormalizerOverride* override_with) {
  ATTEND_ASSIGN_OR_RETURN(const std::string kind, json.GetString("type"));
  if (kind == "Sequence") return ReadSequence(json, override_with);
  if (kind == "BertNormalizer") return ReadBert(json, override_with);
  if (kind == "Precompiled") return PrecompiledNormalizer::Read(json);
  if (kind == "Replace") return ReadReplace(json);
  if (kind == "Strip") return ReadStrip(json);
  if (kind == "NFD") return OfForm(UnicodeForm::kNfd);
  if (kind == "NFKD") return OfForm(UnicodeForm::kNfkd);
  if (kind == "NFC") return OfForm(UnicodeForm::kNfc);
  if (kind == "NFKC") return OfForm(UnicodeForm::kNfkc);
  if (kind == "Lowercase") return Simple(LowercaseCharacters);
  if (kind == "Nmt") return Simple(NormalizeAsNmt);
  if (kind == "ByteLevel") return Simple(SpellBytes);
  if (kind == "StripAccents") {
    return Simple([](AlignedText* text) { text->Filter([](char32_t c) { return !IsMark(c); }); });
  }
  if (kind == "Prepend") {
    ATTEND_ASSIGN_OR_RETURN(std::string content, json.GetString("prepend"));
    return Simple([content = std::move(content)](AlignedText* text) { text->Prepend(content); });
  }
  return UnknownKind(json, kind);
}

}  // namespace attend
