// A group of one request.
#include "engine/tasks/pass_call.h"

#include <vector>

namespace attend {

void RunPass(const CallEnvironment& environment, ForcedReading* reading, GroupPatience patience,
             CallUsage* usage, std::function<void(absl::Status)> then) {
  RequestGroup group;
  group.patience = patience;
  group.requests.push_back(reading->MakeRequest(environment.model));
  group.on_finished = [usage, then = std::move(then)](
                          const absl::Status& status,
                          const std::vector<GenerationResult>& results) {
    AddUsage(results, /*forced=*/true, usage);
    then(status.ok() ? results[0].status : status);
  };
  RunGroup(environment, std::move(group));
}

}  // namespace attend
