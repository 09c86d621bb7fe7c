// attend build-shortlist against a real server, and a server that uses what it wrote.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "engine/checkpoint/shortlist_file.h"
#include "engine/checkpoint/stored_file.h"
#include "tests/client/program_run.h"
#include "tests/client/server_process.h"
#include "tests/testing/temporary_folder.h"

namespace attend::client {
namespace {

using Json = nlohmann::json;
using ::testing::HasSubstr;

constexpr const char* kPairs =
    "The cat sat on the mat.\tLe chat s'est assis sur le tapis.\n"
    "\n"
    "The dog sleeps.\tLe chien dort.\n"
    "I like the house.\tJ'aime la maison.\n";

class BuildShortlist : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = std::make_unique<ServerProcess>(); }
  static void TearDownTestSuite() { server_.reset(); }
  void SetUp() override { ASSERT_NE(server_->address(), "") << "attend-server did not start"; }

  static ProgramRun Run(std::vector<std::string> arguments, const ServerProcess& server) {
    return RunAttend(arguments, {"", {{"ATTEND_ADDRESS", server.address()}}});
  }
  static ProgramRun Build(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "build-shortlist");
    return Run(arguments, *server_);
  }
  static ShortlistFile Read(const std::string& path) {
    const auto source = StoredFile::Open(path);
    EXPECT_TRUE(source.ok()) << source.status();
    const auto file = ReadShortlist(**source);
    EXPECT_TRUE(file.ok()) << file.status();
    return file.ok() ? *file : ShortlistFile();
  }
  static std::vector<int64_t> Ids(const Json& tokens) {
    std::vector<int64_t> ids;
    for (const Json& token : tokens) ids.push_back(token["id"].get<int64_t>());
    return ids;
  }
  static Json Ask(const std::vector<std::string>& arguments, const ServerProcess& server) {
    const ProgramRun run = Run(arguments, server);
    EXPECT_EQ(run.exit_code, 0) << run.err;
    return Json::parse(run.out, nullptr, /*allow_exceptions=*/false);
  }

  static std::unique_ptr<ServerProcess> server_;
  const TemporaryFolder folder_;
};
std::unique_ptr<ServerProcess> BuildShortlist::server_;

TEST_F(BuildShortlist, FromPairsToAServerThatKeepsToThem) {
  const std::string pairs = folder_.Write("pairs.tsv", kPairs);
  const std::string path = folder_.Path("en-fr.shortlist");
  const ProgramRun built = Build({"--pairs", pairs, "-o", path, "--min-seen", "1"});
  ASSERT_EQ(built.exit_code, 0) << built.err;
  EXPECT_THAT(built.err, HasSubstr("3 pairs"));
  const ShortlistFile file = Read(path);
  EXPECT_EQ(file.model, "en-fr");
  EXPECT_FALSE(std::filesystem::exists(path + ".unfinished"));

  const ServerProcess fast(",compute-type=int8,shortlist=" + path);
  ASSERT_NE(fast.address(), "");
  EXPECT_EQ(Ask({"models", "en-fr", "--json"}, fast)["uses_shortlist"], true);
  EXPECT_EQ(Ask({"models", "en-fr", "--json"}, *server_)["uses_shortlist"], false);

  const std::string known = "The dog sat on the house.", unknown = "Bridges were built in winter.";
  std::set<int64_t> allowed(file.always.begin(), file.always.end());
  const std::vector<int64_t> source = Ids(Ask({"tokenize", "--json", known}, *server_)["tokens"]);
  for (const int64_t id : source) {
    ASSERT_TRUE(file.is_known[static_cast<size_t>(id)]) << id;
    allowed.insert(id);
    allowed.insert(file.TokensOf(id).begin(), file.TokensOf(id).end());
  }
  const Json translation = Ask({"translate", "--json", known}, fast);
  const std::vector<int64_t> written = Ids(translation["hypotheses"][0]["tokens"]);
  EXPECT_FALSE(written.empty());
  for (const int64_t id : written) EXPECT_EQ(allowed.count(id), 1u) << id;

  // A token that was never seen: the whole vocabulary, as without a shortlist.
  const std::vector<int64_t> others = Ids(Ask({"tokenize", "--json", unknown}, *server_)["tokens"]);
  ASSERT_TRUE(std::any_of(others.begin(), others.end(),
                          [&](int64_t id) { return !file.is_known[static_cast<size_t>(id)]; }));
  const ServerProcess whole(",compute-type=int8");
  EXPECT_EQ(Ask({"translate", "--json", unknown}, fast)["hypotheses"],
            Ask({"translate", "--json", unknown}, whole)["hypotheses"]);
}

