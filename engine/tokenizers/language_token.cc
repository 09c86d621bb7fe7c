// Which script a language is commonly written in is asked of ICU ("likely subtags").
#include "engine/tokenizers/language_token.h"

#include <unicode/uloc.h>

#include <algorithm>
#include <string>

#include "engine/tokenizers/language_code.h"

namespace attend {
namespace {

bool AllIn(std::string_view text, char first, char last) {
  return std::all_of(text.begin(), text.end(), [=](char c) { return c >= first && c <= last; });
}

bool IsScript(std::string_view tag) {
  return tag.size() == 4 && tag[0] >= 'A' && tag[0] <= 'Z' && AllIn(tag.substr(1), 'a', 'z');
}

bool IsLikelyScript(const std::string& language, const std::string& script) {
  char full[ULOC_FULLNAME_CAPACITY];
  char likely[ULOC_SCRIPT_CAPACITY];
  UErrorCode error = U_ZERO_ERROR;
  uloc_addLikelySubtags(language.c_str(), full, sizeof(full), &error);
  uloc_getScript(full, likely, sizeof(likely), &error);
  // Of languages that ICU does not know, the Latin script needs no mention.
  const std::string found = U_SUCCESS(error) && likely[0] != '\0' ? likely : "Latn";
  return found == script;
}

}  // namespace

bool IsLanguageToken(std::string_view token) {
  const size_t separator = token.find('_');
  if (separator != 2 && separator != 3) return false;
  if (!AllIn(token.substr(0, separator), 'a', 'z')) return false;
  const std::string_view tag = token.substr(separator + 1);
  return IsScript(tag) || (tag.size() == 2 && AllIn(tag, 'A', 'Z'));
}

std::string LanguageTokenCode(std::string_view token) {
  const size_t separator = token.find('_');
  const std::string language(ShortestLanguageCode(token.substr(0, separator)));
  if (separator == std::string_view::npos) return language;
  const std::string script(token.substr(separator + 1));
  if (!IsScript(script)) return language;
  if (language != "zh" && IsLikelyScript(language, script)) return language;
  return language + "-" + script;
}

}  // namespace attend
