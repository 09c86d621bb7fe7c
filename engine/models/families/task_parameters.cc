// Each task is a small config of its own.
#include "engine/models/families/task_parameters.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace attend {
namespace {

constexpr char kTasks[] = "task_specific_params";
constexpr int64_t kMaxLength = 1 << 20;

std::optional<int64_t> OptionalInt(ConfigReader* task, const char* key, int64_t lowest) {
  if (!task->Has(key)) return std::nullopt;
  return task->Int(key, lowest, kMaxLength);
}

TaskParameters ParseTask(const std::string& name, ConfigReader* task) {
  TaskParameters parameters;
  parameters.task = name;
  if (task->Has("prefix")) parameters.prefix = task->Word("prefix");
  parameters.max_length = OptionalInt(task, "max_length", 2);
  parameters.min_length = OptionalInt(task, "min_length", 0);
  parameters.num_beams = OptionalInt(task, "num_beams", 1);
  parameters.no_repeat_ngram_size = OptionalInt(task, "no_repeat_ngram_size", 0);
  if (task->Has("length_penalty"))
    parameters.length_penalty = task->NumberOr("length_penalty", 1.0, -1e6, 1e6);
  if (task->Has("early_stopping"))
    parameters.early_stopping = task->BoolOr("early_stopping", false);
  return parameters;
}

}  // namespace

std::vector<TaskParameters> ParseTaskParameters(ConfigReader* config) {
  std::vector<TaskParameters> all;
  if (!config->Has(kTasks)) return all;
  const Json tasks = config->Value(kTasks);
  if (!tasks.IsObject()) {
    config->Fault(kTasks, "an object", tasks.TypeName());
    return all;
  }
  std::vector<std::string> names = tasks.Keys();
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    if (!tasks.Has(name)) continue;  // null
    const Json task = tasks.Get(name).value();
    const std::string key = absl::StrCat(kTasks, ".", Excerpt(name));
    if (!task.IsObject()) {
      config->Fault(key, "an object", task.TypeName());
      continue;
    }
    ConfigReader reader(task);
    all.push_back(ParseTask(name, &reader));
    config->AddFaults(key, reader);
  }
  return all;
}

}  // namespace attend
