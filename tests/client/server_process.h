// A real attend-server over the bundled model, for the time of a test program.
#pragma once

#include <sys/types.h>

#include <string>

namespace attend::client {

class ServerProcess {
 public:
  ServerProcess();
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  // Empty when the server did not come up.
  const std::string& address() const { return address_; }

 private:
  pid_t pid_ = -1;
  std::string port_path_;
  std::string address_;
};

}  // namespace attend::client
