// `attend query` and `attend calibrate` against a real server with the bundled model.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/client/program_run.h"
#include "tests/client/server_process.h"
#include "tests/testing/temporary_folder.h"

namespace attend::client {
namespace {

using Json = nlohmann::ordered_json;
using ::testing::HasSubstr;

constexpr const char* kQuestion =
    "She finally answered the question after thinking about it for a long time.";

// Four sentences, each said of several things; pronouns and antecedents as spans.
std::string Examples() {
  std::string text = "sentence\tpronoun\tantecedent\tnouns\n";
  const auto span = [](const std::string& sentence, const std::string& part) {
    const std::size_t at = sentence.find(part);
    return std::to_string(at) + ":" + std::to_string(at + part.size());
  };
  for (const auto& [thing, place] : std::vector<std::pair<std::string, std::string>>{
           {"cup", "table"}, {"book", "shelf"}, {"lamp", "desk"}, {"shirt", "chair"}}) {
    const std::string sentences[] = {
        "The " + thing + " stood near the " + place + " until it fell.",
        "Anna cleaned the " + thing + " on the " + place + " because it was dirty.",
        "When the " + thing + " came, it was not for the " + place + "."};
    for (const std::string& s : sentences) {
      const std::size_t it = s.find(" it ") + 1;
      text += s + "\t" + std::to_string(it) + ":" + std::to_string(it + 2) + "\t" + span(s, thing) +
              "\t" + span(s, thing) + "," + span(s, place) + "\n";
    }
  }
  return text;
}

class QueryCommand : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = std::make_unique<ServerProcess>(); }
  static void TearDownTestSuite() { server_.reset(); }
  void SetUp() override { ASSERT_NE(server_->address(), "") << "attend-server did not start"; }

  static ProgramRun Run(const std::vector<std::string>& arguments) {
    return RunAttend(arguments, {"", {{"ATTEND_ADDRESS", server_->address()}}});
  }
  static Json RunForJson(const std::vector<std::string>& arguments) {
    const ProgramRun run = Run(arguments);
    EXPECT_EQ(run.exit_code, 0) << run.err;
    return Json::parse(run.out, nullptr, /*allow_exceptions=*/false);
  }

  static std::unique_ptr<ServerProcess> server_;
};

std::unique_ptr<ServerProcess> QueryCommand::server_;

// The preset was fitted without this sentence.
TEST_F(QueryCommand, ItRefersToTheQuestion) {
  const Json json = RunForJson({"query", kQuestion, "--word", "it", "--json"});
  ASSERT_FALSE(json["answers"].empty());
  EXPECT_EQ(json["answers"][0]["text"], "question");
  EXPECT_EQ(json["preset"]["name"], "coreference");
  EXPECT_THAT(json["model_revision"].get<std::string>(), HasSubstr("models/"));
  EXPECT_GT(json["preset"]["figure"]["examples"].get<int>(), 100);
  double sum = 0;
  for (const Json& answer : json["answers"]) sum += answer["weight"].get<double>();
  EXPECT_GT(sum, 0.5);
  EXPECT_LT(sum, 1.00001);
}

