// What the program's exit status says.
#pragma once

namespace attend::client {

enum ExitCode : int {
  kExitOk = 0,
  kExitFailed = 1,         // the server refused, or some items failed
  kExitUsage = 2,          // wrong flags, unreadable files
  kExitUnreachable = 3,    // no server answered
  kExitInterrupted = 130,  // Ctrl-C
};

}  // namespace attend::client
