// The program behind main: parses the command line, runs one command.
#pragma once

namespace attend::client {

// Returns the exit code of exit_code.h, or a probe's own.
int RunProgram(int argc, char** argv);

}  // namespace attend::client
