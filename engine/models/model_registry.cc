// An explicit list: registration by static initialisers is silently dropped from static libraries.
#include "engine/models/model_registry.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/base/error.h"
#include "engine/base/status_macros.h"
#include "engine/models/config_reader.h"
#include "engine/models/families/families.h"

namespace attend {
namespace {

const std::vector<const ModelFamily*>& Families() {
  static const auto* const families = new std::vector<const ModelFamily*>{
      &BartFamily(),  &BertFamily(),    &M2M100Family(), &MarianFamily(),
      &MBartFamily(), &PegasusFamily(), &T5Family(),
  };
  return *families;
}

// The class name where the file has one ("T5ForConditionalGeneration"), else the model_type.
std::string ArchitectureOf(const Json& config, const std::string& model_type) {
  if (auto list = config.Get("architectures"); list.ok()) {
    for (const Json& element : list->Elements()) {
      if (auto name = element.AsString(); name.ok()) return *name;
    }
  }
  return model_type;
}

}  // namespace

absl::StatusOr<const ModelFamily*> FindFamily(const Json& config) {
  ConfigReader reader(config);
  const std::string model_type = reader.Word("model_type");
  ATTEND_RETURN_IF_ERROR(reader.status());
  for (const ModelFamily* family : Families()) {
    if (model_type == family->model_type) return family;
  }
  const std::string architecture = Excerpt(ArchitectureOf(config, model_type));
  ErrorDetail detail;
  detail.reason = "ARCHITECTURE_UNKNOWN";
  detail.metadata = {
      {"architecture", architecture}, {"model_type", Excerpt(model_type)}, {"file", "config.json"}};
  return MakeError(
      absl::StatusCode::kUnimplemented,
      absl::StrCat("config.json: models of type '", Excerpt(model_type), "' (", architecture,
                   ") are not supported; supported: ", absl::StrJoin(KnownModelTypes(), ", ")),
      std::move(detail));
}

std::vector<std::string> KnownModelTypes() {
  std::vector<std::string> types;
  for (const ModelFamily* family : Families()) types.push_back(family->model_type);
  std::sort(types.begin(), types.end());
  return types;
}

}  // namespace attend
