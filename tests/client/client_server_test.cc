// The happy paths: the real program against the real server with the bundled model. Nothing here
// depends on what the model's weights translate; what is asserted follows from the input and from
// other answers of the same server.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/client/program_run.h"
#include "tests/client/server_process.h"
#include "tests/testing/temporary_folder.h"

namespace attend::client {
namespace {

using Json = nlohmann::json;

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

class ClientServer : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = std::make_unique<ServerProcess>(); }
  static void TearDownTestSuite() { server_.reset(); }
  void SetUp() override { ASSERT_NE(server_->address(), "") << "attend-server did not start"; }

  static ProgramRun Run(std::vector<std::string> arguments, RunSettings settings = {}) {
    settings.environment["ATTEND_ADDRESS"] = server_->address();
    return RunAttend(arguments, settings);
  }
  static ProgramRun RunOnTerminal(std::vector<std::string> arguments, RunSettings settings = {}) {
    settings.environment["ATTEND_ADDRESS"] = server_->address();
    return RunAttendOnTerminal(arguments, settings);
  }
  static Json RunForJson(const std::vector<std::string>& arguments) {
    const ProgramRun run = Run(arguments);
    EXPECT_EQ(run.exit_code, 0) << run.err;
    Json json = Json::parse(run.out, nullptr, /*allow_exceptions=*/false);
    EXPECT_FALSE(json.is_discarded()) << run.out;
    return json;
  }

  static std::unique_ptr<ServerProcess> server_;
};

std::unique_ptr<ServerProcess> ClientServer::server_;

