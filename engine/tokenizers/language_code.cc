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
// Every ISO 639-3 and 639-2 code with a two-letter form, the bibliographic ones ("fre") and the
// commonest members of macrolanguages ("cmn", and those by which NLLB means the whole) included;
// sorted. From Debian's iso-codes.
constexpr std::array<Pair, 225> kTwoLetterCodes = {{
    {"aar", "aa"}, {"abk", "ab"}, {"afr", "af"}, {"aka", "ak"}, {"alb", "sq"}, {"als", "sq"},
    {"amh", "am"}, {"ara", "ar"}, {"arb", "ar"}, {"arg", "an"}, {"arm", "hy"}, {"asm", "as"},
    {"ava", "av"}, {"ave", "ae"}, {"aym", "ay"}, {"ayr", "ay"}, {"aze", "az"}, {"azj", "az"},
    {"bak", "ba"}, {"bam", "bm"}, {"baq", "eu"}, {"bel", "be"}, {"ben", "bn"}, {"bis", "bi"},
    {"bod", "bo"}, {"bos", "bs"}, {"bre", "br"}, {"bul", "bg"}, {"bur", "my"}, {"cat", "ca"},
    {"ces", "cs"}, {"cha", "ch"}, {"che", "ce"}, {"chi", "zh"}, {"chu", "cu"}, {"chv", "cv"},
    {"cmn", "zh"}, {"cor", "kw"}, {"cos", "co"}, {"cre", "cr"}, {"cym", "cy"}, {"cze", "cs"},
    {"dan", "da"}, {"deu", "de"}, {"div", "dv"}, {"dut", "nl"}, {"dzo", "dz"}, {"ell", "el"},
    {"eng", "en"}, {"epo", "eo"}, {"est", "et"}, {"eus", "eu"}, {"ewe", "ee"}, {"fao", "fo"},
    {"fas", "fa"}, {"fij", "fj"}, {"fin", "fi"}, {"fra", "fr"}, {"fre", "fr"}, {"fry", "fy"},
    {"ful", "ff"}, {"fuv", "ff"}, {"gaz", "om"}, {"geo", "ka"}, {"ger", "de"}, {"gla", "gd"},
    {"gle", "ga"}, {"glg", "gl"}, {"glv", "gv"}, {"gre", "el"}, {"grn", "gn"}, {"guj", "gu"},
    {"hat", "ht"}, {"hau", "ha"}, {"hbs", "sh"}, {"heb", "he"}, {"her", "hz"}, {"hin", "hi"},
    {"hmo", "ho"}, {"hrv", "hr"}, {"hun", "hu"}, {"hye", "hy"}, {"ibo", "ig"}, {"ice", "is"},
    {"ido", "io"}, {"iii", "ii"}, {"iku", "iu"}, {"ile", "ie"}, {"ina", "ia"}, {"ind", "id"},
    {"ipk", "ik"}, {"isl", "is"}, {"ita", "it"}, {"jav", "jv"}, {"jpn", "ja"}, {"kal", "kl"},
    {"kan", "kn"}, {"kas", "ks"}, {"kat", "ka"}, {"kau", "kr"}, {"kaz", "kk"}, {"khk", "mn"},
    {"khm", "km"}, {"kik", "ki"}, {"kin", "rw"}, {"kir", "ky"}, {"kmr", "ku"}, {"knc", "kr"},
    {"kom", "kv"}, {"kon", "kg"}, {"kor", "ko"}, {"kua", "kj"}, {"kur", "ku"}, {"lao", "lo"},
    {"lat", "la"}, {"lav", "lv"}, {"lim", "li"}, {"lin", "ln"}, {"lit", "lt"}, {"ltz", "lb"},
    {"lub", "lu"}, {"lug", "lg"}, {"lvs", "lv"}, {"mac", "mk"}, {"mah", "mh"}, {"mal", "ml"},
    {"mao", "mi"}, {"mar", "mr"}, {"may", "ms"}, {"mkd", "mk"}, {"mlg", "mg"}, {"mlt", "mt"},
    {"mon", "mn"}, {"mri", "mi"}, {"msa", "ms"}, {"mya", "my"}, {"nau", "na"}, {"nav", "nv"},
    {"nbl", "nr"}, {"nde", "nd"}, {"ndo", "ng"}, {"nep", "ne"}, {"nld", "nl"}, {"nno", "nn"},
    {"nob", "nb"}, {"nor", "no"}, {"npi", "ne"}, {"nya", "ny"}, {"oci", "oc"}, {"oji", "oj"},
    {"ori", "or"}, {"orm", "om"}, {"ory", "or"}, {"oss", "os"}, {"pan", "pa"}, {"pbt", "ps"},
    {"per", "fa"}, {"pes", "fa"}, {"pli", "pi"}, {"plt", "mg"}, {"pol", "pl"}, {"por", "pt"},
    {"pus", "ps"}, {"que", "qu"}, {"quy", "qu"}, {"roh", "rm"}, {"ron", "ro"}, {"rum", "ro"},
    {"run", "rn"}, {"rus", "ru"}, {"sag", "sg"}, {"san", "sa"}, {"sin", "si"}, {"slk", "sk"},
    {"slo", "sk"}, {"slv", "sl"}, {"sme", "se"}, {"smo", "sm"}, {"sna", "sn"}, {"snd", "sd"},
    {"som", "so"}, {"sot", "st"}, {"spa", "es"}, {"sqi", "sq"}, {"srd", "sc"}, {"srp", "sr"},
    {"ssw", "ss"}, {"sun", "su"}, {"swa", "sw"}, {"swe", "sv"}, {"swh", "sw"}, {"tah", "ty"},
    {"tam", "ta"}, {"tat", "tt"}, {"tel", "te"}, {"tgk", "tg"}, {"tgl", "tl"}, {"tha", "th"},
    {"tib", "bo"}, {"tir", "ti"}, {"ton", "to"}, {"tsn", "tn"}, {"tso", "ts"}, {"tuk", "tk"},
    {"tur", "tr"}, {"twi", "tw"}, {"uig", "ug"}, {"ukr", "uk"}, {"urd", "ur"}, {"uzb", "uz"},
    {"uzn", "uz"}, {"ven", "ve"}, {"vie", "vi"}, {"vol", "vo"}, {"wel", "cy"}, {"wln", "wa"},
    {"wol", "wo"}, {"xho", "xh"}, {"ydd", "yi"}, {"yid", "yi"}, {"yor", "yo"}, {"zha", "za"},
    {"zho", "zh"}, {"zsm", "ms"}, {"zul", "zu"},
}};

