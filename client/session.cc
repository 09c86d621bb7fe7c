// Everything a user reads about a failure is written here, so that all commands fail in the same
// words.
#include "client/session.h"

#include <unistd.h>

#include <cstdio>

#include "attend/v1/model.grpc.pb.h"
#include "client/exit_code.h"
#include "client/text_width.h"

namespace attend::client {

Session::Session(const ClientOptions& options, Interrupt* interrupt)
    : options_(options),
      interrupt_(interrupt),
      terminal_(DescribeTerminal(STDOUT_FILENO, options.color)),
      error_terminal_(DescribeTerminal(STDERR_FILENO, options.color)),
      out_(STDOUT_FILENO),
      connection_(options, interrupt) {}

void Session::Tell(const std::string& message) const {
  std::fprintf(stderr, "attend: %s\n", message.c_str());
}

int Session::FailUsage(const std::string& message) const {
  Tell(message);
  return kExitUsage;
}

int Session::Fail(const CallFailure& failure) const {
  switch (failure.kind) {
    case CallFailure::Kind::kInterrupted:
      return kExitInterrupted;
    case CallFailure::Kind::kUnreachable: {
      const std::string address = Printable(options_.address);
      std::fprintf(stderr,
                   "attend: cannot reach a server at %s: %s\n"
                   "  Is attend-server running and listening there? Name another address with\n"
                   "  --address or ATTEND_ADDRESS; check a server with:\n"
                   "  attend probe --address %s\n",
                   address.c_str(), Printable(failure.error.message).c_str(), address.c_str());
      return kExitUnreachable;
    }
    case CallFailure::Kind::kRefused:
      break;
  }
  std::fprintf(stderr, "attend: %s", FormatError(failure.error, error_terminal_).c_str());
  return kExitFailed;
}

int Session::Finish(int exit_code) {
  out_.Flush();
  if (out_.error().empty()) return exit_code;
  Tell("cannot write the output: " + out_.error());
  return kExitFailed;
}

std::variant<std::string, int> Session::ResolveModel() {
  if (!options_.model.empty()) return ModelResourceName(options_.model);
  const auto stub = attend::v1::ModelService::NewStub(connection_.channel());
  attend::v1::ListModelsResponse response;
  const CallResult result = connection_.CallUnary([&](grpc::ClientContext* context) {
    return stub->ListModels(context, attend::v1::ListModelsRequest(), &response);
  });
  if (result.has_value()) return Fail(*result);
  if (response.models_size() == 1) return response.models(0).name();
  if (response.models_size() == 0) {
    Tell("the server has no model");
    return static_cast<int>(kExitFailed);
  }
  std::string names;
  for (const auto& model : response.models()) names += (names.empty() ? "" : ", ") + model.name();
  return FailUsage("several models are served; choose one with --model: " + Printable(names));
}

}  // namespace attend::client