TEST_F(ClientServer, ProbeKnowsServerServiceAndModel) {
  const ProgramRun run = Run({"probe", "--wait", "10"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.out, "serving\n");
  EXPECT_EQ(Run({"probe", "--service", "attend.v1.TranslationService"}).exit_code, 0);
  EXPECT_EQ(Run({"probe", "--service", "models/en-fr"}).exit_code, 0);
  EXPECT_EQ(Run({"probe", "--service", "no.such.Service"}).exit_code, 1);
}

TEST_F(ClientServer, ModelsListsAndDescribes) {
  const ProgramRun list = Run({"models"});
  EXPECT_EQ(list.exit_code, 0) << list.err;
  EXPECT_TRUE(Contains(list.out, "en-fr  serving  en to fr")) << list.out;
  const ProgramRun one = Run({"models", "en-fr"});
  EXPECT_TRUE(Contains(one.out, "models/en-fr")) << one.out;
  EXPECT_TRUE(Contains(one.out, "preset        alignment")) << one.out;
  const Json json = RunForJson({"models", "en-fr", "--json"});
  EXPECT_EQ(json["state"], "serving");
  EXPECT_EQ(json["language_pairs"][0], Json::array({"en", "fr"}));
  const ProgramRun missing = Run({"models", "xx-yy"});
  EXPECT_EQ(missing.exit_code, 1);
  EXPECT_TRUE(Contains(missing.err, "NOT_FOUND (MODEL_NOT_FOUND)")) << missing.err;
}

TEST_F(ClientServer, EveryWayToTranslateGivesTheSameText) {
  const std::string source = "The cat sat on the mat. It was happy.";
  const ProgramRun plain = Run({"translate", source});
  ASSERT_EQ(plain.exit_code, 0) << plain.err;
  ASSERT_GT(plain.out.size(), 1u);
  EXPECT_EQ(Run({"translate", "The", "cat", "sat", "on", "the", "mat.", "It", "was", "happy."}).out,
            plain.out);
  EXPECT_EQ(Run({"translate", "--stream", source}).out, plain.out);
  EXPECT_EQ(Run({"translate"}, {source + "\n", {}}).out, plain.out);
  EXPECT_EQ(Run({"translate", "--stream"}, {source + "\n", {}}).out, plain.out);
  EXPECT_EQ(Run({"translate", "-m", "models/en-fr", "-s", "en", "-t", "fr", source}).out,
            plain.out);
  const Json json = RunForJson({"translate", "--json", source});
  EXPECT_EQ(json["text"].get<std::string>() + "\n", plain.out);
  EXPECT_EQ(json["source"], source);
}

TEST_F(ClientServer, JsonHoldsEverything) {
  const Json json = RunForJson(
      {"translate", "--json", "--beam-size", "3", "--n-best", "3", "The cat sat. The dog ran."});
  EXPECT_EQ(json["hypotheses"].size(), 3u);
  EXPECT_EQ(json["hypotheses"][0]["text"], json["text"]);
  EXPECT_GE(json["hypotheses"][0]["score"].get<double>(),
            json["hypotheses"][2]["score"].get<double>());
  EXPECT_EQ(json["score"], json["hypotheses"][0]["score"]);
  EXPECT_GT(json["hypotheses"][0]["tokens"].size(), 0u);
  ASSERT_EQ(json["sentences"].size(), 2u);
  EXPECT_EQ(json["sentences"][0]["source"][0], 0);
  EXPECT_GE(json["source_words"].size(), 6u);
  EXPECT_EQ(json["source_words"][0]["text"], "The");
  EXPECT_TRUE(json.contains("links"));
  EXPECT_GT(json["timing"]["input_tokens"].get<int>(), 0);
}

// Names of fields and kinds of values: {"rows": 3, "weights": [[0.5]]} → {rows: number, weights:
// [[number]]}. Lists are told by their first element.
std::string ShapeOf(const Json& json) {
  if (json.is_object()) {
    std::string shape = "{";
    for (const auto& [name, value] : json.items()) shape += name + ": " + ShapeOf(value) + ", ";
    return shape + "}";
  }
  if (json.is_array()) return "[" + (json.empty() ? "" : ShapeOf(json.front())) + "]";
  return json.is_number() ? "number" : json.type_name();
}

// Splits like a shell that knows double quotes only.
std::vector<std::string> WordsOfCommand(const std::string& command) {
  std::vector<std::string> words;
  bool is_quoted = false, in_word = false;
  for (const char c : command) {
    if (c == '"') is_quoted = !is_quoted;
    if (c == ' ' && !is_quoted) {
      in_word = false;
    } else {
      if (!in_word) words.emplace_back();
      in_word = true;
      if (c != '"') words.back() += c;
    }
  }
  return words;
}

TEST_F(ClientServer, JsonLooksAsTheDocumentSays) {
  std::stringstream text;
  text << std::ifstream(ATTEND_SOURCE_DIR "/docs/cli.md").rdbuf();
  const std::string document = text.str(), between = "\n```\n```json\n";
  int num_compared = 0;
  for (std::size_t at = document.find(between); at != std::string::npos;
       at = document.find(between, at + 1)) {
    const std::size_t line = document.rfind('\n', at - 1) + 1;
    std::vector<std::string> command = WordsOfCommand(document.substr(line, at - line));
    ASSERT_EQ(command.front(), "attend");
    command.erase(command.begin());
    const std::size_t begin = at + between.size();
    const Json written =
        Json::parse(document.substr(begin, document.find("\n```", begin) - begin), nullptr, false);
    ASSERT_FALSE(written.is_discarded()) << document.substr(line, at - line);
    EXPECT_EQ(ShapeOf(RunForJson(command)), ShapeOf(written)) << document.substr(line, at - line);
    ++num_compared;
  }
  EXPECT_EQ(num_compared, 9);
}

TEST_F(ClientServer, LinesKeepTheirPlacesInABigInput) {
  std::string input;
  for (int i = 0; i < 70; ++i)
    input += i % 7 == 3 ? "\n" : "The cat number " + std::to_string(i) + " is here.\n";
  const ProgramRun run =
      Run({"translate", "--beam-size", "1", "--batch-size", "4", "--max-output-tokens", "20"},
          {input, {}});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  const auto lines = Lines(run.out);
  ASSERT_EQ(lines.size(), 70u);
  for (std::size_t i = 0; i < lines.size(); ++i)
    EXPECT_EQ(lines[i].empty(), i % 7 == 3) << i << ": " << lines[i];
  // Batches change nothing: a line alone gives the same.
  EXPECT_EQ(Run({"translate", "--beam-size", "1", "--max-output-tokens", "20",
                 "The cat number 41 is here."})
                .out,
            lines[41] + "\n");
}

TEST_F(ClientServer, FilesAreTranslatedLineByLine) {
  const TemporaryFolder folder;
  const std::string input = folder.Write("in.en", "Good morning.\r\n\r\nThank you.");
  const std::string output = folder.Path("out.fr");
  const ProgramRun run = Run({"translate", "-i", input, "-o", output});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.out, "");
  std::stringstream written;
  written << std::ifstream(output).rdbuf();
  const auto lines = Lines(written.str());
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[1], "");
  EXPECT_EQ(lines[0] + "\n", Run({"translate", "Good morning."}).out);
  EXPECT_EQ(lines[2] + "\n", Run({"translate", "Thank you."}).out);
}