TEST_F(BuildShortlist, WithoutTranslationsTheServerMakesThem) {
  const std::string source = folder_.Write("a.en", "The cat sat on the mat.\nGood morning.\n");
  const std::string path = folder_.Path("x.shortlist");
  const ProgramRun built = Build({"--source-file", source, "-o", path, "--min-seen", "1"});
  ASSERT_EQ(built.exit_code, 0) << built.err;
  EXPECT_THAT(built.err, HasSubstr("2 pairs"));
  EXPECT_GT(Read(path).tokens.size() + Read(path).always.size(), 0u);
}

TEST_F(BuildShortlist, TwoFilesGiveWhatPairsGive) {
  const std::string pairs = folder_.Write("pairs.tsv", kPairs);
  const std::string source =
      folder_.Write("a.en", "The cat sat on the mat.\n\nThe dog sleeps.\nI like the house.\n");
  const std::string target = folder_.Write(
      "a.fr", "Le chat s'est assis sur le tapis.\n\nLe chien dort.\nJ'aime la maison.\n");
  EXPECT_EQ(Build({"--pairs", pairs, "-o", folder_.Path("1")}).exit_code, 0);
  EXPECT_EQ(
      Build({"--source-file", source, "--target-file", target, "-o", folder_.Path("2")}).exit_code,
      0);
  const ShortlistFile one = Read(folder_.Path("1")), two = Read(folder_.Path("2"));
  EXPECT_EQ(one.always, two.always);
  EXPECT_EQ(one.tokens, two.tokens);
  EXPECT_EQ(one.is_known, two.is_known);
}

TEST_F(BuildShortlist, SaysWhatIsWrong) {
  const std::string out = folder_.Path("x.shortlist");
  const std::string pairs = folder_.Write("pairs.tsv", kPairs);
  ProgramRun run = Build({"-o", out});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.err, HasSubstr("give --pairs, or --source-file"));
  run = Build({"--pairs", folder_.Path("none"), "-o", out});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.err, HasSubstr("cannot open"));
  run = Build({"--pairs", pairs, "-o", folder_.Path("none/x")});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.err, HasSubstr("cannot write"));

  const std::string short_one = folder_.Write("a.fr", "Le chat.\n");
  const std::string source = folder_.Write("a.en", "The cat.\nThe dog.\n");
  run = Build({"--source-file", source, "--target-file", short_one, "-o", out});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.err, HasSubstr("differ in length: the target ends after line 1"));
  run = Build({"--source-file", short_one, "--target-file", source, "-o", out});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.err, HasSubstr("differ in length: the source ends after line 1"));

  // A bad line costs itself only.
  const std::string mixed = folder_.Write("mixed.tsv", std::string("no tab\n") + kPairs);
  run = Build({"--pairs", mixed, "-o", out});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.err, HasSubstr("line 1: no tab"));
  EXPECT_THAT(run.err, HasSubstr("3 pairs"));
  run = Build({"--pairs", folder_.Write("bad.tsv", "no tab\n"), "-o", out});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.err, HasSubstr("no shortlist"));
  EXPECT_FALSE(std::filesystem::exists(out + ".unfinished"));
}

}  // namespace
}  // namespace attend::client
