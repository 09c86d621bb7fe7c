// What a task works with: one served model, borrowed, and the call's surroundings.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/models/model_spec.h"
#include "engine/scheduler/engine_group.h"
#include "engine/scheduler/response_sharing.h"
#include "engine/tasks/attention_types.h"
#include "engine/tasks/byte_budget.h"
#include "engine/tasks/call_types.h"
#include "engine/tasks/model_languages.h"
#include "engine/tasks/work_queue.h"
#include "engine/tokenizers/tokenizer.h"

namespace attend {

// Everything is borrowed from what `keep_alive` holds.
struct TaskModel {
  std::string name, revision;
  const ModelSpec* spec = nullptr;
  const Tokenizer* tokenizer = nullptr;
  const GenerationOptions* generation = nullptr;  // the checkpoint's own options
  const std::vector<AttentionPreset>* presets = nullptr;
  ResponseSharing* sharing = nullptr;  // where requests go instead, when it is not null
  EngineGroup* loop = nullptr;
  const ModelLanguages* languages = nullptr;
  int64_t max_input_tokens = 0, max_output_tokens = 0;
  std::shared_ptr<const void> keep_alive;
};

struct CallEnvironment {
  TaskModel model;
  EngineLimits limits;
  CallContext context;
  CancelFlag
      stop;  // never null: what requests watch; set when the caller cancels or the call has failed
  // Of the engine; they outlive every call.
  WorkQueue* workers = nullptr;    // finish calls
  WorkQueue* preparers = nullptr;  // prepare large ones
  WorkQueue* senders = nullptr;    // hand out what streams have so far
  ByteBudget* attention_memory = nullptr;

  // Writes down what the call has cost so far, for whoever reads the report.
  void Report(const CallUsage& usage) const {
    if (context.report != nullptr) context.report->usage = usage;
  }
};

}  // namespace attend
