// What checkpoints call languages → BCP-47.
#pragma once

#include <string>
#include <string_view>

namespace attend {

// "en", "eng", "pt_BR", "fra" → "en", "en", "pt-BR", "fr". A script is left out where it is the
// language's usual one: "fra_Latn", "zho_Hans", "kas_Deva" → "fr", "zh-Hans", "ks-Deva"; so is
// "XX", which mBART writes for no region. Groups of languages ("ROMANCE", "gem", "mul") and what is
// no code at all → "".
std::string ToLanguageCode(std::string_view name);

// The two-letter form of a lower-case language code where there is one, which BCP-47 wants, else
// the code itself. The argument's own characters may be what is returned.
std::string_view ShortestLanguageCode(std::string_view language);

}  // namespace attend
