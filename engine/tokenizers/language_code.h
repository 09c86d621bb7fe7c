// What checkpoints call languages → BCP-47.
#pragma once

#include <string>
#include <string_view>

namespace attend {

// "en", "eng", "pt_BR", "fra" → "en", "en", "pt-BR", "fr". Groups of languages ("ROMANCE", "gem",
// "mul") and what is no code at all → "".
std::string ToLanguageCode(std::string_view name);

}  // namespace attend
