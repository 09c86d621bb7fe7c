// Starts bin/attend-server on ports of its own choosing and waits until the health check says that
// it serves.
#include "tests/client/server_process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>

#include "tests/client/program_run.h"

namespace attend::client {
namespace {

constexpr int kStartSeconds = 60;

// The port of gRPC from "grpc=PORT" in the file that the server writes; empty while it has not.
std::string ReadPort(const std::string& path) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("grpc=", 0) == 0) return line.substr(5);
  }
  return "";
}

}  // namespace

ServerProcess::ServerProcess(const std::string& model_options) {
  const std::string port_path = folder_.Path("ports"), log_path = folder_.Path("log");
  const std::string model = "en-fr=" ATTEND_SOURCE_DIR "/models/en-fr" + model_options;
  pid_ = fork();
  if (pid_ == 0) {
    const int log = open(log_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    execl(ATTEND_BINARY_DIR "/bin/attend-server", "attend-server", "--model", model.c_str(),
          "--listen", "127.0.0.1:0", "--metrics-address", "127.0.0.1:0", "--weight-cache", "off",
          "--port-file", port_path.c_str(), static_cast<char*>(nullptr));
    _exit(127);
  }
  std::string port;
  for (int i = 0; i < kStartSeconds * 20 && port.empty(); ++i) {
    if (waitpid(pid_, nullptr, WNOHANG) == pid_) {
      pid_ = -1;
      ADD_FAILURE() << "attend-server ended: " << std::ifstream(log_path).rdbuf();
      return;
    }
    usleep(50000);
    port = ReadPort(port_path);
  }
  if (port.empty()) return;
  const std::string address = "127.0.0.1:" + port;
  const ProgramRun probe =
      RunAttend({"probe", "--wait", std::to_string(kStartSeconds), "--address", address});
  if (probe.exit_code == 0) {
    address_ = address;
  } else {
    ADD_FAILURE() << "attend probe: " << probe.err;
  }
}

ServerProcess::~ServerProcess() {
  if (pid_ > 0) {
    kill(pid_, SIGTERM);
    int status = 0;
    waitpid(pid_, &status, 0);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0)
        << "attend-server did not end well: " << status;
  }
}

}  // namespace attend::client
