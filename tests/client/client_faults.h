// attend against a server that misbehaves on purpose.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/client/faulty_server.h"
#include "tests/client/program_run.h"

namespace attend::client {

class ClientFaults : public ::testing::Test {
 protected:
  ProgramRun Run(std::vector<std::string> arguments, const std::string& input = "") {
    arguments.insert(arguments.end(), {"--address", server_.address()});
    return RunAttend(arguments, {input, {}});
  }

  void StartCapitals() {
    server_.translate = [](grpc::ServerContext*, const auto& request, auto* response) {
      return FaultyServer::Capitals(request, response);
    };
    server_.Start();
  }

  FaultyServer server_;
};

inline bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace attend::client
