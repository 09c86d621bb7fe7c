// One small class for each kind; all cut parts further and never join them.
#include "engine/tokenizers/hf/hf_pre_tokenizer.h"

#include <string_view>
#include <utility>

#include "engine/base/status_macros.h"
#include "engine/text/unicode.h"
#include "engine/tokenizers/hf/byte_level.h"
#include "engine/tokenizers/hf/json_place.h"
#include "engine/tokenizers/hf/unicode_forms.h"

namespace attend {
namespace {

using PreTokenizerPointer = std::unique_ptr<const HfPreTokenizer>;

// A kind whose work is one function: AlignedText*, which may be changed → the ranges to keep.
template <typename Cut>
class SimplePreTokenizer : public HfPreTokenizer {
 public:
  explicit SimplePreTokenizer(Cut cut) : cut_(std::move(cut)) {}
  void Apply(std::vector<TextPart>* parts) const override { CutParts(parts, cut_); }

 private:
  Cut cut_;
};

template <typename Cut>
PreTokenizerPointer Simple(Cut cut) {
  return std::make_unique<SimplePreTokenizer<Cut>>(std::move(cut));
}

template <typename IsMatch>
PreTokenizerPointer AtCharacters(IsMatch is_match, SplitBehavior behavior) {
  return Simple([is_match, behavior](AlignedText* text) {
    return SplitRanges(FindCharacters(text->text(), is_match), behavior);
  });
}

class SequencePreTokenizer : public HfPreTokenizer {
 public:
  explicit SequencePreTokenizer(std::vector<PreTokenizerPointer> parts)
      : parts_(std::move(parts)) {}
  void Apply(std::vector<TextPart>* parts) const override {
    for (const PreTokenizerPointer& part : parts_) part->Apply(parts);
  }