TEST_F(ClientServer, DecodingFlagsReachTheServer) {
  const ProgramRun n_best = Run({"translate", "--n-best", "2", "--beam-size", "2", "The cat sat."});
  EXPECT_EQ(n_best.exit_code, 0) << n_best.err;
  EXPECT_EQ(Lines(n_best.out).size(), 2u) << n_best.out;
  const Json cut =
      RunForJson({"translate", "--json", "--max-output-tokens", "2", "The cat sat on the mat."});
  EXPECT_LE(cut["hypotheses"][0]["tokens"].size(), 2u);
  const ProgramRun prefix = Run({"translate", "--prefix", "Le chat", "The cat sat."});
  EXPECT_EQ(prefix.out.rfind("Le chat", 0), 0u) << prefix.out << prefix.err;
  const std::vector<std::string> sampled = {"translate",
                                            "--sample",
                                            "--seed",
                                            "7",
                                            "--top-k",
                                            "50",
                                            "--temperature",
                                            "1.5",
                                            "The cat sat on the mat."};
  const ProgramRun first = Run(sampled), again = Run(sampled);
  EXPECT_EQ(first.exit_code, 0) << first.err;
  EXPECT_EQ(first.out, again.out);
  const ProgramRun refused = Run({"translate", "--beam-size", "1000", "x"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_TRUE(Contains(refused.err, "INVALID_ARGUMENT (BEAM_TOO_LARGE)")) << refused.err;
  EXPECT_TRUE(Contains(refused.err, "config.decoding.beam_size")) << refused.err;
  const ProgramRun negative = Run({"translate", "--sample", "--temperature", "-1", "x"});
  EXPECT_EQ(negative.exit_code, 1);
  EXPECT_TRUE(Contains(negative.err, "OPTION_OUT_OF_RANGE")) << negative.err;
}

TEST_F(ClientServer, WrongModelAndLanguageAreExplained) {
  const ProgramRun model = Run({"translate", "-m", "xx", "hello"});
  EXPECT_EQ(model.exit_code, 1);
  EXPECT_TRUE(Contains(model.err, "NOT_FOUND (MODEL_NOT_FOUND)")) << model.err;
  const ProgramRun pair = Run({"translate", "-s", "en", "-t", "de", "hello"});
  EXPECT_EQ(pair.exit_code, 1);
  EXPECT_TRUE(Contains(pair.err, "LANGUAGE_PAIR_NOT_SERVED")) << pair.err;
}

TEST_F(ClientServer, ATooLongLineFailsAlone) {
  // Written through a file: it is longer than a pipe holds.
  const TemporaryFolder folder;
  const std::string input =
      folder.Write("long.en", "Hello.\n" + std::string(300 * 1024, 'a') + "\nHello.\n");
  const ProgramRun run = Run({"translate", "-i", input});
  EXPECT_EQ(run.exit_code, 1);
  const auto lines = Lines(run.out);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[1], "");
  EXPECT_EQ(lines[0], lines[2]);
  EXPECT_TRUE(Contains(run.err, "line 2: INVALID_ARGUMENT (INPUT_TOO_LONG)")) << run.err;
}

TEST_F(ClientServer, AttentionRowsSumToOne) {
  for (const char* kind : {"cross", "encoder", "decoder"}) {
    const Json json = RunForJson({"attention", "The cat sat.", "Le chat dort.", "--kind", kind,
                                  "--json", "--tokens", "--keep-special"});
    ASSERT_EQ(json["matrices"].size(), 1u);
    const Json& matrix = json["matrices"][0];
    EXPECT_EQ(matrix["kind"], kind);
    const bool rows_are_source = std::string(kind) == "encoder";
    EXPECT_EQ(matrix["rows"], json[rows_are_source ? "source_tokens" : "target_tokens"].size());
    for (const Json& row : matrix["weights"]) {
      double sum = 0;
      for (const double weight : row) sum += weight;
      EXPECT_NEAR(sum, 1, 1e-3);
    }
  }
}

TEST_F(ClientServer, AttentionSelectionsReachTheServer) {
  const Json heads = RunForJson(
      {"attention", "The cat.", "Le chat.", "--heads", "0:1,1:0", "--reduction", "none", "--json"});
  ASSERT_EQ(heads["matrices"].size(), 2u);
  EXPECT_EQ(heads["matrices"][0]["layer"], 0);
  EXPECT_EQ(heads["matrices"][0]["head"], 1);
  EXPECT_EQ(heads["matrices"][1]["layer"], 1);
  const Json kinds =
      RunForJson({"attention", "The cat.", "Le chat.", "--kind", "cross,encoder", "--json"});
  EXPECT_EQ(kinds["matrices"].size(), 2u);
  const Json sparse =
      RunForJson({"attention", "The cat sat on the mat.", "Le chat.", "--top-k", "2", "--json"});
  for (const Json& row : sparse["matrices"][0]["entries"]) EXPECT_LE(row.size(), 2u);
  EXPECT_EQ(Run({"attention", "The cat.", "--preset", "alignment"}).exit_code, 0);
  EXPECT_EQ(Run({"attention", "The cat.", "--kind", "encoder", "--reduction", "rollout"}).exit_code,
            0);
  const ProgramRun preset = Run({"attention", "The cat.", "--preset", "nope"});
  EXPECT_EQ(preset.exit_code, 1);
  EXPECT_TRUE(Contains(preset.err, "PRESET_NOT_FOUND")) << preset.err;
  const ProgramRun head = Run({"attention", "The cat.", "--heads", "99:0"});
  EXPECT_EQ(head.exit_code, 1);
  EXPECT_TRUE(Contains(head.err, "HEAD_OUT_OF_RANGE")) << head.err;
  const ProgramRun rollout = Run({"attention", "The cat.", "--reduction", "rollout"});
  EXPECT_TRUE(Contains(rollout.err, "REDUCTION_NOT_APPLICABLE")) << rollout.err;
}

TEST_F(ClientServer, StreamedAttentionIsTheSame) {
  const std::vector<std::string> arguments = {"attention", "The cat sat.", "Le chat dort.",
                                              "--reduction", "none"};
  const auto with = [&](std::vector<std::string> more) {
    std::vector<std::string> all = arguments;
    all.insert(all.end(), more.begin(), more.end());
    return Run(all);
  };
  const ProgramRun whole = with({}), streamed = with({"--stream"});
  EXPECT_EQ(whole.exit_code, 0) << whole.err;
  EXPECT_EQ(streamed.out, whole.out) << streamed.err;
  const Json json = Json::parse(with({"--json"}).out, nullptr, false);
  Json matrices = Json::array();
  for (const std::string& line : Lines(with({"--json", "--stream"}).out)) {
    const Json part = Json::parse(line, nullptr, false);
    ASSERT_FALSE(part.is_discarded()) << line;
    if (part.contains("matrix")) matrices.push_back(part["matrix"]);
  }
  EXPECT_EQ(matrices, json["matrices"]);
}

TEST_F(ClientServer, LargeAttentionComesThroughWithoutBeingAskedToStream) {
  std::string source;
  for (int i = 0; i < 60; ++i) source += "the cat and the dog ";
  const Json json = RunForJson({"attention", source, "Le chat.", "--kind", "encoder", "--reduction",
                                "none", "--tokens", "--json"});
  ASSERT_GT(json["matrices"].size(), 1u);
  std::size_t num_weights = 0;
  for (const Json& matrix : json["matrices"])
    num_weights += matrix["rows"].get<std::size_t>() * matrix["columns"].get<std::size_t>();
  EXPECT_GT(num_weights * sizeof(float), 3u << 20) << "the text is too short to need a stream";
  for (const Json& matrix : json["matrices"])
    EXPECT_EQ(matrix["weights"].size(), json["source_tokens"].size());
}

TEST_F(ClientServer, HeatMapIsColoredOnATerminalOnly) {
  const std::vector<std::string> arguments = {"attention", "The cat sat.", "Le chat dort."};
  const ProgramRun terminal = RunOnTerminal(arguments);
  EXPECT_EQ(terminal.exit_code, 0) << terminal.out;
  EXPECT_TRUE(Contains(terminal.out, "\x1b[48;5;")) << terminal.out;
  const ProgramRun pipe = Run(arguments);
  EXPECT_FALSE(Contains(pipe.out, "\x1b")) << pipe.out;
  for (const char* word : {"The", "cat", "sat", "Le", "chat", "dort"})
    EXPECT_TRUE(Contains(pipe.out, word)) << pipe.out;
  EXPECT_FALSE(Contains(RunOnTerminal(arguments, {"", {{"NO_COLOR", "1"}}}).out, "\x1b["));
  EXPECT_FALSE(Contains(RunOnTerminal(arguments, {"", {{"TERM", "dumb"}}}).out, "\x1b["));
  std::vector<std::string> always = arguments;
  always.push_back("--color=always");
  EXPECT_TRUE(Contains(Run(always, {"", {{"COLORTERM", "truecolor"}}}).out, "\x1b[48;2;"));
}

TEST_F(ClientServer, AlignShowsAndPrintsLinks) {
  const std::string source = "The cat sleeps.", target = "Le chat dort.";
  const ProgramRun pharaoh = Run({"align", source, target, "--pharaoh"});
  EXPECT_EQ(pharaoh.exit_code, 0) << pharaoh.err;
  const Json json = RunForJson({"align", source, target, "--json"});
  std::set<std::string> from_json;
  for (const Json& link : json["links"]) {
    from_json.insert(std::to_string(link["source_word"].get<int>()) + "-" +
                     std::to_string(link["target_word"].get<int>()));
  }
  std::set<std::string> printed;
  std::istringstream words(pharaoh.out);
  for (std::string link; words >> link;) printed.insert(link);
  EXPECT_EQ(printed, from_json);
  EXPECT_FALSE(printed.empty());
  const ProgramRun map = Run({"align", source, target});
  EXPECT_TRUE(Contains(map.out, "¹")) << map.out;
  EXPECT_EQ(Lines(map.out).size(), 2u) << map.out;
}

TEST_F(ClientServer, AlignFilesGivesALineForALine) {
  const TemporaryFolder folder;
  const std::string source = folder.Write("align.en", "The cat sleeps.\n\nThank you.\n");
  const std::string target = folder.Write("align.fr", "Le chat dort.\n\nMerci.\n");
  const ProgramRun run = Run({"align", "--source-file", source, "--target-file", target});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  const auto lines = Lines(run.out);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[1], "");
  EXPECT_EQ(lines[0] + "\n", Run({"align", "The cat sleeps.", "Le chat dort.", "--pharaoh"}).out);
  folder.Write("align.fr", "Le chat dort.\n");
  const ProgramRun uneven = Run({"align", "--source-file", source, "--target-file", target});
  EXPECT_EQ(uneven.exit_code, 1);
  EXPECT_TRUE(Contains(uneven.err, "the files differ in length: the target ends after line 1"))
      << uneven.err;
}

