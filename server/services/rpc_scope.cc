// A call that dies of its deadline is left to the engine, which sees the deadline itself and so can
// tell it from a client that went away.
#include "server/services/rpc_scope.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "engine/base/error.h"
#include "server/convert/status_convert.h"
#include "server/logging.h"
#include "server/services/messages.h"  // RunGuarded

namespace attend::server {
namespace {

int64_t MonotonicNanos() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

std::string MetadataValue(const grpc::CallbackServerContext& context, const char* key) {
  const auto it = context.client_metadata().find(key);
  return it == context.client_metadata().end() ? ""
                                               : std::string(it->second.data(), it->second.size());
}

std::string Milliseconds(absl::Duration duration) {
  return absl::StrCat(absl::ToInt64Milliseconds(duration));
}

}  // namespace

std::string ChooseRequestId(const std::string& from_caller) {
  bool usable = !from_caller.empty() && from_caller.size() <= 128;
  for (const char c : from_caller) usable = usable && c > ' ' && c < 0x7f;
  if (usable) return from_caller;
  thread_local std::mt19937_64 random(std::random_device{}());
  return absl::StrCat(absl::Hex(random(), absl::kZeroPad16));
}

RpcScope::RpcScope(RpcMethod method, grpc::CallbackServerContext* context,
                   const ServiceParts& parts)
    : method_(method),
      context_(context),
      parts_(parts),
      start_(absl::Now()),
      start_ns_(MonotonicNanos()) {
  request_id_ = ChooseRequestId(MetadataValue(*context, "x-request-id"));
  const std::chrono::system_clock::time_point deadline = context->deadline();
  call_.deadline = deadline == std::chrono::system_clock::time_point::max()
                       ? start_ + parts.rpc->default_deadline
                       : absl::FromChrono(deadline);
  call_.cancelled = std::make_shared<std::atomic<bool>>(false);
  call_.caller = std::hash<std::string>()(context->peer());
  call_.report = std::make_shared<CallReport>();
  context->AddInitialMetadata("x-request-id", request_id_);
  parts_.metrics->CallStarted(method_);
  parts_.gate->Enter();
}

RpcScope::~RpcScope() { parts_.gate->Leave(); }

absl::Duration RpcScope::elapsed() const { return absl::Nanoseconds(MonotonicNanos() - start_ns_); }

void RpcScope::Cancel() {
  // gRPC rounds a timeout up on the wire (by at most a hundredth), so the client's own clock
  // cancels a little before the deadline that we see.
  const absl::Duration rounding =
      absl::Milliseconds(10) + std::min((call_.deadline - start_) / 100, absl::Milliseconds(100));
  if (absl::Now() + rounding < call_.deadline) call_.cancelled->store(true);
  parts_.engine->Wake();
}

void RpcScope::EngineEnded() {
  if (!call_.report->model.empty()) record_.model = call_.report->model;
  usage_ = call_.report->usage;
}

void RpcScope::PartFailed(const std::string& reason) {
  if (refused_reason_.empty() && Metrics::IsRefusal(reason)) refused_reason_ = reason;
}

void RpcScope::AddTrailers(const absl::Status& status) {
  const absl::Duration compute = usage_.encode + usage_.decode + usage_.attention;
  context_->AddTrailingMetadata("x-request-id", request_id_);
  context_->AddTrailingMetadata("attend-queue-ms", Milliseconds(usage_.queue));
  context_->AddTrailingMetadata("attend-compute-ms", Milliseconds(compute));
  if (status.code() != absl::StatusCode::kResourceExhausted) return;
  const auto detail = GetErrorDetail(status);
  if (detail && detail->retry_after) {
    context_->AddTrailingMetadata("grpc-retry-pushback-ms", Milliseconds(*detail->retry_after));
  }
}

void RpcScope::Count(const absl::Status& status) {
  Metrics& metrics = *parts_.metrics;
  const std::string outcome = OutcomeOf(status);
  for (const std::string& kind : record_.attention_kinds)
    metrics.AttentionAsked(record_.model, kind);
  if (status.ok()) {
    metrics.CallRefused(record_.model, refused_reason_);
    return;
  }
  metrics.CallRefused(record_.model, outcome);
  if (!items_counted_) metrics.ItemsFailed(method_, record_.model, outcome, record_.items);
}

// The call has been answered for the caller's purposes once this is entered, so nothing in here may
// keep the status from the client: neither a full memory nor a log that cannot be written.
grpc::Status RpcScope::Finish(const absl::Status& status) {
  const absl::Duration duration = elapsed();
  parts_.metrics->CallHandled(method_, static_cast<int>(status.code()), duration);
  grpc::Status answer(static_cast<grpc::StatusCode>(status.code()), std::string());
  const absl::Status finished = RunGuarded([&]() -> absl::Status {
    Count(status);
    WriteLog(status, duration);
    AddTrailers(status);
    answer = ToGrpcStatus(HideFolders(status, *parts_.hidden_folders), request_id_);
    return absl::OkStatus();
  });
  if (!finished.ok()) Log(LogLevel::kError, "a call could not be recorded");
  return answer;
}

void RpcScope::WriteLog(const absl::Status& status, absl::Duration duration) const {
  const RpcMethodRow& row = Describe(method_);
  LogFields fields = {{"method", absl::StrCat(row.service, "/", row.name)},
                      {"code", absl::StatusCodeToString(status.code())},
                      {"duration_ms", absl::StrCat(absl::ToDoubleMilliseconds(duration))},
                      {"request_id", request_id_},
                      {"peer", context_->peer()}};
  if (!record_.model.empty()) fields.emplace_back("model", record_.model);
  if (record_.items > 0) fields.emplace_back("items", absl::StrCat(record_.items));
  if (record_.input_bytes > 0)
    fields.emplace_back("input_bytes", absl::StrCat(record_.input_bytes));
  if (record_.output_bytes > 0)
    fields.emplace_back("output_bytes", absl::StrCat(record_.output_bytes));
  if (usage_.input_tokens > 0) {
    fields.emplace_back("input_tokens", absl::StrCat(usage_.input_tokens));
    fields.emplace_back("output_tokens", absl::StrCat(usage_.output_tokens));
    fields.emplace_back("queue_ms", absl::StrCat(absl::ToDoubleMilliseconds(usage_.queue)));
  }
  LogLevel level = LogLevel::kInfo;
  if (!status.ok()) {
    fields.emplace_back("reason", ReasonOf(status));
    if (status.code() == absl::StatusCode::kInternal) {
      level = LogLevel::kError;
      fields.emplace_back("detail", std::string(status.message()));
    }
  }
  Log(level, "call", fields);
}

}  // namespace attend::server