 private:
  std::vector<PreTokenizerPointer> parts_;
};

std::vector<ByteSpan> Whole(const AlignedText& text) {
  return {{0, static_cast<uint32_t>(text.text().size())}};
}

bool StartsWith(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

class ByteLevelPreTokenizer : public HfPreTokenizer {
 public:
  ByteLevelPreTokenizer(bool add_prefix_space, bool use_regex)
      : add_prefix_space_(add_prefix_space), use_regex_(use_regex) {}

  void Apply(std::vector<TextPart>* parts) const override {
    CutParts(parts, [this](AlignedText* text) {
      if (add_prefix_space_ && !StartsWith(text->text(), " ")) text->Prepend(" ");
      return use_regex_ ? SplitLikeGpt2(text->text()) : Whole(*text);
    });
    for (TextPart& part : *parts) {
      if (part.added_token < 0) SpellBytes(&part.text);
    }
  }

 private:
  bool add_prefix_space_, use_regex_;
};

enum class PrependScheme { kFirst, kNever, kAlways };

absl::StatusOr<PrependScheme> ReadPrependScheme(const Json& json) {
  if (!json.Has("prepend_scheme")) {
    // Files from before there were schemes.
    ATTEND_ASSIGN_OR_RETURN(const bool add, json.GetBoolOr("add_prefix_space", true));
    return add ? PrependScheme::kAlways : PrependScheme::kNever;
  }
  ATTEND_ASSIGN_OR_RETURN(const std::string name, json.GetString("prepend_scheme"));
  if (name == "first") return PrependScheme::kFirst;
  if (name == "never") return PrependScheme::kNever;
  if (name == "always") return PrependScheme::kAlways;
  ATTEND_ASSIGN_OR_RETURN(const Json value, json.Get("prepend_scheme"));
  return UnknownKind(value, name);
}

absl::StatusOr<PreTokenizerPointer> ReadMetaspace(const Json& json) {
  ATTEND_ASSIGN_OR_RETURN(const std::string symbol, json.GetStringOr("replacement", "\u2581"));
  ATTEND_ASSIGN_OR_RETURN(const PrependScheme scheme, ReadPrependScheme(json));
  ATTEND_ASSIGN_OR_RETURN(const bool split, json.GetBoolOr("split", true));
  if (symbol.empty() || CodePointAt(symbol, 0).end != symbol.size()) {
    ATTEND_ASSIGN_OR_RETURN(const Json value, json.Get("replacement"));
    return CorruptValue(value, "expected one character");
  }
  return Simple([symbol, scheme, split, space = TextPattern::OfString(" "),
                 at_symbol = TextPattern::OfString(symbol)](AlignedText* text) {
    text->Replace(space.Matches(text->text()), symbol);
    const bool wants_prefix = scheme == PrependScheme::kAlways ||
                              (scheme == PrependScheme::kFirst && text->original_begin() == 0);
    if (wants_prefix && !StartsWith(text->text(), symbol)) text->Prepend(symbol);
    if (!split) return Whole(*text);
    return SplitRanges(at_symbol.Find(text->text()), SplitBehavior::kMergedWithNext);
  });
}

absl::StatusOr<PreTokenizerPointer> ReadSplit(const Json& json) {
  ATTEND_ASSIGN_OR_RETURN(const Json pattern_json, json.Get("pattern"));
  ATTEND_ASSIGN_OR_RETURN(TextPattern pattern, TextPattern::Read(pattern_json));
  ATTEND_ASSIGN_OR_RETURN(const SplitBehavior behavior,
                          ReadSplitBehavior(json, "behavior", SplitBehavior::kRemoved));
  ATTEND_ASSIGN_OR_RETURN(const bool invert, json.GetBoolOr("invert", false));
  return Simple([pattern = std::move(pattern), behavior, invert](AlignedText* text) {
    std::vector<PatternPart> parts = pattern.Find(text->text());
    for (PatternPart& part : parts) part.is_match ^= invert;
    return SplitRanges(parts, behavior);
  });
}

enum class WordClass { kWord, kSpace, kOther };

WordClass WordClassOf(char32_t c) {
  if (IsWhiteSpace(c)) return WordClass::kSpace;
  return IsWordCharacter(c) ? WordClass::kWord : WordClass::kOther;
}

// Runs of word characters and of other signs; white space goes.
PreTokenizerPointer AtWords() {
  return Simple([](AlignedText* text) {
    std::vector<ByteSpan> words;
    WordClass last = WordClass::kSpace;
    for (uint32_t at = 0; at < text->text().size();) {
      const CodePoint c = CodePointAt(text->text(), at);
      const WordClass current = WordClassOf(c.value);
      if (current != WordClass::kSpace) {
        if (current == last) {
          words.back().end = c.end;
        } else {
          words.push_back({c.begin, c.end});
        }
      }
      last = current;
      at = c.end;
    }
    return words;
  });
}

absl::StatusOr<PreTokenizerPointer> ReadSequence(const Json& json) {
  ATTEND_ASSIGN_OR_RETURN(const Json list, json.Get("pretokenizers"));
  ATTEND_RETURN_IF_ERROR(list.RequireArray());
  std::vector<PreTokenizerPointer> parts;
  for (const Json& part : list.Elements()) {
    ATTEND_ASSIGN_OR_RETURN(const bool own, part.GetBoolOr("add_prefix_space", true));
    ATTEND_ASSIGN_OR_RETURN(parts.emplace_back(), ReadHfPreTokenizer(part, own));
  }
  return std::make_unique<SequencePreTokenizer>(std::move(parts));
}

absl::StatusOr<PreTokenizerPointer> ReadDelimiter(const Json& json) {
  ATTEND_ASSIGN_OR_RETURN(const std::string text, json.GetString("delimiter"));
  return Simple([pattern = TextPattern::OfString(text)](AlignedText* part) {
    return SplitRanges(pattern.Find(part->text()), SplitBehavior::kRemoved);
  });
}

}  // namespace

std::unique_ptr<const HfPreTokenizer> MakeBertPreTokenizer() {
  std::vector<PreTokenizerPointer> parts;
  parts.push_back(AtCharacters(IsWhiteSpace, SplitBehavior::kRemoved));
  parts.push_back(AtCharacters(IsPunctuation, SplitBehavior::kIsolated));
  return std::make_unique<SequencePreTokenizer>(std::move(parts));
}

std::unique_ptr<const HfPreTokenizer> MakeByteLevelPreTokenizer(bool add_prefix_space,
                                                                bool use_regex) {
  return std::make_unique<ByteLevelPreTokenizer>(add_prefix_space, use_regex);
}

absl::StatusOr<std::unique_ptr<const HfPreTokenizer>> ReadHfPreTokenizer(const Json& json,
                                                                         bool add_prefix_space) {
  ATTEND_ASSIGN_OR_RETURN(const std::string kind, json.GetString("type"));
  if (kind == "Sequence") return ReadSequence(json);
  if (kind == "BertPreTokenizer") return MakeBertPreTokenizer();
  if (kind == "Metaspace") return ReadMetaspace(json);
  if (kind == "Split") return ReadSplit(json);
  if (kind == "CharDelimiterSplit") return ReadDelimiter(json);
  if (kind == "Whitespace") return AtWords();
  if (kind == "WhitespaceSplit") return AtCharacters(IsWhiteSpace, SplitBehavior::kRemoved);
  if (kind == "ByteLevel") {
    ATTEND_ASSIGN_OR_RETURN(const bool use_regex, json.GetBoolOr("use_regex", true));
    return MakeByteLevelPreTokenizer(add_prefix_space, use_regex);
  }
  if (kind == "Digits") {
    ATTEND_ASSIGN_OR_RETURN(const bool each, json.GetBoolOr("individual_digits", false));
    return AtCharacters(IsNumeric, each ? SplitBehavior::kIsolated : SplitBehavior::kContiguous);
  }
  if (kind == "Punctuation") {
    ATTEND_ASSIGN_OR_RETURN(const SplitBehavior behavior,
                            ReadSplitBehavior(json, "behavior", SplitBehavior::kIsolated));
    return AtCharacters(IsPunctuation, behavior);
  }
  return UnknownKind(json, kind);
}

}  // namespace attend
