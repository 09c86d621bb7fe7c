// --html end to end: the real program against the real server, and what the page then holds.
#include <gtest/gtest.h>

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

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

class AttentionPage : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = std::make_unique<ServerProcess>(); }
  static void TearDownTestSuite() { server_.reset(); }
  void SetUp() override { ASSERT_NE(server_->address(), "") << "attend-server did not start"; }

  static ProgramRun Run(const std::vector<std::string>& arguments) {
    RunSettings settings;
    settings.environment["ATTEND_ADDRESS"] = server_->address();
    return RunAttend(arguments, settings);
  }
  static Json RunForJson(const std::vector<std::string>& arguments) {
    const ProgramRun run = Run(arguments);
    EXPECT_EQ(run.exit_code, 0) << run.err;
    return Json::parse(run.out, nullptr, /*allow_exceptions=*/false);
  }

  static std::unique_ptr<ServerProcess> server_;
};

std::unique_ptr<ServerProcess> AttentionPage::server_;

// The data of a page that was written, as JSON.
Json PageData(const std::string& html) {
  const std::string opening = "id=\"report-data\">";
  const std::size_t begin = html.find(opening);
  if (begin == std::string::npos) return Json();
  const std::size_t end = html.find("</script", begin);
  return Json::parse(html.substr(begin + opening.size(), end - begin - opening.size()), nullptr,
                     false);
}

std::string ReadFile(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

TEST_F(AttentionPage, HoldsAllHeadsAndLinks) {
  const TemporaryFolder folder;
  const std::string path = folder.Write("cat.html", "an older page");
  const ProgramRun run = Run({"attention", "The cat sat on the mat.", "--html", path});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.out, "");
  EXPECT_TRUE(Contains(run.err, "attend: wrote " + path)) << run.err;
  const Json data = PageData(ReadFile(path));
  ASSERT_TRUE(data.is_object());
  const Json model = RunForJson({"models", "en-fr", "--json"});
  const int heads = model["heads"].get<int>();
  const int encoder_heads = model["encoder_layers"].get<int>() * heads;
  const int decoder_heads = model["decoder_layers"].get<int>() * heads;
  const auto count_heads = [](const Json& kind) {
    int count = 0;
    for (const Json& map : kind["maps"]) count += map.contains("head") ? 1 : 0;
    return count;
  };
  ASSERT_EQ(data["kinds"].size(), 3u);
  EXPECT_EQ(data["kinds"][0]["name"], "cross");
  EXPECT_EQ(data["kinds"][0]["maps"][0]["name"], "alignment heads, mean");
  EXPECT_EQ(count_heads(data["kinds"][0]), decoder_heads);
  EXPECT_EQ(count_heads(data["kinds"][1]), encoder_heads);
  EXPECT_EQ(count_heads(data["kinds"][2]), decoder_heads);
  const std::size_t columns = data["kinds"][0]["columns"].get<std::size_t>();
  EXPECT_EQ(data["axes"][columns]["labels"], Json({"The", "cat", "sat", "on", "the", "mat", "."}));
  EXPECT_EQ(data["alignment"]["source"]["words"], data["axes"][columns]["labels"]);
  EXPECT_GT(data["alignment"]["links"].size(), 0u);
}

TEST_F(AttentionPage, HoldsWhatWasAskedFor) {
  const ProgramRun run = Run({"attention", "The cat.", "Le chat.", "--html", "-", "--kind",
                              "encoder", "--heads", "1:0,2:3", "--tokens", "--keep-special"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const Json data = PageData(run.out);
  ASSERT_TRUE(data.is_object());
  ASSERT_EQ(data["kinds"].size(), 1u);
  EXPECT_EQ(data["kinds"][0]["maps"][0]["name"], "mean of 2 heads");
  EXPECT_EQ(data["kinds"][0]["maps"][1]["name"], "layer 1, head 0");
  EXPECT_EQ(data["axes"][0]["labels"].back(), "</s>");
  EXPECT_TRUE(Contains(data["subtitle"].get<std::string>(), " tokens read")) << data["subtitle"];
  EXPECT_EQ(data["alignment"]["target"]["words"], Json({"Le", "chat", "."}));
  const ProgramRun folded =
      Run({"attention", "The cat.", "--html", "-", "--reduction", "max", "--kind", "cross"});
  EXPECT_EQ(PageData(folded.out)["kinds"][0]["maps"].size(), 1u);
  EXPECT_EQ(PageData(folded.out)["kinds"][0]["maps"][0]["name"], "max over all heads");
}

TEST_F(AttentionPage, OfOneTextAlone) {
  const ProgramRun run = Run({"attention", "The cat.", "--html", "-", "--kind", "encoder"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(PageData(run.out)["kinds"].size(), 1u);
}

TEST_F(AttentionPage, OfAPairHasItsLinks) {
  const std::vector<std::string> pair = {"The cat sat.", "Le </script> chat."};
  const ProgramRun run = Run({"align", pair[0], pair[1], "--html", "-"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const Json data = PageData(run.out), links = RunForJson({"align", pair[0], pair[1], "--json"});
  EXPECT_EQ(data["kinds"].size(), 1u);
  ASSERT_EQ(data["alignment"]["links"].size(), links["links"].size());
  for (std::size_t i = 0; i < links["links"].size(); ++i) {
    EXPECT_EQ(data["alignment"]["links"][i][0], links["links"][i]["source_word"]);
    EXPECT_EQ(data["alignment"]["links"][i][1], links["links"][i]["target_word"]);
  }
}

TEST_F(AttentionPage, IsNamedWhenItCannotBeWritten) {
  const ProgramRun run = Run({"attention", "The cat.", "--html", "/nonexistent/cat.html"});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_TRUE(Contains(run.err, "cannot write /nonexistent/cat.html: No such file")) << run.err;
  EXPECT_EQ(Run({"attention", "The cat.", "--html", "-", "--json"}).exit_code, 2);
  EXPECT_EQ(Run({"align", "a", "b", "--html", "-", "--pharaoh"}).exit_code, 2);
  const TemporaryFolder folder;
  const std::string path = folder.Write("old.html", "old");
  EXPECT_EQ(Run({"attention", "The cat.", "--heads", "99:0", "--html", path}).exit_code, 1);
  EXPECT_EQ(ReadFile(path), "old") << "a failure leaves the page that was there";
}

// Longer than a usual message: 64 heads of 200 x 200 and more tokens are 10 MB and more.
TEST_F(AttentionPage, LongTextsAreStreamedAndKeptSmall) {
  std::string text;
  for (int i = 0; i < 40; ++i) text += "the cat sat on a mat and ";
  text += "slept.";
  const ProgramRun run = Run({"attention", text, text, "--html", "-"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const Json data = PageData(run.out);
  ASSERT_EQ(data["kinds"].size(), 3u);
  EXPECT_EQ(data["bits"], 8);
  EXPECT_LT(run.out.size(), 10u << 20);
  EXPECT_GE(data["notes"].size(), 2u) << run.err;
  for (const Json& note : data["notes"])
    EXPECT_TRUE(Contains(run.err, "attend: " + note.get<std::string>())) << run.err;
}

}  // namespace
}  // namespace attend::client
