// The environment fills the defaults before parsing, so flags win wherever they stand on the line.
#include "client/client_options.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <sstream>
#include <utility>

namespace attend::client {
namespace {

constexpr const char* kDefaultPort = "50051";
constexpr const char* kGroup = "Connection and display";

bool StartsWith(const std::string& text, const char* prefix) { return text.rfind(prefix, 0) == 0; }

std::optional<double> ParseNumber(const std::string& text) {
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !std::isfinite(number)) return std::nullopt;
  return number;
}

}  // namespace

CLI::Validator InRange(double least, double most) {
  return CLI::Validator(
      [least, most](std::string& text) -> std::string {
        const std::optional<double> number = ParseNumber(text);
        if (number.has_value() && *number >= least && *number <= most) return "";
        std::ostringstream problem;
        problem.precision(15);
        problem << text << " is not a number from " << least << " to " << most;
        return problem.str();
      },
      "");
}

CLI::Validator Finite() {
  return CLI::Validator(
      [](std::string& text) -> std::string {
        return ParseNumber(text).has_value() ? "" : text + " is not a number";
      },
      "");
}

CLI::Validator OneOf(std::set<std::string> choices) {
  CLI::Validator validator = CLI::IsMember(std::move(choices));
  validator.description("");
  return validator;
}

ClientOptions DefaultClientOptions() {
  ClientOptions options;
  if (const char* address = std::getenv("ATTEND_ADDRESS"); address != nullptr && *address != '\0') {
    options.address = address;
  }
  if (const char* model = std::getenv("ATTEND_DEFAULT_MODEL"); model != nullptr)
    options.model = model;
  return options;
}

void AddClientOptions(CLI::App* app, ClientOptions* options, ModelFlag model_flag) {
  app->add_option("-a,--address", options->address,
                  "Server: HOST:PORT or unix:PATH (env ATTEND_ADDRESS, default 127.0.0.1:50051)")
      ->type_name("ADDRESS")
      ->group(kGroup);
  if (model_flag == ModelFlag::kShown) {
    app->add_option("-m,--model", options->model,
                    "Model, for example en-fr (env ATTEND_DEFAULT_MODEL; may be left out when one "
                    "model serves)")
        ->type_name("NAME")
        ->group(kGroup);
  }
  app->add_option("--timeout", options->timeout_seconds,
                  "Seconds a call may take, retries included (default 60)")
      ->type_name("SECONDS")
      ->check(InRange(0.001, 86400))
      ->group(kGroup);
  app->add_option("--connect-timeout", options->connect_timeout_seconds,
                  "Seconds to wait until a server answers at the address (default 3)")
      ->type_name("SECONDS")
      ->check(InRange(0, 3600))
      ->group(kGroup);
  app->add_option_function<std::string>(
         "--color",
         [options](const std::string& choice) {
           options->color = choice == "always"  ? ColorChoice::kAlways
                            : choice == "never" ? ColorChoice::kNever
                                                : ColorChoice::kAuto;
         },
         "auto, always or never; auto also obeys NO_COLOR and TERM=dumb")
      ->type_name("WHEN")
      ->check(OneOf({"auto", "always", "never"}))
      ->group(kGroup);
  app->add_flag_callback(
         "--no-color", [options] { options->color = ColorChoice::kNever; }, "Same as --color=never")
      ->group(kGroup);
  app->add_flag("-v,--verbose", options->is_verbose,
                "Tell on standard error about retries and cost")
      ->group(kGroup);
}

std::string ModelResourceName(const std::string& model) {
  return model.empty() || StartsWith(model, "models/") ? model : "models/" + model;
}

std::string TargetOf(const std::string& address) {
  if (StartsWith(address, "unix:") || address.find("://") != std::string::npos ||
      StartsWith(address, "dns:") || StartsWith(address, "ipv4:") || StartsWith(address, "ipv6:")) {
    return address;
  }
  const std::size_t colon = address.rfind(':');
  const bool is_bracketed = !address.empty() && address.front() == '[';
  if (is_bracketed) return address.back() == ']' ? address + ":" + kDefaultPort : address;
  const auto num_colons = std::count(address.begin(), address.end(), ':');
  if (num_colons >= 2) return "[" + address + "]:" + kDefaultPort;  // a bare IPv6 address
  return colon == std::string::npos ? address + ":" + kDefaultPort : address;
}

bool IsLocalAddress(const std::string& address) {
  for (const char* prefix :
       {"unix:", "unix-abstract:", "127.", "localhost:", "[::1]", "ipv4:127.", "ipv6:[::1]"}) {
    if (StartsWith(address, prefix)) return true;
  }
  return address == "localhost" || address == "::1";
}

}  // namespace attend::client
