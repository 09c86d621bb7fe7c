// The lists. Each is short on purpose: a word earns its place when it is common in running text and
// its full stop is commonly followed by a capital. (Before a lower-case word the splitter never
// cuts, list or no list.)
#include "engine/text/abbreviations.h"

#include <algorithm>
#include <string>

#include "absl/types/span.h"

namespace attend {
namespace {

using Words = absl::Span<const std::string_view>;

// An entry in lower case matches any case; one with a capital matches only itself ("Fr. Brown").
constexpr std::string_view kEnglishBeforeName[] = {
    "mr",     "mrs",  "ms",   "mx",   "dr",   "prof", "rev",  "hon",  "sen", "rep",
    "gov",    "pres", "gen",  "col",  "lt",   "sgt",  "capt", "cmdr", "adm", "maj",
    "cpl",    "pvt",  "supt", "insp", "ste",  "mt",   "ft",   "Fr",   "Br",  "messrs",
    "mmes",   "vs",   "v",    "e.g",  "eg",   "i.e",  "ie",   "viz",  "cf",  "ca",
    "approx", "esp",  "incl", "univ", "dept", "amb",  "atty", "rt",   "Det"};
constexpr std::string_view kEnglishBeforeNumber[] = {
    "no",  "nos", "p",    "pp",   "vol", "vols", "ch",  "chap", "sec", "fig", "figs",
    "eq",  "art", "par",  "para", "ed",  "jan",  "feb", "mar",  "apr", "jun", "jul",
    "aug", "sep", "sept", "oct",  "nov", "dec",  "tel", "ext",  "est"};
constexpr std::string_view kEnglishMayEnd[] = {"st",  "al",  "inc", "ltd",  "co",  "corp", "bros",
                                               "jr",  "sr",  "esq", "ph.d", "m.d", "b.a",  "m.a",
                                               "b.c", "a.d", "ave", "blvd", "rd",  "Mass", "Calif"};
constexpr std::string_view kEnglishStarters[] = {
    "a",     "an",    "the",  "this", "that", "these", "those",    "i",       "you",   "he",
    "she",   "it",    "we",   "they", "his",  "her",   "its",      "my",      "our",   "your",
    "their", "there", "here", "and",  "but",  "or",    "so",       "if",      "when",  "while",
    "as",    "in",    "on",   "at",   "for",  "to",    "from",     "with",    "after", "before",
    "then",  "now",   "no",   "yes",  "not",  "what",  "who",      "why",     "where", "how",
    "is",    "are",   "was",  "were", "do",   "does",  "did",      "can",     "could", "however",
    "since", "some",  "many", "most", "all",  "one",   "although", "because", "let",   "please"};

constexpr std::string_view kFrenchBeforeName[] = {
    "m",  "MM",  "mme",  "mmes",   "mlle", "mlles", "mgr", "dr", "pr",  "prof",
    "Me", "ste", "sts",  "gén",    "col",  "cdt",   "lt",  "av", "bd",  "boul",
    "pl", "cf",  "p.ex", "c.-à-d", "i.e",  "ex",    "env", "vs", "hab", "dép",
    "éd", "éds", "coll", "resp",   "adj",  "dir",   "trad"};
constexpr std::string_view kFrenchBeforeNumber[] = {
    "p",    "pp",   "vol", "art", "chap", "fig", "no", "nos", "n", "janv", "févr", "fév", "avr",
    "juil", "sept", "oct", "nov", "déc",  "tél", "t",  "par", "§", "art",  "r",    "l",   "d"};
constexpr std::string_view kFrenchMayEnd[] = {"st",      "al",   "cie",     "sté",  "s.a",
                                              "s.a.r.l", "j.-c", "s.n.c.f", "ltée", "inc"};
constexpr std::string_view kFrenchStarters[] = {
    "le",    "la",    "les",    "l",      "un",      "une",      "des",       "du",    "de",
    "ce",    "cet",   "cette",  "ces",    "c",       "je",       "j",         "tu",    "il",
    "elle",  "on",    "nous",   "vous",   "ils",     "elles",    "mon",       "ma",    "mes",
    "son",   "sa",    "ses",    "notre",  "nos",     "votre",    "vos",       "leur",  "leurs",
    "et",    "mais",  "ou",     "où",     "donc",    "or",       "ni",        "car",   "si",
    "quand", "comme", "dans",   "en",     "sur",     "à",        "au",        "aux",   "pour",
    "par",   "avec",  "sans",   "après",  "avant",   "puis",     "alors",     "oui",   "non",
    "que",   "qui",   "quoi",   "quel",   "quelle",  "pourquoi", "comment",   "cela",  "ça",
    "tout",  "tous",  "toutes", "depuis", "pendant", "lorsque",  "cependant", "ainsi", "voici",
    "voilà", "d",     "s"};

constexpr std::string_view kAfterTimeOfDay[] = {
    "EST",    "EDT",     "ET",        "CST",      "CDT",    "CT",       "MST",   "MDT", "PST",
    "PDT",    "PT",      "GMT",       "UTC",      "BST",    "CET",      "CEST",  "IST", "JST",
    "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"};

bool Contains(Words list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

// Folds ASCII and the Latin-1 capitals that French uses; what else there is matches no entry
// anyway.
std::string Fold(std::string_view word) {
  std::string folded(word);
  for (size_t i = 0; i < folded.size(); ++i) {
    const auto byte = static_cast<unsigned char>(folded[i]);
    if (byte >= 'A' && byte <= 'Z') folded[i] = static_cast<char>(byte + 32);
    if (byte == 0xC3 && i + 1 < folded.size()) {
      const auto next = static_cast<unsigned char>(folded[i + 1]);
      if (next >= 0x80 && next <= 0x9E && next != 0x97)
        folded[i + 1] = static_cast<char>(next + 0x20);
      ++i;
    }
  }
  return folded;
}

enum class Lists { kEnglish, kFrench, kAll };

Lists ListsOf(std::string_view language) {
  const std::string primary = Fold(language.substr(0, language.find_first_of("-_")));
  if (primary == "en") return Lists::kEnglish;
  if (primary == "fr") return Lists::kFrench;
  return Lists::kAll;
}

}  // namespace

AbbreviationKind FindAbbreviation(std::string_view word, std::string_view language) {
  const Lists lists = ListsOf(language);
  const bool english = lists != Lists::kFrench;
  const bool french = lists != Lists::kEnglish;
  const std::string folded = Fold(word);
  const auto in = [&](Words english_list, Words french_list) {
    return (english && (Contains(english_list, folded) || Contains(english_list, word))) ||
           (french && (Contains(french_list, folded) || Contains(french_list, word)));
  };
  if (in(kEnglishBeforeName, kFrenchBeforeName)) return AbbreviationKind::kBeforeName;
  if (in(kEnglishBeforeNumber, kFrenchBeforeNumber)) return AbbreviationKind::kBeforeNumber;
  if (in(kEnglishMayEnd, kFrenchMayEnd)) return AbbreviationKind::kMayEnd;
  return AbbreviationKind::kNone;
}

bool IsSentenceStarter(std::string_view word, std::string_view language) {
  const Lists lists = ListsOf(language);
  const std::string folded = Fold(word);
  return (lists != Lists::kFrench && Contains(kEnglishStarters, folded)) ||
         (lists != Lists::kEnglish && Contains(kFrenchStarters, folded));
}

bool FollowsTimeOfDay(std::string_view word) { return Contains(kAfterTimeOfDay, word); }

}  // namespace attend