// The script that goes without saying, where it is not Latin; sorted. Of Chinese both are always
// said. From Unicode's likely subtags.
constexpr std::array<Pair, 69> kDefaultScripts = {{
    {"acm", "Arab"}, {"acq", "Arab"}, {"aeb", "Arab"}, {"ajp", "Arab"}, {"am", "Ethi"},
    {"apc", "Arab"}, {"ar", "Arab"},  {"ars", "Arab"}, {"ary", "Arab"}, {"arz", "Arab"},
    {"as", "Beng"},  {"awa", "Deva"}, {"azb", "Arab"}, {"ba", "Cyrl"},  {"be", "Cyrl"},
    {"bg", "Cyrl"},  {"bho", "Deva"}, {"bn", "Beng"},  {"bo", "Tibt"},  {"ckb", "Arab"},
    {"dz", "Tibt"},  {"el", "Grek"},  {"fa", "Arab"},  {"gu", "Gujr"},  {"he", "Hebr"},
    {"hi", "Deva"},  {"hne", "Deva"}, {"hy", "Armn"},  {"ja", "Jpan"},  {"ka", "Geor"},
    {"kk", "Cyrl"},  {"km", "Khmr"},  {"kn", "Knda"},  {"ko", "Hang"},  {"ks", "Arab"},
    {"ky", "Cyrl"},  {"lo", "Laoo"},  {"mag", "Deva"}, {"mai", "Deva"}, {"mk", "Cyrl"},
    {"ml", "Mlym"},  {"mn", "Cyrl"},  {"mni", "Beng"}, {"mr", "Deva"},  {"my", "Mymr"},
    {"ne", "Deva"},  {"or", "Orya"},  {"pa", "Guru"},  {"prs", "Arab"}, {"ps", "Arab"},
    {"ru", "Cyrl"},  {"sa", "Deva"},  {"sat", "Olck"}, {"sd", "Arab"},  {"shn", "Mymr"},
    {"si", "Sinh"},  {"sr", "Cyrl"},  {"ta", "Taml"},  {"te", "Telu"},  {"tg", "Cyrl"},
    {"th", "Thai"},  {"ti", "Ethi"},  {"tt", "Cyrl"},  {"ug", "Arab"},  {"uk", "Cyrl"},
    {"ur", "Arab"},  {"yi", "Hebr"},  {"yue", "Hant"}, {"zh", ""},
}};

