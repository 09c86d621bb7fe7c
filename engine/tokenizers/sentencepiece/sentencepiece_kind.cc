// One table of kinds; the few switches that tokenizer_config.json has for a kind change its row.
#include "engine/tokenizers/sentencepiece/sentencepiece_kind.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/checkpoint/checkpoint_error.h"

namespace attend {
namespace {

using Numbering = SentencePieceKind::Numbering;
using Frame = SentencePieceKind::Frame;

constexpr char kPieceFile[] = "spiece.model";
constexpr char kBpeFile[] = "sentencepiece.bpe.model";

constexpr PartSpelling kPlainPieces = {PartSpelling::AroundSpecial::kNothing, false, true, false};
constexpr PartSpelling kByModel = {PartSpelling::AroundSpecial::kNothing, true, false, false};
constexpr PartSpelling kSpacedByModel = {PartSpelling::AroundSpecial::kSpaceBefore, true, false,
                                         false};

// Special tokens: beginning, end, unknown, separator, padding, class, mask.
const SentencePieceKind kKinds[] = {
    {"T5Tokenizer",
     kPieceFile,
     Numbering::kPieces,
     Frame::kEndOnce,
     kSpacedByModel,
     std::nullopt,
     "",
     {nullptr, "</s>", "<unk>", nullptr, "<pad>", nullptr, nullptr}},
    {"PegasusTokenizer",
     kPieceFile,
     Numbering::kOffset,
     Frame::kEnd,
     kByModel,
     std::nullopt,
     "",
     {nullptr, "</s>", "<unk>", nullptr, "<pad>", nullptr, "<mask_2>"}},
    {"MBartTokenizer",
     kBpeFile,
     Numbering::kFairseq,
     Frame::kLanguageLast,
     kPlainPieces,
     LanguageList::kMBart,
     "en_XX",
     {"<s>", "</s>", "<unk>", "</s>", "<pad>", "<s>", "<mask>"}},
    {"MBart50Tokenizer",
     kBpeFile,
     Numbering::kFairseq,
     Frame::kLanguageFirst,
     kSpacedByModel,
     LanguageList::kMBart50,
     "en_XX",
     {nullptr, "</s>", "<unk>", "</s>", "<pad>", "<s>", "<mask>"}},
    {"M2M100Tokenizer",
     kBpeFile,
     Numbering::kVocabularyFile,
     Frame::kLanguageFirst,
     kByModel,
     LanguageList::kM2M100,
     "en",
     {"<s>", "</s>", "<unk>", "</s>", "<pad>", nullptr, nullptr}},
    {"NllbTokenizer",
     kBpeFile,
     Numbering::kFairseqAdded,
     Frame::kLanguageFirst,
     kPlainPieces,
     LanguageList::kNllb,
     "eng_Latn",
     {"<s>", "</s>", "<unk>", "</s>", "<pad>", "<s>", "<mask>"}},
};

constexpr std::pair<std::string_view, std::string_view> kUsualClasses[] = {
    {"t5", "T5Tokenizer"},
    {"pegasus", "PegasusTokenizer"},
    {"mbart", "MBartTokenizer"},
    {"m2m_100", "M2M100Tokenizer"},
};

struct NamedClass {
  std::string name;
  std::string_view file;
};

absl::StatusOr<NamedClass> ReadClass(const ModelDirectory& directory,
                                     const TokenizerConfig& config) {
  ATTEND_ASSIGN_OR_RETURN(
      std::string name,
      AsCorrupt(config.json.GetStringOr("tokenizer_class", ""), TokenizerConfig::kFile));
  if (!name.empty()) return NamedClass{std::move(name), TokenizerConfig::kFile};
  const Json& model = directory.config();
  ATTEND_ASSIGN_OR_RETURN(name, AsCorrupt(model.GetStringOr("tokenizer_class", ""), "config.json"));
  if (!name.empty()) return NamedClass{std::move(name), "config.json"};
  ATTEND_ASSIGN_OR_RETURN(const std::string model_type,
                          AsCorrupt(model.GetString("model_type"), "config.json"));
  for (const auto& [type, usual] : kUsualClasses) {
    if (type == model_type) name = std::string(usual);
  }
  return NamedClass{std::move(name), "config.json"};
}

absl::Status ReadSwitches(const TokenizerConfig& config, SentencePieceKind* kind) {
  const Json& json = config.json;
  if (kind->numbering == Numbering::kPieces) {
    ATTEND_ASSIGN_OR_RETURN(kind->spelling.drops_first_space_symbol,
                            json.GetBoolOr("add_prefix_space", true));
  }
  if (kind->numbering == Numbering::kFairseqAdded) {
    ATTEND_ASSIGN_OR_RETURN(const bool is_legacy, json.GetBoolOr("legacy_behaviour", false));
    if (is_legacy) kind->frame = Frame::kLanguageLast;
  }
  if (kind->numbering == Numbering::kVocabularyFile) {
    ATTEND_ASSIGN_OR_RETURN(const std::string codes, json.GetStringOr("language_codes", "m2m100"));
    if (codes == "wmt21") {
      kind->languages = LanguageList::kWmt21;
    } else if (codes != "m2m100") {
      return UnsupportedCheckpoint(
          {TokenizerConfig::kFile, {}},
          absl::StrCat("key 'language_codes': expected 'm2m100' or 'wmt21', found '",
                       Printable(codes), "'"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SentencePieceKind> FindSentencePieceKind(const ModelDirectory& directory,
                                                        const TokenizerConfig& config) {
  ATTEND_ASSIGN_OR_RETURN(const NamedClass named, ReadClass(directory, config));
  std::string_view wanted = named.name;
  constexpr std::string_view kFast = "Fast";  // makes the same of the same files
  if (wanted.size() > kFast.size() && wanted.substr(wanted.size() - kFast.size()) == kFast)
    wanted.remove_suffix(kFast.size());
  std::string known;
  for (const SentencePieceKind& kind : kKinds) {
    absl::StrAppend(&known, known.empty() ? "" : ", ", std::string(kind.tokenizer_class));
    if (kind.tokenizer_class != wanted) continue;
    SentencePieceKind found = kind;
    const absl::Status status = ReadSwitches(config, &found);
    if (!status.ok()) return CorruptJson(TokenizerConfig::kFile, status);
    return found;
  }
  return UnsupportedCheckpoint(
      {named.file, {}},
      absl::StrCat("key 'tokenizer_class': '", Printable(named.name),
                   "' cannot be made from a SentencePiece model here (known: ", known, ")"));
}

}  // namespace attend
