// Two sorted lists, searched by halves. Written by hand from the closed word classes of grammars;
// adverbs of time and degree are in them as far as they are as frequent and as empty.
#include "engine/text/function_words.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>

#include "engine/text/unicode.h"

namespace attend {
namespace {

constexpr std::array<std::string_view, 305> kEnglish = {
    "a",          "about",      "above",      "across",      "after",        "again",
    "against",    "ago",        "all",        "almost",      "along",        "alongside",
    "already",    "also",       "although",   "always",      "am",           "amid",
    "among",      "amongst",    "an",         "and",         "another",      "any",
    "anybody",    "anyone",     "anything",   "are",         "aren't",       "around",
    "as",         "at",         "away",       "back",        "be",           "became",
    "because",    "become",     "becomes",    "been",        "before",       "behind",
    "being",      "below",      "beneath",    "beside",      "besides",      "between",
    "beyond",     "both",       "but",        "by",          "can",          "can't",
    "cannot",     "could",      "couldn't",   "despite",     "did",          "didn't",
    "do",         "does",       "doesn't",    "doing",       "don't",        "done",
    "down",       "due",        "during",     "each",        "eight",        "either",
    "else",       "enough",     "even",       "ever",        "every",        "everybody",
    "everyone",   "everything", "except",     "few",         "five",         "for",
    "four",       "from",       "further",    "furthermore", "had",          "hadn't",
    "has",        "hasn't",     "have",       "haven't",     "having",       "he",
    "he'd",       "he'll",      "he's",       "hence",       "her",          "here",
    "here's",     "hers",       "herself",    "him",         "himself",      "his",
    "how",        "how's",      "however",    "i",           "i'd",          "i'll",
    "i'm",        "i've",       "if",         "in",          "indeed",       "inside",
    "instead",    "into",       "is",         "isn't",       "it",           "it'd",
    "it'll",      "it's",       "its",        "itself",      "just",         "later",
    "least",      "less",       "lest",       "like",        "many",         "may",
    "maybe",      "me",         "might",      "mightn't",    "mine",         "more",
    "moreover",   "most",       "much",       "must",        "mustn't",      "my",
    "myself",     "near",       "neither",    "never",       "nevertheless", "next",
    "nine",       "no",         "nobody",     "none",        "nor",          "not",
    "nothing",    "now",        "nowhere",    "of",          "off",          "often",
    "on",         "once",       "one",        "one's",       "oneself",      "only",
    "onto",       "or",         "other",      "others",      "otherwise",    "ought",
    "our",        "ours",       "ourselves",  "out",         "outside",      "over",
    "own",        "past",       "per",        "perhaps",     "quite",        "rather",
    "same",       "seven",      "several",    "shall",       "shan't",       "she",
    "she'd",      "she'll",     "she's",      "should",      "shouldn't",    "since",
    "six",        "so",         "some",       "somebody",    "someone",      "something",
    "somewhere",  "soon",       "still",      "such",        "ten",          "than",
    "that",       "that's",     "the",        "their",       "theirs",       "them",
    "themselves", "then",       "there",      "there's",     "therefore",    "these",
    "they",       "they'd",     "they'll",    "they're",     "they've",      "this",
    "those",      "though",     "three",      "through",     "throughout",   "thus",
    "till",       "to",         "together",   "too",         "toward",       "towards",
    "two",        "under",      "underneath", "unless",      "unlike",       "until",
    "up",         "upon",       "us",         "very",        "via",          "was",
    "wasn't",     "we",         "we'd",       "we'll",       "we're",        "we've",
    "were",       "weren't",    "what",       "what's",      "whatever",     "when",
    "whenever",   "where",      "where's",    "whereas",     "wherever",     "whether",
    "which",      "whichever",  "while",      "who",         "who'd",        "who'll",
    "who's",      "whoever",    "whom",       "whose",       "why",          "will",
    "with",       "within",     "without",    "won't",       "would",        "wouldn't",
    "yes",        "yet",        "you",        "you'd",       "you'll",       "you're",
    "you've",     "your",       "yours",      "yourself",    "yourselves"};

constexpr std::array<std::string_view, 306> kFrench = {
    "a",          "afin",      "ai",        "aie",        "aient",      "aies",      "ainsi",
    "ait",        "alors",     "après",     "as",         "assez",      "au",        "aucun",
    "aucune",     "auquel",    "aura",      "aurai",      "auraient",   "aurais",    "aurait",
    "auras",      "aurez",     "auriez",    "aurions",    "aurons",     "auront",    "aussi",
    "autant",     "autre",     "autres",    "aux",        "auxquelles", "auxquels",  "avaient",
    "avais",      "avait",     "avant",     "avec",       "avez",       "aviez",     "avions",
    "avoir",      "avons",     "ayant",     "ayez",       "ayons",      "beaucoup",  "bien",
    "bientôt",    "c'",        "car",       "ce",         "ceci",       "cela",      "celle",
    "celles",     "celui",     "cependant", "certain",    "certaine",   "certaines", "certains",
    "ces",        "cet",       "cette",     "ceux",       "chacun",     "chacune",   "chaque",
    "chez",       "ci",        "combien",   "comme",      "comment",    "contre",    "d'",
    "dans",       "de",        "dedans",    "dehors",     "depuis",     "derrière",  "des",
    "desquelles", "desquels",  "dessous",   "dessus",     "deux",       "devant",    "doit",
    "doivent",    "donc",      "dont",      "du",         "duquel",     "durant",    "dès",
    "déjà",       "elle",      "elles",     "en",         "encore",     "ensuite",   "entre",
    "envers",     "es",        "est",       "et",         "eu",         "eurent",    "eus",
    "eut",        "eux",       "fait",      "faut",       "fois",       "furent",    "fus",
    "fut",        "guère",     "hors",      "ici",        "il",         "ils",       "j'",
    "jamais",     "je",        "jusqu'",    "jusque",     "l'",         "la",        "laquelle",
    "le",         "lequel",    "les",       "lesquelles", "lesquels",   "leur",      "leurs",
    "lors",       "lorsqu'",   "lorsque",   "lui",        "là",         "m'",        "ma",
    "mais",       "malgré",    "me",        "mes",        "mien",       "mienne",    "miennes",
    "miens",      "moi",       "moins",     "mon",        "même",       "mêmes",     "n'",
    "ne",         "ni",        "non",       "nos",        "notre",      "nous",      "nôtre",
    "nôtres",     "on",        "ont",       "or",         "ou",         "oui",       "outre",
    "où",         "par",       "parce",     "parfois",    "parmi",      "pas",       "pendant",
    "peu",        "peut",      "peuvent",   "peux",       "plus",       "plusieurs", "plutôt",
    "pour",       "pourquoi",  "pourtant",  "presque",    "près",       "puis",      "puisqu'",
    "puisque",    "qu'",       "quand",     "quant",      "que",        "quel",      "quelle",
    "quelles",    "quelqu'un", "quelque",   "quelques",   "quels",      "qui",       "quiconque",
    "quoi",       "quoiqu'",   "quoique",   "rien",       "s'",         "sa",        "sans",
    "sauf",       "se",        "selon",     "sera",       "serai",      "seraient",  "serais",
    "serait",     "seras",     "serez",     "seriez",     "serions",    "serons",    "seront",
    "ses",        "seul",      "si",        "sien",       "sienne",     "siennes",   "siens",
    "sinon",      "soi",       "soient",    "sois",       "soit",       "sommes",    "son",
    "sont",       "sous",      "souvent",   "soyez",      "soyons",     "suis",      "sur",
    "surtout",    "t'",        "ta",        "tandis",     "tant",       "te",        "tel",
    "telle",      "telles",    "tels",      "tes",        "tien",       "tienne",    "tiennes",
    "tiens",      "toi",       "ton",       "toujours",   "tous",       "tout",      "toute",
    "toutes",     "trop",      "très",      "tu",         "un",         "une",       "va",
    "vais",       "vas",       "vers",      "veut",       "veux",       "voici",     "voilà",
    "vont",       "vos",       "votre",     "vous",       "vu",         "vôtre",     "vôtres",
    "y",          "à",         "ça",        "étaient",    "étais",      "était",     "étant",
    "étiez",      "étions",    "été",       "êtes",       "être"};

template <size_t N>
constexpr bool IsSorted(const std::array<std::string_view, N>& words) {
  for (size_t i = 1; i < N; ++i) {
    if (!(words[i - 1] < words[i])) return false;
  }
  return true;
}
static_assert(IsSorted(kEnglish) && IsSorted(kFrench), "searched by halves");

// Lower case, with one kind of apostrophe.
std::string Folded(std::string_view word) {
  std::string folded = Lowercase(word);
  for (const std::string_view mark : {"\u2019", "\u02BC", "\uFF07"}) {
    for (size_t at = folded.find(mark); at != std::string::npos; at = folded.find(mark, at)) {
      folded.replace(at, mark.size(), "'");
    }
  }
  return folded;
}

template <size_t N>
bool Knows(const std::array<std::string_view, N>& words, std::string_view folded) {
  return std::binary_search(words.begin(), words.end(), folded);
}

}  // namespace

bool IsFunctionWord(std::string_view word, std::string_view language) {
  const std::string primary = Lowercase(language.substr(0, language.find_first_of("-_")));
  if (primary == "en") return Knows(kEnglish, Folded(word));
  if (primary == "fr") return Knows(kFrench, Folded(word));
  return false;
}

std::string_view GuessListLanguage(absl::Span<const std::string_view> words) {
  size_t english = 0, french = 0;
  for (const std::string_view word : words) {
    const std::string folded = Folded(word);
    english += Knows(kEnglish, folded) ? 1 : 0;
    french += Knows(kFrench, folded) ? 1 : 0;
  }
  return french > english ? "fr" : "en";
}

bool IsPunctuation(std::string_view word) {
  for (uint32_t at = 0; at < word.size();) {
    const CodePoint c = CodePointAt(word, at);
    if (IsLetter(c.value) || IsDigit(c.value)) return false;
    at = c.end;
  }
  return true;
}

}  // namespace attend
