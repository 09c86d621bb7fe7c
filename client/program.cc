// attend <command> [flags]. Commands are listed once, here; each parses into flags of its own file.
#include "client/program.h"

#include <signal.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "client/client_options.h"
#include "client/exit_code.h"
#include "client/help_format.h"
#include "client/interrupt.h"
#include "client/session.h"
#include "client/text_width.h"

namespace attend::client {
namespace {

constexpr const char* kExamples =
    "Examples:\n"
    "  attend translate \"The cat sat on the mat.\"\n"
    "  attend translate --input book.en --output book.fr\n"
    "  attend summarize --highlight article.txt\n"
    "  attend attention \"The cat sat.\" \"Le chat s'est assis.\"\n"
    "  attend query \"The cat sat because it was tired.\" --word it\n"
    "  attend align \"The cat sat.\" \"Le chat s'est assis.\"\n"
    "  attend models\n"
    "\n"
    "Exit status: 0 fine, 1 the server refused or some items failed, 2 wrong usage,\n"
    "3 no server reached, 130 interrupted. Help on a command: attend help COMMAND";

int FailUnknownCommand(const std::string& name) {
  std::fprintf(stderr, "attend: no command is called %s; attend help lists them\n",
               Printable(name).c_str());
  return kExitUsage;
}

int Help(const CLI::App& root, const std::string& topic) {
  if (topic.empty()) {
    // root.help() would describe the command at hand, which is "help".
    std::fputs(
        root.get_formatter()->make_help(&root, root.get_name(), CLI::AppFormatMode::Normal).c_str(),
        stdout);
    return kExitOk;
  }
  for (const CLI::App* command : root.get_subcommands([](const CLI::App*) { return true; })) {
    if (command->get_name() == topic) {
      std::fputs(command->help("attend").c_str(), stdout);
      return kExitOk;
    }
  }
  return FailUnknownCommand(topic);
}

}  // namespace

int RunProgram(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);  // a reader that leaves is seen as EPIPE
  CLI::App root{"Translates and summarises text with an Attend server and shows what it reads.",
                "attend"};
  root.formatter(std::make_shared<HelpFormat>());
  root.set_version_flag("--version", "attend " ATTEND_VERSION, "Print the version");
  root.set_help_flag("-h,--help", "Print this help");
  root.require_subcommand(0, 1);
  root.footer(kExamples);
  root.failure_message([](const CLI::App*, const CLI::Error& error) {
    return "attend: " + std::string(error.what()) + "\nattend help shows what there is.\n";
  });

  ClientOptions options = DefaultClientOptions();
  AddClientOptions(&root, &options, ModelFlag::kShown);
  const std::vector<Command> commands = {
      AddTranslateCommand(&root, &options),      AddSummarizeCommand(&root, &options),
      AddAttentionCommand(&root, &options),      AddQueryCommand(&root, &options),
      AddAlignCommand(&root, &options),          AddModelsCommand(&root, &options),
      AddTokenizeCommand(&root, &options),       AddProbeCommand(&root, &options),
      AddBuildShortlistCommand(&root, &options), AddCalibrateCommand(&root, &options)};
  std::string topic;
  CLI::App* help = root.add_subcommand("help", "Explain a command");
  help->add_option("COMMAND", topic, "Which command")->type_name("");

  try {
    root.parse(argc, argv);
  } catch (const CLI::ExtrasError& error) {
    const std::vector<std::string> extras = root.remaining();
    if (root.get_subcommands().empty() && !extras.empty() && extras.front().rfind('-', 0) != 0) {
      return FailUnknownCommand(extras.front());
    }
    root.exit(error);
    return kExitUsage;
  } catch (const CLI::ParseError& error) {
    return root.exit(error) == 0 ? kExitOk : kExitUsage;
  }
  if (*help) return Help(root, topic);
  for (const Command& command : commands) {
    if (!*command.app) continue;
    Interrupt interrupt;
    Session session(options, &interrupt);
    const int exit_code = session.Finish(command.run(session));
    return interrupt.raised() ? kExitInterrupted : exit_code;
  }
  std::fputs(root.help().c_str(), stderr);
  return kExitUsage;
}

}  // namespace attend::client
