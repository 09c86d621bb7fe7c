// Two letters are ISO 639-1 and stay; three letters are ISO 639-3, and BCP-47 wants the two-letter
// code where there is one. Codes of language groups (ISO 639-5), which multilingual checkpoints are
// named after, name no language.
#include "engine/tokenizers/language_code.h"

#include <algorithm>
#include <array>
#include <utility>

namespace attend {
namespace {

using Pair = std::pair<std::string_view, std::string_view>;
constexpr std::array<Pair, 96> kTwoLetterCodes = {{
    {"afr", "af"}, {"amh", "am"}, {"ara", "ar"}, {"aze", "az"}, {"bel", "be"}, {"ben", "bn"},
    {"bos", "bs"}, {"bre", "br"}, {"bul", "bg"}, {"cat", "ca"}, {"ces", "cs"}, {"chi", "zh"},
    {"cmn", "zh"}, {"cym", "cy"}, {"cze", "cs"}, {"dan", "da"}, {"deu", "de"}, {"dut", "nl"},
    {"ell", "el"}, {"eng", "en"}, {"epo", "eo"}, {"est", "et"}, {"eus", "eu"}, {"fao", "fo"},
    {"fas", "fa"}, {"fin", "fi"}, {"fra", "fr"}, {"fre", "fr"}, {"ger", "de"}, {"gla", "gd"},
    {"gle", "ga"}, {"glg", "gl"}, {"gre", "el"}, {"guj", "gu"}, {"hau", "ha"}, {"heb", "he"},
    {"hin", "hi"}, {"hrv", "hr"}, {"hun", "hu"}, {"hye", "hy"}, {"ibo", "ig"}, {"ind", "id"},
    {"isl", "is"}, {"ita", "it"}, {"jav", "jv"}, {"jpn", "ja"}, {"kan", "kn"}, {"kat", "ka"},
    {"kaz", "kk"}, {"khm", "km"}, {"kir", "ky"}, {"kor", "ko"}, {"lao", "lo"}, {"lat", "la"},
    {"lav", "lv"}, {"lit", "lt"}, {"ltz", "lb"}, {"mal", "ml"}, {"mar", "mr"}, {"mkd", "mk"},
    {"mlt", "mt"}, {"mon", "mn"}, {"msa", "ms"}, {"mya", "my"}, {"nep", "ne"}, {"nld", "nl"},
    {"nno", "nn"}, {"nob", "nb"}, {"nor", "no"}, {"oci", "oc"}, {"pan", "pa"}, {"per", "fa"},
    {"pol", "pl"}, {"por", "pt"}, {"pus", "ps"}, {"ron", "ro"}, {"rum", "ro"}, {"rus", "ru"},
    {"sin", "si"}, {"slk", "sk"}, {"slv", "sl"}, {"som", "so"}, {"spa", "es"}, {"sqi", "sq"},
    {"srp", "sr"}, {"swa", "sw"}, {"swe", "sv"}, {"tam", "ta"}, {"tel", "te"}, {"tgl", "tl"},
    {"tha", "th"}, {"tur", "tr"}, {"ukr", "uk"}, {"urd", "ur"}, {"vie", "vi"}, {"zho", "zh"},
}};

constexpr std::array<std::string_view, 44> kGroups = {
    "aav", "afa", "alv", "art", "bat", "bnt", "cau", "ccs", "cel", "cpf", "cpp",
    "crp", "cus", "dra", "euq", "fiu", "gem", "gmq", "gmw", "iir", "inc", "ine",
    "ira", "itc", "map", "mkh", "mul", "nic", "paa", "phi", "poz", "pqe", "roa",
    "sal", "sem", "sit", "sla", "taw", "trk", "tut", "urj", "zle", "zls", "zlw"};

bool IsLower(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 'a' && c <= 'z'; });
}

// The script or region behind a code: "BR", "Hans", "419".
bool IsSubtag(std::string_view tag) {
  const auto is_alphanumeric = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  return tag.size() >= 2 && tag.size() <= 8 && std::all_of(tag.begin(), tag.end(), is_alphanumeric);
}

}  // namespace

std::string ToLanguageCode(std::string_view name) {
  const size_t separator = name.find_first_of("-_");
  const std::string_view primary = name.substr(0, separator);
  if (!IsLower(primary) || primary.size() < 2 || primary.size() > 3) return "";
  std::string code(primary);
  if (primary.size() == 3) {
    if (std::find(kGroups.begin(), kGroups.end(), primary) != kGroups.end()) return "";
    const auto shorter = std::find_if(kTwoLetterCodes.begin(), kTwoLetterCodes.end(),
                                      [&](const Pair& pair) { return pair.first == primary; });
    if (shorter != kTwoLetterCodes.end()) code = std::string(shorter->second);
  }
  if (separator == std::string_view::npos) return code;
  const std::string_view rest = name.substr(separator + 1);
  return IsSubtag(rest) ? code + "-" + std::string(rest) : "";
}

}  // namespace attend
