// Texts that have broken tokenizers before; for properties that must hold on any text.
#pragma once

#include <string>
#include <vector>

namespace attend {

inline std::vector<std::string> HostileTexts() {
  using namespace std::string_literals;
  return {
      "",
      " ",
      "\n\r\n\t\v\f",
      "null\0byte \0 and\0\0more"s,
      "\xEF\xBB\xBF"
      "BOM first, \xEF\xBB\xBF BOM later",
      "bidi \u202Eright\u202C to \u2067left\u2069 \u200F\u200E.",
      "\u0301 lone \u0301\u0302 combining \u0301",
      "a\u0300\u0301\u0302\u0303\u0304\u0305\u0306\u0307\u0308\u0309\u030A\u030B\u030C\u030D\u030E"
      "\u030F\u0310\u0311\u0312",
      "family \U0001F468\u200D\U0001F469\u200D\U0001F467\u200D\U0001F466 and flags "
      "\U0001F1EB\U0001F1F7\U0001F1E9\U0001F1EA\U0001F1EB",
      "\U0001F44D\U0001F3FD thumbs \u2764\uFE0F heart",
      "\uFB01nancial \uFB02ow \uFB03 \u1E9B\u0323 \uFDFA",
      "\uFF26\uFF55\uFF4C\uFF4C\uFF57\uFF49\uFF44\uFF54\uFF48\u3000\uFF11\uFF12\uFF13\uFF01",
      "cafe\u0301 nai\u0308ve A\u030Angstro\u0308m (NFD)",
      "\u4F60\u597D\uFF0C\u4E16\u754C\u3002\u65E5\u672C\u8A9E\u306E\u30C6\u30AD\u30B9\u30C8\u3002",
      "\u0E2A\u0E27\u0E31\u0E2A\u0E14\u0E35 \u0928\u092E\u0938\u094D\u0924\u0947 "
      "\uD55C\uAD6D\uC5B4",
      "before </s> after<pad><unk> </s>",
      ">>fra<< text >>deu<< more\n>>x<< line <<>> <<",
      "\u2581already\u2581marked\u2581",
      "soft\u00ADhyphen zero\u200Bwidth\u200Dspace \u00A0nbsp\u202Fnarrow",
      "\uFFFD \uFFFE \U0010FFFF \uE000 private",
      std::string(3000, 'a'),
      std::string(2000, '.'),
      std::string(500, ' ') + "x" + std::string(500, ' '),
      "1.2.3.4.5.6 ... ... ?!?! \u2026\u2026 ;;; ,,,",
  };
}

}  // namespace attend
