// CLI11 neither wraps descriptions nor keeps "Excludes: …" out of the column of flags.
#include "client/help_format.h"

#include <set>
#include <sstream>

namespace attend::client {
namespace {

constexpr std::size_t kWidth = 80;
constexpr std::size_t kColumn = 30;  // where descriptions begin

// Words of `text` from kColumn to kWidth, beside `name` where that leaves room.
std::string InColumns(const std::string& name, const std::string& text) {
  std::string lines = "  " + name;
  std::size_t column = lines.size();
  if (column + 2 > kColumn) {
    lines += "\n";
    column = 0;
  }
  bool is_first = true;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    if (!is_first && column + 1 + word.size() > kWidth) {
      lines += "\n";
      column = 0;
      is_first = true;
    }
    if (is_first) {
      lines.append(kColumn - column, ' ');
      column = kColumn;
    } else {
      lines += " ";
      ++column;
    }
    lines += word;
    column += word.size();
    is_first = false;
  }
  return lines + "\n";
}

// "--words{false},--tokens" → "--words,--tokens": what a flag sets is not what a reader types.
std::string WithoutValues(std::string name) {
  for (std::size_t open; (open = name.find('{')) != std::string::npos;)
    name.erase(open, name.find('}', open) - open + 1);
  return name;
}

template <typename Options>
std::string Names(const Options& options) {
  std::set<std::string> sorted;
  for (const CLI::Option* option : options) sorted.insert(option->get_name());
  std::string names;
  for (const std::string& name : sorted) names += (names.empty() ? "" : ", ") + name;
  return names;
}

}  // namespace

std::string HelpFormat::make_help(const CLI::App* app, std::string name,
                                  CLI::AppFormatMode mode) const {
  std::string help = CLI::Formatter::make_help(app, name, mode);
  // The groups of flags come with two empty lines between them.
  for (std::size_t at; (at = help.find("\n\n\n")) != std::string::npos;) help.erase(at, 1);
  return help;
}

std::string HelpFormat::make_option(const CLI::Option* option, bool is_positional) const {
  std::string name = WithoutValues(option->get_name(is_positional, !is_positional));
  if (!is_positional && option->get_type_size() != 0) name += " " + option->get_type_name();
  if (is_positional && option->get_expected_max() > 1) name += " ...";
  std::string text = option->get_description();
  if (option->get_required()) text += " (required)";
  if (!option->get_excludes().empty()) text += " (not with " + Names(option->get_excludes()) + ")";
  if (!option->get_needs().empty()) text += " (needs " + Names(option->get_needs()) + ")";
  return InColumns(name, text);
}

std::string HelpFormat::make_subcommand(const CLI::App* command) const {
  return InColumns(command->get_name(), command->get_description());
}

}  // namespace attend::client
