// Wrong usage, help, and servers that are not there.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

#include "tests/client/client_faults.h"
#include "tests/testing/temporary_folder.h"

namespace attend::client {
namespace {

TEST(ClientArguments, WrongUsageIsExitCode2AndSaysWhat) {
  const auto expect_usage_error = [](const std::vector<std::string>& arguments,
                                     const std::string& part) {
    const ProgramRun run = RunAttend(arguments);
    EXPECT_EQ(run.exit_code, 2) << run.err;
    EXPECT_TRUE(Contains(run.err, part)) << run.err;
    EXPECT_EQ(run.out, "");
  };
  expect_usage_error({}, "Usage: attend");
  expect_usage_error({"translat", "x"}, "no command is called translat");
  expect_usage_error({"translate", "--no-such-flag", "x"}, "--no-such-flag");
  expect_usage_error({"translate", "--beam-size", "-1", "x"}, "--beam-size");
  expect_usage_error({"translate", "--beam-size", "many", "x"}, "--beam-size");
  expect_usage_error({"translate", "--early-stopping", "soon", "x"}, "--early-stopping");
  for (const char* seconds : {"0", "-1", "nan", "inf", "1e999"}) {
    expect_usage_error({"translate", "--timeout", seconds, "x"}, "--timeout");
    if (seconds[0] != '0') {
      expect_usage_error({"models", "--connect-timeout", seconds}, "--connect-timeout");
      expect_usage_error({"probe", "--wait", seconds}, "--wait");
    }
  }
  expect_usage_error({"translate", "--seed", "-1", "x"}, "--seed");
  expect_usage_error({"translate", "--seed", "18446744073709551616", "x"}, "--seed");
  expect_usage_error({"translate", "--temperature", "nan", "x"}, "--temperature");
  expect_usage_error({"translate", "--n-best", "2", "--stream", "x"}, "--n-best");
  expect_usage_error({"translate", "--n-best", "2", "--align", "x"}, "--n-best");
  expect_usage_error({"attention", "x", "--min-weight", "nan"}, "--min-weight");
  expect_usage_error({"attention", "x", "--top-k", "-1"}, "--top-k");
  expect_usage_error({"align", "x", "y", "--min-score", "inf"}, "--min-score");
  expect_usage_error({"translate", "--color", "blue", "x"}, "--color");
  expect_usage_error({"translate", "--json", "--align", "x"}, "--align");
  expect_usage_error({"translate", "--input", "/no/such/file"}, "cannot open /no/such/file");
  expect_usage_error({"translate", "--input", "x.txt", "text"}, "not both");
  expect_usage_error({"translate", "bad\xFF"}, "not valid UTF-8");
  expect_usage_error({"attention"}, "SOURCE");
  expect_usage_error({"attention", "x", "--heads", "1"}, "LAYER:HEAD");
  expect_usage_error({"attention", "x", "--heads", "99999999999:1"}, "LAYER:HEAD");
  expect_usage_error({"attention", "x", "--kind", "sideways"}, "--kind");
  expect_usage_error({"attention", "x", "--heads", "1:0", "--preset", "alignment"}, "--preset");
  expect_usage_error({"align", "only one"}, "SOURCE and TARGET");
  expect_usage_error({"align", "--source-file", "/dev/null"}, "--target-file");
  expect_usage_error({"tokenize"}, "TEXT");
  expect_usage_error({"tokenize", "--ids", "-4"}, "--ids");
  expect_usage_error({"help", "nothing"}, "no command is called nothing");
}

TEST(ClientArguments, HelpAndVersionNeedNoServer) {
  for (const char* command : {"translate", "attention", "align", "models", "tokenize", "probe"}) {
    const ProgramRun help = RunAttend({"help", command});
    EXPECT_EQ(help.exit_code, 0);
    EXPECT_TRUE(Contains(help.out, "Usage: attend " + std::string(command))) << help.out;
    EXPECT_TRUE(Contains(help.out, "Examples:")) << help.out;
    EXPECT_TRUE(Contains(help.out, "--address")) << help.out;
    EXPECT_EQ(RunAttend({command, "--help"}).exit_code, 0);
    EXPECT_TRUE(Contains(RunAttend({"help"}).out, command));
  }
  const ProgramRun version = RunAttend({"--version"});
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_EQ(version.out.rfind("attend ", 0), 0u);
}

TEST(ClientArguments, HelpFitsEightyColumns) {
  for (const char* command :
       {"", "translate", "attention", "align", "models", "tokenize", "probe"}) {
    std::vector<std::string> arguments = {"help"};
    if (*command != '\0') arguments.push_back(command);
    std::istringstream help(RunAttend(arguments).out);
    std::string line, before = "x";
    while (std::getline(help, line)) {
      EXPECT_LE(line.size(), 80u) << command << ": " << line;
      EXPECT_FALSE(line.empty() && before.empty()) << command << ": two empty lines";
      before = line;
    }
  }
  const std::string help = RunAttend({"help", "translate"}).out;
  EXPECT_TRUE(Contains(help, "unix:PATH")) << help;
  EXPECT_TRUE(Contains(help, "ATTEND_DEFAULT_MODEL")) << help;
  EXPECT_TRUE(Contains(help, "(not with --align, --stream)")) << help;
}

TEST(ClientReach, NobodyListeningIsExitCode3AndNamesTheAddress) {
  // Port 1 has no listener on any machine that runs tests.
  const ProgramRun run =
      RunAttend({"translate", "x", "--address", "127.0.0.1:1", "--connect-timeout", "0.3"});
  EXPECT_EQ(run.exit_code, 3);
  EXPECT_TRUE(Contains(run.err, "cannot reach a server at 127.0.0.1:1: Connection refused"))
      << run.err;
  EXPECT_TRUE(Contains(run.err, "ATTEND_ADDRESS")) << run.err;
  const ProgramRun by_environment = RunAttend({"models", "--connect-timeout", "0.3"},
                                              {"", {{"ATTEND_ADDRESS", "unix:/no/such/socket"}}});
  EXPECT_EQ(by_environment.exit_code, 3);
  EXPECT_TRUE(Contains(by_environment.err, "unix:/no/such/socket")) << by_environment.err;
  const ProgramRun lines =
      RunAttend({"translate", "--address", "127.0.0.1:1", "--connect-timeout", "0.3"}, {"a\n", {}});
  EXPECT_EQ(lines.exit_code, 3);
  EXPECT_EQ(lines.out, "");
}

TEST(ClientReach, AWrongAddressEmptiesNoFile) {
  const TemporaryFolder folder;
  const std::string input = folder.Write("in.txt", "hello\n");
  const std::string output = folder.Write("out.txt", "precious");
  EXPECT_EQ(RunAttend({"translate", "-i", input, "-o", output, "-a", "127.0.0.1:1",
                       "--connect-timeout", "0.2"})
                .exit_code,
            3);
  std::stringstream kept;
  kept << std::ifstream(output).rdbuf();
  EXPECT_EQ(kept.str(), "precious");
}

TEST(ClientReach, ProbeSays2WhenNobodyIsThere) {
  const ProgramRun run =
      RunAttend({"probe", "--address", "127.0.0.1:1", "--connect-timeout", "0.2"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_TRUE(Contains(run.err, "cannot reach 127.0.0.1:1")) << run.err;
}

}  // namespace
}  // namespace attend::client
