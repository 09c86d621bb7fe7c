// Runs the real `attend` program and catches what it says.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

namespace attend::client {

struct ProgramRun {
  int exit_code = -1;  // 128 + signal when one killed it
  std::string out, err;
};

struct RunSettings {
  std::string input;                                    // standard input; closed after it
  std::map<std::string, std::string> environment = {};  // on top of the test's own
  std::vector<int> closed_descriptors = {};  // standard ones that the program does not get
};

// `attend` with these arguments, run to its end. NO_COLOR and COLUMNS of the test's own environment
// are not passed on.
ProgramRun RunAttend(const std::vector<std::string>& arguments, const RunSettings& settings = {});

// The same on a pseudo-terminal of 80 columns; `out` holds everything shown, both streams together.
ProgramRun RunAttendOnTerminal(const std::vector<std::string>& arguments,
                               const RunSettings& settings = {});

// A program that is still running.
class RunningProgram {
 public:
  explicit RunningProgram(const std::vector<std::string>& arguments,
                          const RunSettings& settings = {}, bool close_input = true);
  ~RunningProgram();  // kills it when it still runs
  RunningProgram(const RunningProgram&) = delete;
  RunningProgram& operator=(const RunningProgram&) = delete;

  pid_t pid() const { return pid_; }
  void Write(const std::string& text);
  void CloseInput();
  // Standard output up to a line end; what came so far after ten seconds or at the end.
  std::string ReadLine();
  void CloseOutput();
  // Reads both streams to their end and waits.
  ProgramRun Finish();

 private:
  pid_t pid_ = -1;
  int input_ = -1, output_ = -1, errors_ = -1;
  std::string buffered_;
};

}  // namespace attend::client
