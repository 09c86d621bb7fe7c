// fork and exec with pipes or a pseudo-terminal; both streams are read at once, so neither can fill
// up and block.
#include "tests/client/program_run.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace attend::client {
namespace {

constexpr int kPatienceMs = 60000;

[[noreturn]] void ExecAttend(const std::vector<std::string>& arguments,
                             const RunSettings& settings) {
  for (const char* name :
       {"NO_COLOR", "COLUMNS", "ATTEND_ADDRESS", "ATTEND_DEFAULT_MODEL", "LC_ALL", "COLORTERM"})
    unsetenv(name);
  setenv("LANG", "C.UTF-8", 1);
  for (const auto& [name, value] : settings.environment) setenv(name.c_str(), value.c_str(), 1);
  std::vector<char*> argv;
  std::string program = ATTEND_BINARY_DIR "/bin/attend";
  argv.push_back(program.data());
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  for (const int fd : settings.closed_descriptors) close(fd);
  execv(program.c_str(), argv.data());
  _exit(127);
}

int ExitCodeOf(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void WriteAll(int fd, const std::string& text) {
  std::size_t written = 0;
  while (written < text.size()) {
    const ssize_t count = write(fd, text.data() + written, text.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return;  // the program may leave before it read everything
    written += static_cast<std::size_t>(count);
  }
}

// False at the end of the stream.
bool ReadSome(int fd, std::string* text) {
  char chunk[4096];
  const ssize_t count = read(fd, chunk, sizeof chunk);
  if (count < 0 && errno == EINTR) return true;
  if (count <= 0) return false;
  text->append(chunk, static_cast<std::size_t>(count));
  return true;
}

}  // namespace

RunningProgram::RunningProgram(const std::vector<std::string>& arguments,
                               const RunSettings& settings, bool close_input) {
  signal(SIGPIPE, SIG_IGN);
  int in[2], out[2], err[2];
  EXPECT_EQ(pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC) | pipe2(err, O_CLOEXEC), 0);
  pid_ = fork();
  if (pid_ == 0) {
    dup2(in[0], STDIN_FILENO);
    dup2(out[1], STDOUT_FILENO);
    dup2(err[1], STDERR_FILENO);
    signal(SIGINT, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    ExecAttend(arguments, settings);
  }
  close(in[0]);
  close(out[1]);
  close(err[1]);
  input_ = in[1];
  output_ = out[0];
  errors_ = err[0];
  if (!settings.input.empty()) Write(settings.input);
  if (close_input) CloseInput();
}

RunningProgram::~RunningProgram() {
  CloseInput();
  CloseOutput();
  if (errors_ >= 0) close(errors_);
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
}

void RunningProgram::Write(const std::string& text) { WriteAll(input_, text); }

void RunningProgram::CloseInput() {
  if (input_ >= 0) close(input_);
  input_ = -1;
}

void RunningProgram::CloseOutput() {
  if (output_ >= 0) close(output_);
  output_ = -1;
}

std::string RunningProgram::ReadLine() {
  for (;;) {
    const std::size_t end = buffered_.find('\n');
    if (end != std::string::npos) {
      std::string line = buffered_.substr(0, end + 1);
      buffered_.erase(0, end + 1);
      return line;
    }
    pollfd wait = {output_, POLLIN, 0};
    if (poll(&wait, 1, 10000) <= 0 || !ReadSome(output_, &buffered_))
      return std::exchange(buffered_, "");
  }
}

ProgramRun RunningProgram::Finish() {
  ProgramRun run;
  run.out = std::exchange(buffered_, "");
  while (output_ >= 0 || errors_ >= 0) {
    pollfd wait[2] = {{output_, POLLIN, 0}, {errors_, POLLIN, 0}};
    if (poll(wait, 2, kPatienceMs) <= 0) {
      ADD_FAILURE() << "attend said nothing for a minute";
      kill(pid_, SIGKILL);
      break;
    }
    if (wait[0].revents != 0 && !ReadSome(output_, &run.out)) CloseOutput();
    if (wait[1].revents != 0 && !ReadSome(errors_, &run.err)) {
      close(errors_);
      errors_ = -1;
    }
  }
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  run.exit_code = ExitCodeOf(status);
  return run;
}

ProgramRun RunAttend(const std::vector<std::string>& arguments, const RunSettings& settings) {
  // Input beyond what a pipe holds would block before anybody reads the output: small inputs only.
  EXPECT_LE(settings.input.size(), 60000u);
  return RunningProgram(arguments, settings).Finish();
}

ProgramRun RunAttendOnTerminal(const std::vector<std::string>& arguments,
                               const RunSettings& settings) {
  winsize size = {};
  size.ws_col = 80;
  size.ws_row = 24;
  int terminal = -1;
  const pid_t pid = forkpty(&terminal, nullptr, nullptr, &size);
  if (pid == 0) {
    RunSettings with_term = settings;
    with_term.environment.emplace("TERM", "xterm-256color");
    ExecAttend(arguments, with_term);
  }
  ProgramRun run;
  while (ReadSome(terminal, &run.out)) {
  }
  close(terminal);
  int status = 0;
  waitpid(pid, &status, 0);
  run.exit_code = ExitCodeOf(status);
  return run;
}

}  // namespace attend::client
