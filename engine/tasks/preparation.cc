#include "engine/tasks/preparation.h"

#include <utility>

namespace attend {
namespace {

constexpr size_t kMaxInlineBytes = 32 << 10;

void PostSteps(WorkQueue* queue, std::function<bool()> step) {
  queue->Post([queue, step = std::move(step)]() mutable {
    if (step()) PostSteps(queue, std::move(step));
  });
}

}  // namespace

void PrepareInSteps(const CallEnvironment& environment, size_t num_bytes,
                    std::function<bool()> step) {
  if (num_bytes > kMaxInlineBytes) {
    PostSteps(environment.preparers, std::move(step));
    return;
  }
  while (step()) {
  }
}

}  // namespace attend
