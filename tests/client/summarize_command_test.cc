// attend summarize: the real program against the real server with the bundled model, which knows
// nothing of summaries, and a tiny one that writes them. What is asserted follows from the text and
// from other answers of the same server.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "tests/client/program_run.h"
#include "tests/client/server_process.h"
#include "tests/testing/temporary_folder.h"

namespace attend::client {
namespace {

using Json = nlohmann::json;

constexpr const char* kText =
    "A Heading\n\nThe cat sat on the mat. Dr. Smith saw it at 5 p.m. EST. It was happy!\n\n"
    "- The old bridge is closed.\n- Nobody knows why.\n";

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

class SummarizeCommand : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    server_ = std::make_unique<ServerProcess>(std::string(",bart=") + ATTEND_SOURCE_DIR
                                              "/tests/golden/bart_tiny/model");
  }
  static void TearDownTestSuite() { server_.reset(); }
  void SetUp() override { ASSERT_NE(server_->address(), "") << "attend-server did not start"; }

  static RunSettings Settings(const std::string& input) {
    return {input, {{"ATTEND_ADDRESS", server_->address()}, {"LC_ALL", "C.UTF-8"}}, {}};
  }
  static ProgramRun Run(std::vector<std::string> arguments, const std::string& input = "") {
    arguments.insert(arguments.begin(), "summarize");
    return RunAttend(arguments, Settings(input));
  }
  static Json RunForJson(std::vector<std::string> arguments, const std::string& input = "") {
    arguments.push_back("--json");
    const ProgramRun run = Run(arguments, input);
    EXPECT_EQ(run.exit_code, 0) << run.err;
    return Json::parse(run.out, nullptr, /*allow_exceptions=*/false);
  }

  static std::unique_ptr<ServerProcess> server_;
  const TemporaryFolder folder_;
};

std::unique_ptr<ServerProcess> SummarizeCommand::server_;

TEST_F(SummarizeCommand, FilesStandardInputAndTextGiveTheSame) {
  const ProgramRun plain = Run({"-n", "2"}, kText);
  ASSERT_EQ(plain.exit_code, 0) << plain.err;
  EXPECT_GT(plain.out.size(), 10u);
  EXPECT_EQ(Run({"-n", "2", "-"}, kText).out, plain.out);
  EXPECT_EQ(Run({"-n", "2", folder_.Write("a.txt", kText)}).out, plain.out);
  EXPECT_EQ(Run({"-n", "2", "--text", kText}).out, plain.out);
  const Json json = RunForJson({"-n", "2"}, kText);
  EXPECT_EQ(json["text"].get<std::string>() + "\n", plain.out);
  EXPECT_EQ(json["source"], kText);
  ASSERT_EQ(json["sentences"].size(), 6u);
  EXPECT_EQ(std::count_if(json["sentences"].begin(), json["sentences"].end(),
                          [](const Json& sentence) { return sentence["selected"].get<bool>(); }),
            2);
}

TEST_F(SummarizeCommand, LengthsAreKept) {
  const auto num_kept = [](const Json& json) {
    return std::count_if(json["sentences"].begin(), json["sentences"].end(),
                         [](const Json& sentence) { return sentence["selected"].get<bool>(); });
  };
  EXPECT_EQ(num_kept(RunForJson({"--ratio", "1"}, kText)), 6);
  EXPECT_EQ(num_kept(RunForJson({"--sentences", "1"}, kText)), 1);
  const Json short_one = RunForJson({"--characters", "40"}, kText);
  int num_characters = 0;
  for (const Json& sentence : short_one["sentences"]) {
    if (sentence["selected"].get<bool>())
      num_characters += sentence["span"][1].get<int>() - sentence["span"][0].get<int>();
  }
  EXPECT_GE(num_kept(short_one), 1);
  EXPECT_LE(num_characters, 40);
  EXPECT_EQ(RunForJson({"--kind", "news"}, kText)["text_kind"], "news");
}

TEST_F(SummarizeCommand, ScoresListEverySentenceBestFirst) {
  const ProgramRun run = Run({"--scores", "-n", "2"}, kText);
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const std::vector<std::string> lines = Lines(run.out);
  ASSERT_EQ(lines.size(), 7u);
  EXPECT_TRUE(Contains(lines[0], "RANK") && Contains(lines[0], "SENTENCE")) << lines[0];
  for (int rank = 1; rank <= 6; ++rank)
    EXPECT_EQ(std::stoi(lines[static_cast<std::size_t>(rank)]), rank) << run.out;
  EXPECT_EQ(std::count(run.out.begin(), run.out.end(), '*'), 2);
}

