// attention_presets.json as a file to be changed: one preset goes in, the others stay.
#pragma once

#include <string>

#include "client/json_output.h"

namespace attend::client {

// Puts the preset into the file, which is made when it is not there and replaced as a whole. Not
// empty: why not.
std::string WritePreset(const std::string& path, const std::string& name, const Json& preset);

// Indented text with a line end; lists of numbers stay on one line.
std::string FormatPresets(const Json& presets);

}  // namespace attend::client
