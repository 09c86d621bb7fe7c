// How help looks: flags left, their descriptions right, never wider than 80 columns.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace attend::client {

// Commands made after a root that has it use it too.
class HelpFormat : public CLI::Formatter {
 public:
  std::string make_help(const CLI::App* app, std::string name,
                        CLI::AppFormatMode mode) const override;
  std::string make_option(const CLI::Option* option, bool is_positional) const override;
  std::string make_subcommand(const CLI::App* command) const override;
};

}  // namespace attend::client
