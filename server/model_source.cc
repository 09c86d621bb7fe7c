// Commas separate models, and options within a model, and are legal in the names of folders. What
// is there on the disk decides; where nothing is, the look of the words does.
#include "server/model_source.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <set>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "engine/base/status_macros.h"

namespace attend::server {
namespace {

namespace fs = std::filesystem;

constexpr const char* kOptionKeys[] = {"compute-type", "shortlist"};

absl::Status ModelError(std::string_view message) {
  return absl::InvalidArgumentError(absl::StrCat("--model: ", std::string(message)));
}

// The words of one model on the command line.
struct RawModel {
  std::string name;  // empty: that of the folder
  std::string folder;
  std::vector<std::pair<std::string, std::string>> options;
};

struct KeyValue {
  std::string key, value;  // key empty: there is no '=', or what stands before it cannot be a key
};

KeyValue SplitAtEquals(const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos || !IsModelName(text.substr(0, equals))) return {"", text};
  return {text.substr(0, equals), text.substr(equals + 1)};
}

bool IsFolder(const std::string& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

bool IsOptionKey(const std::string& key) {
  return std::find(std::begin(kOptionKeys), std::end(kOptionKeys), key) != std::end(kOptionKeys);
}

// Insertions, deletions and replacements that make one word of the other.
size_t EditDistance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

absl::Status UnknownOption(const KeyValue& option) {
  std::string likeliest = kOptionKeys[0];
  for (const char* key : kOptionKeys) {
    if (EditDistance(option.key, key) < EditDistance(option.key, likeliest)) likeliest = key;
  }
  const bool is_near = EditDistance(option.key, likeliest) <= likeliest.size() / 3;
  const std::string hint = is_near ? absl::StrCat("did you mean ", likeliest, "?")
                                   : absl::StrCat("there is ", absl::StrJoin(kOptionKeys, ", "));
  return ModelError(
      absl::StrCat("'", option.key, "=", option.value, "' is no option of a model: ", hint,
                   " (a further model needs a folder that is there or has a / in it)"));
}

// How many of `parts` from `begin` on belong to the name of a folder that is there and begins with
// `folder`: the most that do, before an option.
size_t PartsOfFolder(const std::string& folder, const std::vector<std::string>& parts,
                     size_t begin) {
  size_t count = 0;
  std::string longer = folder;
  for (size_t i = begin; i < parts.size() && !IsOptionKey(SplitAtEquals(parts[i]).key); ++i) {
    absl::StrAppend(&longer, ",", parts[i]);
    if (IsFolder(longer)) count = i - begin + 1;
  }
  return count;
}

absl::StatusOr<std::vector<RawModel>> SplitModels(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, ',');
  std::vector<RawModel> models;
  for (size_t i = 0; i < parts.size(); ++i) {
    const std::string& part = parts[i];
    if (part.empty()) continue;
    const KeyValue words = SplitAtEquals(part);
    const bool is_folder =
        IsFolder(words.value) || (!words.key.empty() && absl::StrContains(words.value, '/'));
    if (!models.empty() && IsOptionKey(words.key)) {
      models.back().options.emplace_back(words.key, words.value);
    } else if (models.empty() || is_folder) {
      models.push_back({words.key, words.value, {}});
      std::string* folder = &models.back().folder;
      for (size_t left = PartsOfFolder(*folder, parts, i + 1); left > 0; --left)
        absl::StrAppend(folder, ",", parts[++i]);
    } else if (!words.key.empty()) {
      return UnknownOption(words);
    } else if (models.back().options.empty()) {
      absl::StrAppend(&models.back().folder, ",", part);
    } else {
      return ModelError(absl::StrCat("'", part, "' is neither KEY=VALUE nor a folder here"));
    }
  }
  return models;
}

absl::StatusOr<ShortlistChoice> ParseShortlist(const std::string& text) {
  using Use = ShortlistChoice::Use;
  if (text == "off") return ShortlistChoice{Use::kOff, ""};
  if (text == "auto") return ShortlistChoice{Use::kAuto, ""};
  if (!text.empty()) return ShortlistChoice{Use::kFile, text};
  return ModelError("'shortlist=' names no file; auto and off are possible, too");
}

absl::Status ApplyOptions(const RawModel& raw, ModelSource* source) {
  std::set<std::string> seen;
  for (const auto& [key, value] : raw.options) {
    if (!seen.insert(key).second)
      return ModelError(absl::StrCat("'", key, "' is given twice for '", source->name, "'"));
    if (key == "shortlist") {
      ATTEND_ASSIGN_OR_RETURN(source->choices.shortlist, ParseShortlist(value));
      source->has_own_shortlist = true;
    } else {
      ATTEND_ASSIGN_OR_RETURN(source->choices.compute_type, ParseComputeTypeFlag("model", value));
      source->has_own_compute_type = true;
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<ModelSource> MakeSource(const RawModel& raw) {
  ModelSource source;
  source.name = raw.name;
  source.directory = raw.folder;
  std::error_code error;
  if (raw.folder.empty()) return ModelError(absl::StrCat("'", raw.name, "=' names no folder"));
  if (raw.name.empty()) {
    if (raw.folder.find('=') == std::string::npos && !IsFolder(raw.folder))
      return ModelError(
          absl::StrCat("'", raw.folder, "' is neither NAME=FOLDER nor a folder here"));
    fs::path path = fs::weakly_canonical(raw.folder, error);
    if (error) path = raw.folder;
    source.name = path.filename().string();
  }
  if (!IsModelName(source.name)) {
    return ModelError(absl::StrCat(
        "'", source.name,
        "' cannot name a model (letters, digits, '.', '_' and '-'); give it a name: --model NAME=",
        raw.folder));
  }
  const fs::path absolute = fs::absolute(raw.folder, error);
  if (!error) source.directory = absolute.lexically_normal().string();
  ATTEND_RETURN_IF_ERROR(ApplyOptions(raw, &source));
  return source;
}

}  // namespace

absl::StatusOr<std::vector<ModelSource>> ParseModelFlag(const std::string& text) {
  ATTEND_ASSIGN_OR_RETURN(const std::vector<RawModel> models, SplitModels(text));
  std::vector<ModelSource> sources;
  for (const RawModel& raw : models) {
    ATTEND_ASSIGN_OR_RETURN(ModelSource source, MakeSource(raw));
    sources.push_back(std::move(source));
  }
  return sources;
}

absl::StatusOr<std::vector<ModelSource>> ScanModelsFolder(const std::string& folder) {
  std::error_code error;
  std::vector<ModelSource> found;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    std::error_code ignored;
    if (IsModelName(name) && fs::exists(it->path() / "config.json", ignored))
      found.push_back({name, fs::absolute(it->path(), ignored).lexically_normal().string()});
  }
  if (error) {
    return absl::InvalidArgumentError(
        absl::StrCat("--models-dir: cannot read '", folder, "': ", error.message()));
  }
  std::sort(found.begin(), found.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return found;
}

absl::StatusOr<std::optional<ComputeType>> ParseComputeTypeFlag(const std::string& flag,
                                                                const std::string& text) {
  if (text == "auto") return std::optional<ComputeType>();
  const std::optional<ComputeType> type = ParseComputeType(text);
  if (type.has_value()) return type;
  return absl::InvalidArgumentError(
      absl::StrCat("--", flag, ": compute-type '", text, "' is none of auto, float32 and int8"));
}

bool IsModelName(const std::string& name) {
  if (name.empty() || name.size() > 63 || !absl::ascii_isalnum(static_cast<unsigned char>(name[0])))
    return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
  });
}

}  // namespace attend::server
