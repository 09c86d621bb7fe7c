// Written beside the file and given its name at the end, because a server may be reading it.
#include "client/calibration/presets_file.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>

#include "client/output.h"

namespace attend::client {
namespace {

bool IsFlat(const Json& value) {
  for (const auto& element : value) {
    if (element.is_structured()) return false;
  }
  return true;
}

// Objects of flat lists and numbers, as terms are, and flat lists: on one line.
bool FitsOneLine(const Json& value) {
  if (!value.is_structured() || IsFlat(value)) return true;
  if (!value.is_object()) return false;
  for (const auto& element : value) {
    if (!element.is_array() && element.is_structured()) return false;
    if (!IsFlat(element)) return false;
  }
  return value.contains("head");
}

void Append(const Json& value, const std::string& indent, std::string* out) {
  if (FitsOneLine(value)) {
    std::string line = value.dump(-1, ' ', false, Json::error_handler_t::replace);
    if (!value.is_structured()) {
      *out += line;
      return;
    }
    // Spaces after colons and commas outside of strings.
    bool in_string = false, is_escaped = false;
    for (const char c : line) {
      *out += c;
      if (is_escaped) {
        is_escaped = false;
      } else if (in_string && c == '\\') {
        is_escaped = true;
      } else if (c == '"') {
        in_string = !in_string;
      } else if (!in_string && (c == ',' || c == ':')) {
        *out += ' ';
      }
    }
    return;
  }
  const bool is_object = value.is_object();
  *out += is_object ? "{" : "[";
  bool is_first = true;
  for (auto it = value.begin(); it != value.end(); ++it) {
    *out += is_first ? "\n" : ",\n";
    is_first = false;
    *out += indent + "  ";
    if (is_object) *out += Json(it.key()).dump() + ": ";
    Append(*it, indent + "  ", out);
  }
  *out += "\n" + indent + (is_object ? "}" : "]");
}

}  // namespace

std::string FormatPresets(const Json& presets) {
  std::string out;
  Append(presets, "", &out);
  return out + "\n";
}

std::string WritePreset(const std::string& path, const std::string& name, const Json& preset) {
  Json presets = Json::object();
  if (std::ifstream in(path); in) {
    const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    presets = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!presets.is_object()) return "it is there and is no JSON object";
  }
  presets[name] = preset;
  const std::string unfinished = path + ".unfinished";
  Output output = Output::OpenFile(unfinished);
  output.Write(FormatPresets(presets));
  output.Flush();
  if (!output.is_open()) return output.error();
  if (std::rename(unfinished.c_str(), path.c_str()) != 0) {
    const std::string why = std::strerror(errno);
    std::remove(unfinished.c_str());
    return why;
  }
  return "";
}

}  // namespace attend::client
