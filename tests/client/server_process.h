// A real attend-server over the bundled model, for the time of a test program.
#pragma once

#include <sys/types.h>

#include <string>

#include "tests/testing/temporary_folder.h"

namespace attend::client {

class ServerProcess {
 public:
  // model_options: what follows the model's folder, for example ",shortlist=FILE".
  explicit ServerProcess(const std::string& model_options = "");
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  // Empty when the server did not come up.
  const std::string& address() const { return address_; }

 private:
  pid_t pid_ = -1;
  const TemporaryFolder folder_;
  std::string address_;
};

}  // namespace attend::client