TEST_F(ClientServer, TranslateAlignShowsTheMapBelow) {
  const ProgramRun run = Run({"translate", "--align", "The cat sat."});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  const auto lines = Lines(run.out);
  ASSERT_GE(lines.size(), 3u);
  EXPECT_EQ(lines[0] + "\n", Run({"translate", "The cat sat."}).out);
  EXPECT_EQ(lines[1].rfind("  ", 0), 0u);
}

TEST_F(ClientServer, TokensJoinToTheTextTheyCameFrom) {
  const std::string text = "The cat sat on the mat.";
  const Json json = RunForJson({"tokenize", text, "--json"});
  std::string covered, ids;
  std::size_t end = 0;
  for (const Json& token : json["tokens"]) {
    ids += (ids.empty() ? "" : ",") + std::to_string(token["id"].get<int>());
    if (token.contains("span")) end = token["span"][1].get<std::size_t>();
  }
  EXPECT_EQ(end, text.size());
  const ProgramRun table = Run({"tokenize", text});
  EXPECT_TRUE(Contains(table.out, "special")) << table.out;
  EXPECT_FALSE(Contains(Run({"tokenize", "--omit-special", text}).out, "special"));
  const ProgramRun back = Run({"tokenize", "--ids", ids});
  EXPECT_EQ(back.exit_code, 0) << back.err;
  EXPECT_EQ(back.out, text + "\n");
}

}  // namespace
}  // namespace attend::client
