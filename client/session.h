// One run of the program: options, output, connection, and how failures are told.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <variant>

#include "client/client_options.h"
#include "client/connection.h"
#include "client/interrupt.h"
#include "client/output.h"
#include "client/terminal.h"

namespace attend::client {

class Session {
 public:
  Session(const ClientOptions& options, Interrupt* interrupt);

  Connection& connection() { return connection_; }
  Interrupt& interrupt() { return *interrupt_; }
  Output& out() { return out_; }
  const ClientOptions& options() const { return options_; }
  const Terminal& terminal() const { return terminal_; }              // standard output
  const Terminal& error_terminal() const { return error_terminal_; }  // standard error

  // Writes "attend: …" on standard error.
  void Tell(const std::string& message) const;

  // Tells of a failed call and returns the exit code it stands for. Says nothing when interrupted.
  int Fail(const CallFailure& failure) const;
  int FailUsage(const std::string& message) const;

  // Flushes the output; `exit_code`, or kExitFailed with a message when writing failed. A reader
  // that left is no failure.
  int Finish(int exit_code);

  // The model named by the user, or the only one served. An int is the exit code of a failure
  // already told.
  std::variant<std::string, int> ResolveModel();

 private:
  const ClientOptions& options_;
  Interrupt* interrupt_;
  Terminal terminal_, error_terminal_;
  Output out_;
  Connection connection_;
};

// A command: its flags live in `app`, `run` does the work after parsing and returns the exit code.
struct Command {
  CLI::App* app = nullptr;
  std::function<int(Session&)> run;
};

Command AddTranslateCommand(CLI::App* root, ClientOptions* options);
Command AddSummarizeCommand(CLI::App* root, ClientOptions* options);
Command AddAttentionCommand(CLI::App* root, ClientOptions* options);
Command AddQueryCommand(CLI::App* root, ClientOptions* options);
Command AddAlignCommand(CLI::App* root, ClientOptions* options);
Command AddModelsCommand(CLI::App* root, ClientOptions* options);
Command AddTokenizeCommand(CLI::App* root, ClientOptions* options);
Command AddBuildShortlistCommand(CLI::App* root, ClientOptions* options);
Command AddCalibrateCommand(CLI::App* root, ClientOptions* options);
Command AddProbeCommand(CLI::App* root, ClientOptions* options);

}  // namespace attend::client
