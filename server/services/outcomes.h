// What calls with several texts share, each with its own outcome: what is kept of the request, how
// outcomes join a response while it fits, and what is counted of each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "engine/engine.h"
#include "engine/text/offset_map.h"
#include "server/convert/names.h"
#include "server/convert/status_convert.h"
#include "server/convert/text_context.h"
#include "server/services/rpc_scope.h"

namespace attend::server {

// What is needed of the request when the answer comes.
struct AskedTexts {
  std::vector<std::string> texts;
  OffsetUnit unit = OffsetUnit::kByte;
};

// INVALID_ARGUMENT / TOO_MANY_ITEMS. For before anything is copied: a message of 4 MiB has room for
// a million texts.
absl::Status CheckCount(int texts, int limit);

void RecordTexts(const AskedTexts& asked, CallRecord* record);

// First thing in the engine's callback.
template <typename Output>
void EngineEnded(const absl::StatusOr<Output>& output, RpcScope* scope) {
  scope->EngineEnded();
  if (!output.ok()) return;
  scope->record().model = output->model;
  scope->set_usage(output->usage);
}

template <typename Output>
TextContext ContextOf(const Output& output, const AskedTexts& asked, size_t text) {
  return {asked.texts[text], asked.unit,
          absl::StrCat(ModelResourceName(output.model), "@", output.revision)};
}

// Bytes of a response that is being put together.
class ResponseRoom {
 public:
  ResponseRoom(size_t num_outcomes, int64_t max_bytes);

  // Whether the next outcome fits beside those before it and an error for each of those after it;
  // else INVALID_ARGUMENT / RESPONSE_TOO_LARGE for the item.
  absl::Status Check(size_t outcome_bytes) const;
  // The next outcome joined.
  void Take(size_t outcome_bytes);

 private:
  const size_t num_outcomes_;
  const int64_t max_bytes_;
  size_t num_taken_ = 0;
  int64_t used_;
};

// Outcomes join the response while it fits; an item whose outcome does not gets an error, and the
// others keep theirs. `convert(i, outcome)` writes what became of item i. Returns what each became.
template <typename Output, typename Response, typename Convert>
std::vector<absl::Status> JoinOutcomes(const Output& output, int64_t max_bytes, Convert&& convert,
                                       Response* response) {
  const size_t count = output.outcomes.size();
  ResponseRoom room(count, max_bytes);
  std::vector<absl::Status> statuses;
  for (size_t i = 0; i < count; ++i) {
    auto* outcome = response->add_outcomes();
    absl::Status status = output.outcomes[i].status;
    convert(i, outcome);
    if (status.ok()) {
      status = room.Check(outcome->ByteSizeLong());
      if (!status.ok()) *outcome->mutable_error() = ToRpcStatus(status);
    }
    room.Take(outcome->ByteSizeLong());
    statuses.push_back(std::move(status));
  }
  return statuses;
}

// Counts the items of an answer by what became of each; `outcomes` are those of the output, or what
// replaced them. `count_answered(i)` counts an item that has its answer.
template <typename Output, typename CountAnswered>
void CountOutcomes(const Output& output, const std::vector<absl::Status>& outcomes, RpcScope* scope,
                   CountAnswered&& count_answered) {
  Metrics& metrics = *scope->parts().metrics;
  metrics.Usage(output.model, output.usage);
  for (size_t i = 0; i < outcomes.size(); ++i) {
    if (outcomes[i].ok()) {
      count_answered(i);
      continue;
    }
    const std::string reason = OutcomeOf(outcomes[i]);
    metrics.ItemsFailed(scope->method(), output.model, reason, 1);
    scope->PartFailed(reason);
  }
  scope->ItemsCounted();
}

}  // namespace attend::server