// ISO 639-5, ISO 639-2's codes for no language in particular, and "taw", by which checkpoints mean
// the Tai languages; sorted.
constexpr std::array<std::string_view, 120> kGroups = {{
    "aav", "afa", "alg", "alv", "apa", "aqa", "aql", "art", "ath", "auf", "aus", "awd",
    "azc", "bad", "bai", "bat", "ber", "bih", "bnt", "btk", "cai", "cau", "cba", "ccn",
    "ccs", "cdc", "cdd", "cel", "cmc", "cpe", "cpf", "cpp", "crp", "csu", "cus", "day",
    "dmn", "dra", "egx", "esx", "euq", "fiu", "fox", "gem", "gme", "gmq", "gmw", "grk",
    "hmx", "hok", "hyx", "iir", "ijo", "inc", "ine", "ira", "iro", "itc", "jpx", "kar",
    "kdo", "khi", "kro", "map", "mis", "mkh", "mno", "mul", "mun", "myn", "nah", "nai",
    "ngf", "nic", "nub", "omq", "omv", "oto", "paa", "phi", "plf", "poz", "pqe", "pqw",
    "pra", "qwe", "roa", "sai", "sal", "sdv", "sem", "sgn", "sio", "sit", "sla", "smi",
    "son", "sqj", "ssa", "syd", "tai", "taw", "tbq", "trk", "tup", "tut", "tuw", "und",
    "urj", "wak", "wen", "xgn", "xnd", "ypk", "zhx", "zle", "zls", "zlw", "znd", "zxx",
}};

bool IsLower(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 'a' && c <= 'z'; });
}

bool IsAlphanumeric(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  });
}

// What may stand behind a language: a script, region or variant ("Hans", "BR", "419", "valencia").
// Three letters are another language: checkpoints of several are called "ces_slk".
bool IsSubtag(std::string_view tag) {
  if (tag.size() < 2 || tag.size() > 8 || !IsAlphanumeric(tag)) return false;
  return tag.size() != 3 ||
         std::all_of(tag.begin(), tag.end(), [](char c) { return c >= '0' && c <= '9'; });
}

template <size_t N>
std::string_view LookUp(const std::array<Pair, N>& table, std::string_view key,
                        std::string_view otherwise) {
  const auto found =
      std::lower_bound(table.begin(), table.end(), key,
                       [](const Pair& pair, std::string_view k) { return pair.first < k; });
  return found != table.end() && found->first == key ? found->second : otherwise;
}

// What tells nothing: a language's own script, and mBART's placeholder for no region.
bool GoesWithoutSaying(std::string_view language, std::string_view tag) {
  return tag == "XX" || LookUp(kDefaultScripts, language, "Latn") == tag;
}

}  // namespace

std::string_view ShortestLanguageCode(std::string_view language) {
  return LookUp(kTwoLetterCodes, language, language);
}

std::string ToLanguageCode(std::string_view name) {
  const size_t separator = std::min(name.find_first_of("-_"), name.size());
  const std::string_view primary = name.substr(0, separator);
  if (!IsLower(primary) || primary.size() < 2 || primary.size() > 3) return "";
  if (std::binary_search(kGroups.begin(), kGroups.end(), primary)) return "";
  const std::string_view language = ShortestLanguageCode(primary);
  std::string code(language);
  for (size_t at = separator; at < name.size();) {
    const size_t end = std::min(name.find_first_of("-_", at + 1), name.size());
    const std::string_view tag = name.substr(at + 1, end - at - 1);
    if (!IsSubtag(tag)) return "";
    if (!GoesWithoutSaying(language, tag)) code.append("-").append(tag);
    at = end;
  }
  return code;
}

}  // namespace attend