TEST_F(SummarizeCommand, HighlightsKeepTheText) {
  const ProgramRun run = Run({"--highlight", "-n", "2"}, kText);
  ASSERT_EQ(run.exit_code, 0) << run.err;
  std::string without_marks = run.out;
  int num_marks = 0;
  for (const char* mark : {"\u00AB", "\u00BB"}) {
    for (std::size_t at; (at = without_marks.find(mark)) != std::string::npos; ++num_marks)
      without_marks.erase(at, 2);
  }
  EXPECT_EQ(num_marks, 4) << run.out;
  EXPECT_EQ(without_marks, kText);

  const ProgramRun terminal =
      RunAttendOnTerminal({"summarize", "--highlight", "-n", "2", "--text", kText}, Settings(""));
  EXPECT_EQ(terminal.exit_code, 0);
  EXPECT_TRUE(Contains(terminal.out, "\x1b[1m")) << terminal.out;
  EXPECT_FALSE(Contains(terminal.out, "\u00AB")) << terminal.out;
}

TEST_F(SummarizeCommand, ExplainsWhatEachSentenceReads) {
  const ProgramRun run = Run({"--explain", "-n", "1"}, kText);
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_TRUE(Contains(run.out, "   rank 1, score ")) << run.out;
  EXPECT_TRUE(Contains(run.out, "   read by ")) << run.out;
  EXPECT_TRUE(Contains(run.out, "   reads ")) << run.out;
  const Json json = RunForJson({"--explain"}, kText);
  EXPECT_EQ(json["sentence_attention"]["rows"], 6);
}

TEST_F(SummarizeCommand, APageForTheBrowserHoldsTheText) {
  const std::string path = folder_.Path("page.html");
  const ProgramRun run = Run({"--html", path}, kText);
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.out, "");
  EXPECT_TRUE(Contains(run.err, "wrote ")) << run.err;
  std::stringstream page;
  page << std::ifstream(path).rdbuf();
  EXPECT_TRUE(Contains(page.str(), "The old bridge is closed."));
  EXPECT_EQ(Run({"--html", folder_.Path("no/such/folder.html")}, kText).exit_code, 1);
}

TEST_F(SummarizeCommand, EachLineIsATextAndKeepsItsPlace) {
  const std::string input =
      "The cat sat. It left.\n\n"
      "caf\xE9\nYes.\n";
  const ProgramRun run = Run({"--lines", "-n", "1"}, input);
  EXPECT_EQ(run.exit_code, 1);
  const std::vector<std::string> lines = Lines(run.out);
  ASSERT_EQ(lines.size(), 4u) << run.out;
  EXPECT_TRUE(lines[0] == "The cat sat." || lines[0] == "It left.") << lines[0];
  EXPECT_EQ(lines[1], "");
  EXPECT_EQ(lines[2], "");
  EXPECT_EQ(lines[3], "Yes.");
  EXPECT_TRUE(Contains(run.err, "line 3: ")) << run.err;
}

TEST_F(SummarizeCommand, AWrittenSummaryNamesWhatItLeanedOn) {
  const std::vector<std::string> flags = {"--mode", "abstractive",         "--model",
                                          "bart",   "--max-output-tokens", "12"};
  const auto with = [&flags](const std::string& flag) {
    std::vector<std::string> all = flags;
    all.push_back(flag);
    return all;
  };
  const ProgramRun plain = Run(flags, kText);
  ASSERT_EQ(plain.exit_code, 0) << plain.err;
  EXPECT_EQ(Run(with("--stream"), kText).out, plain.out);
  const Json json = RunForJson(flags, kText);
  EXPECT_EQ(json["text"].get<std::string>() + "\n", plain.out);
  EXPECT_GT(json["supports"].size(), 0u);
  EXPECT_TRUE(json.contains("finish_reason"));
  EXPECT_TRUE(Contains(Run(with("--explain"), kText).out, "   leans on "));
  EXPECT_EQ(Run(with("--scores"), kText).exit_code, 2);
}

TEST_F(SummarizeCommand, FlagsOfTheOtherModeAreRefusedByName) {
  const ProgramRun run = Run({"--beam-size", "3"}, kText);
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_TRUE(Contains(run.err, "OPTION_NOT_APPLICABLE") && Contains(run.err, "config.decoding"))
      << run.err;
  EXPECT_EQ(Run({"--mode", "abstractive", "-m", "en-fr"}, kText).exit_code, 1);
}

TEST_F(SummarizeCommand, WrongUsageIsTold) {
  EXPECT_EQ(Run({"--sentences", "2", "--ratio", "0.5"}, kText).exit_code, 2);
  EXPECT_EQ(Run({"--ratio", "1.5"}, kText).exit_code, 2);
  EXPECT_EQ(Run({"--json", "--scores"}, kText).exit_code, 2);
  EXPECT_EQ(Run({"--lines", "--html", "x.html"}, kText).exit_code, 2);
  EXPECT_EQ(Run({"--kind", "poem"}, kText).exit_code, 2);
  const ProgramRun text_as_file = Run({"The cat sat."});
  EXPECT_EQ(text_as_file.exit_code, 2);
  EXPECT_TRUE(Contains(text_as_file.err, "--text")) << text_as_file.err;
  const ProgramRun invalid = Run({}, "caf\xE9");
  EXPECT_EQ(invalid.exit_code, 2);
  EXPECT_TRUE(Contains(invalid.err, "UTF-8")) << invalid.err;
  EXPECT_EQ(Run({folder_.Path("missing.txt")}).exit_code, 2);
}

}  // namespace
}  // namespace attend::client