TEST_F(QueryCommand, ShowsARankedListWithItsSource) {
  const ProgramRun run = Run({"query", kQuestion, "--word", "it", "--top", "2"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(std::count(run.out.begin(), run.out.end(), '\n'), 4);
  EXPECT_THAT(run.out, HasSubstr("about [it] for"));
  EXPECT_THAT(run.out, HasSubstr("question  "));
  EXPECT_THAT(run.out, HasSubstr("█"));
  EXPECT_THAT(run.out, HasSubstr("preset coreference: accuracy 0."));
  EXPECT_THAT(run.out, HasSubstr("held-out examples"));
}

TEST_F(QueryCommand, SpanOccurrenceCandidatesAndHeads) {
  const std::string text = "It said it was late.";
  const Json second = RunForJson({"query", text, "--word", "it", "--json"});
  EXPECT_EQ(second["query"], Json::array({8, 10}));
  EXPECT_EQ(RunForJson({"query", text, "--span", "8:10", "--json"})["answers"], second["answers"]);
  const Json twice = RunForJson(
      {"query", "the cat and the dog saw the sea", "--word", "the", "--occurrence", "3", "--json"});
  EXPECT_EQ(twice["query"], Json::array({24, 27}));
  const Json some =
      RunForJson({"query", kQuestion, "--word", "it", "--candidates", "time,question", "--json"});
  EXPECT_EQ(some["answers"].size(), 2u);
  const Json heads =
      RunForJson({"query", kQuestion, "--word", "it", "--heads", "3:1,0:2", "--direction", "both",
                  "--include-function-words", "--top", "50", "--json"});
  EXPECT_EQ(heads["preset"]["heads"], Json::array({{3, 1}, {0, 2}}));
  EXPECT_EQ(heads["answers"].size(), 13u);  // every other word, and the full stop
}

TEST_F(QueryCommand, SaysWhatIsWrong) {
  const auto fails = [](const std::vector<std::string>& arguments, int exit_code,
                        const std::string& mention) {
    const ProgramRun run = Run(arguments);
    EXPECT_EQ(run.exit_code, exit_code) << run.out;
    EXPECT_THAT(run.err, HasSubstr(mention));
  };
  fails({"query", "It sat."}, 2, "--word or --span");
  fails({"query", "It sat.", "--word", "it"}, 2, "is not in the text");
  fails({"query", "It sat.", "--word", "It", "--occurrence", "2"}, 2, "2 times");
  fails({"query", "It sat.", "--span", "x"}, 2, "two numbers");
  fails({"query", "It sat.", "--span", "0:70"}, 1, "SPAN_INVALID");
  fails({"query", "It sat.", "--word", "It", "--heads", "60:0"}, 1, "HEAD_OUT_OF_RANGE");
  fails({"query", "It sat.", "--word", "It", "--preset", "none"}, 1, "PRESET_NOT_FOUND");
  fails({"query", "It sat.", "--word", "It", "--direction", "to"}, 2, "heads");
}

TEST_F(QueryCommand, CalibratesCoreferenceTheSameWayEachTime) {
  const TemporaryFolder folder;
  const std::string examples = folder.Write("examples.tsv", Examples());
  const std::string output =
      folder.Write("presets.json", R"({"mine": {"kind": "cross", "heads": [[0, 0]]}})");
  const std::vector<std::string> arguments = {
      "calibrate", "--task",      "coreference", "--examples", examples, "--held-out",
      "0.25",      "--max-heads", "6",           "--output",   output};
  const ProgramRun first = Run(arguments);
  EXPECT_EQ(first.exit_code, 0) << first.err;
  EXPECT_THAT(first.out, HasSubstr("9 examples to choose by, 3 held out"));
  for (const char* row : {"weighted heads", "cross-validated", "best single head",
                          "mean of all heads", "nearest noun"}) {
    EXPECT_THAT(first.out, HasSubstr(row));
  }
  std::ifstream in(output);
  const Json written = Json::parse(in, nullptr, /*allow_exceptions=*/false);
  ASSERT_TRUE(written.contains("mine"));
  const Json& preset = written["coreference"];
  EXPECT_EQ(preset["kind"], "encoder_self");
  EXPECT_EQ(preset["figure"]["metric"], "accuracy");
  EXPECT_EQ(preset["figure"]["examples"], 3);
  EXPECT_GE(preset["terms"].size(), 1u);
  EXPECT_LE(preset["terms"].size(), 6u);
  EXPECT_EQ(Run(arguments).out, first.out);
  std::ifstream again(output);
  EXPECT_EQ(Json::parse(again, nullptr, /*allow_exceptions=*/false), written);
}

TEST_F(QueryCommand, CalibratesAlignment) {
  const TemporaryFolder folder;
  const std::string examples =
      folder.Write("links.tsv",
                   "The cat sleeps .\tLe chat dort .\t0-0 1-1 2-2 3-3\n"
                   "I like the red car .\tJ' aime la voiture rouge .\t0-0 1-1 2-2 4-3 3-4 5-5\n"
                   "She reads a book .\tElle lit un livre .\t0-0 1-1 2-2 3-3 4-4\n"
                   "The little girl has a white cat .\tLa petite fille a un chat blanc .\t"
                   "0-0 1-1 2-2 3-3 4-4 6-5 5-6 7-7\n"
                   "My brother bought a new house .\tMon frère a acheté une nouvelle maison .\t"
                   "0-0 1-1 2p2 2-3 3-4 4-5 5-6 6-7\n");
  const ProgramRun run =
      Run({"calibrate", "--task", "alignment", "--examples", examples, "--held-out", "0.2"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  // Head 1:0 was trained to align.
  EXPECT_THAT(run.out, HasSubstr("4 examples to choose by, 1 held out"));
  EXPECT_THAT(run.out, HasSubstr("chosen heads (1:0"));
  EXPECT_THAT(run.out, HasSubstr("alignment_error_rate"));
}

TEST_F(QueryCommand, CalibrateSaysWhatIsWrong) {
  const TemporaryFolder folder;
  const auto run = [&](const std::string& text, const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"calibrate", "--task", "coreference", "--examples",
                                          folder.Write("examples.tsv", text)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Run(arguments);
  };
  EXPECT_EQ(run("").exit_code, 2);
  EXPECT_THAT(run("sentence\tpronoun\tantecedent\nIt sat.\t0:9\t3:6\n").err, HasSubstr("line 2"));
  const ProgramRun all_held = run(Examples(), {"--held-out", "1"});
  EXPECT_EQ(all_held.exit_code, 1);
  EXPECT_THAT(all_held.err, HasSubstr("nothing to choose"));
  const ProgramRun none_held = run(Examples(), {"--held-out", "0", "--max-heads", "1"});
  EXPECT_EQ(none_held.exit_code, 0) << none_held.err;
  EXPECT_THAT(none_held.out, ::testing::Not(HasSubstr("figure")));
  const ProgramRun lost = run(Examples() + "She saw that it sat.\t13:15\t0:3\t0:3\n");
  EXPECT_EQ(lost.exit_code, 0) << lost.err;
  EXPECT_THAT(lost.err, HasSubstr("1 examples have an antecedent that is no content word"));
  EXPECT_EQ(run(Examples(), {"--model", "none"}).exit_code, 1);
  EXPECT_EQ(run(Examples(), {"--kind", "decoder"}).exit_code, 1);
}

}  // namespace
}  // namespace attend::client
