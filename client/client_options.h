// Flags that every command takes.
#pragma once

#include <CLI/CLI.hpp>
#include <set>
#include <string>

#include "client/terminal.h"

namespace attend::client {

struct ClientOptions {
  std::string address =
      "127.0.0.1:50051";  // host:port, unix:path, or any gRPC target; from ATTEND_ADDRESS when set
  std::string model;      // "en-fr" or "models/en-fr"; empty when the user named none
  double timeout_seconds = 60;  // of each call, retries included
  double connect_timeout_seconds = 3;
  ColorChoice color = ColorChoice::kAuto;
  bool is_verbose = false;
};

// The defaults, with ATTEND_ADDRESS and ATTEND_DEFAULT_MODEL applied.
ClientOptions DefaultClientOptions();

enum class ModelFlag { kShown, kHidden };

// Adds the flags in a group of their own, so that help shows them after the command's own flags.
void AddClientOptions(CLI::App* app, ClientOptions* options, ModelFlag model_flag);

// Checks whose conditions are told when they fail but not repeated in the help text, which says
// them in words. InRange and Finite take no "nan", which compares with nothing, and no "inf".
CLI::Validator InRange(double least, double most);
CLI::Validator Finite();
CLI::Validator OneOf(std::set<std::string> choices);

// "models/en-fr" for either way of writing it; empty stays empty.
std::string ModelResourceName(const std::string& model);

// The address as gRPC takes it: a port is added where there is none.
std::string TargetOf(const std::string& address);

// True when the address can only mean this machine.
bool IsLocalAddress(const std::string& address);

}  // namespace attend::client
