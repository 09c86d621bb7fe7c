// attend probe: the standard health check, for scripts and container probes. Its exit codes are its
// own.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>

#include "client/exit_code.h"
#include "client/session.h"
#include "client/text_width.h"
#include "grpc/health/v1/health.grpc.pb.h"

namespace attend::client {
namespace {

using Clock = std::chrono::steady_clock;

enum ProbeCode : int { kServing = 0, kNotServing = 1, kNobodyThere = 2 };

constexpr std::chrono::milliseconds kPause(200);  // between two looks

struct ProbeFlags {
  std::string service;
  double wait_seconds = 0;
  bool quiet = false;
};

constexpr const char* kExamples =
    "Examples:\n"
    "  attend probe\n"
    "  attend probe --wait 30 && attend translate \"Hello.\"\n"
    "  attend probe --service attend.v1.TranslationService\n"
    "  attend probe --service models/en-fr\n"
    "\n"
    "Exit status: 0 serving, 1 not serving, 2 not reached or wrong usage,\n130 interrupted.";

struct ProbeResult {
  ProbeCode code = kNobodyThere;
  std::string message;
  bool interrupted = false;
};

ProbeResult Probe(Session& session, const std::string& service) {
  const auto stub = grpc::health::v1::Health::NewStub(session.connection().channel());
  grpc::health::v1::HealthCheckRequest request;
  request.set_service(service);
  grpc::health::v1::HealthCheckResponse response;
  const CallResult result = session.connection().CallUnary(
      [&](grpc::ClientContext* context) { return stub->Check(context, request, &response); });
  if (!result.has_value()) {
    using Response = grpc::health::v1::HealthCheckResponse;
    if (response.status() == Response::SERVING) return {kServing, "serving", false};
    if (response.status() == Response::SERVICE_UNKNOWN)
      return {kNotServing, "service unknown", false};
    return {kNotServing, "not serving", false};
  }
  switch (result->kind) {
    case CallFailure::Kind::kInterrupted:
      return {kNobodyThere, "interrupted", true};
    case CallFailure::Kind::kUnreachable:
      return {kNobodyThere,
              "cannot reach " + session.options().address + ": " + result->error.message, false};
    case CallFailure::Kind::kRefused:
      break;
  }
  if (result->error.code == grpc::StatusCode::NOT_FOUND)
    return {kNotServing, "service unknown", false};
  if (result->error.code == grpc::StatusCode::DEADLINE_EXCEEDED)
    return {kNobodyThere, "no answer in time", false};
  return {kNotServing, FormatErrorLine(result->error), false};
}

int Run(Session& session, const ProbeFlags& flags) {
  const auto end =
      Clock::now() + std::chrono::milliseconds(static_cast<int64_t>(flags.wait_seconds * 1000));
  for (;;) {
    const ProbeResult result = Probe(session, flags.service);
    if (result.interrupted) return kExitInterrupted;
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now());
    if (result.code == kServing || left.count() <= 0) {
      if (result.code == kServing) {
        if (!flags.quiet) session.out().Write(result.message + "\n");
      } else if (!flags.quiet) {
        session.Tell(Printable(result.message));
      }
      return result.code;
    }
    // The last look is at the end of the wait, neither earlier nor later.
    if (!session.interrupt().SleepFor(std::min(left, kPause))) return kExitInterrupted;
  }
}

}  // namespace

Command AddProbeCommand(CLI::App* root, ClientOptions* options) {
  auto flags = std::make_shared<ProbeFlags>();
  CLI::App* app = root->add_subcommand("probe", "Check whether the server is serving");
  app->footer(kExamples);
  app->add_option("--service", flags->service,
                  "Service or models/NAME to ask about; the whole server when left out")
      ->type_name("NAME");
  app->add_option("--wait", flags->wait_seconds, "Keep asking for this long until it serves")
      ->type_name("SECONDS")
      ->check(InRange(0, 86400));
  app->add_flag("-q,--quiet", flags->quiet, "Print nothing; the exit status says it");
  AddClientOptions(app, options, ModelFlag::kHidden);
  return {app, [flags](Session& session) { return Run(session, *flags); }};
}

}  // namespace attend::client
