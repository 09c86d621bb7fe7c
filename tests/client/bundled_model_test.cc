// What the bundled weights must show: the sentence that the project exists to explain. The only
// test that depends on what a model has learnt; new weights must pass it before they are kept.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/client/program_run.h"
#include "tests/client/server_process.h"

namespace attend::client {
namespace {

using Json = nlohmann::json;

constexpr const char* kSource = "The cat sat on the mat.";

class BundledModel : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = std::make_unique<ServerProcess>(); }
  static void TearDownTestSuite() { server_.reset(); }
  void SetUp() override { ASSERT_NE(server_->address(), "") << "attend-server did not start"; }

  static Json RunForJson(const std::vector<std::string>& arguments) {
    const ProgramRun run = RunAttend(arguments, {"", {{"ATTEND_ADDRESS", server_->address()}}});
    EXPECT_EQ(run.exit_code, 0) << run.err;
    Json json = Json::parse(run.out, nullptr, /*allow_exceptions=*/false);
    EXPECT_FALSE(json.is_discarded()) << run.out;
    return json;
  }

  // Index of the word in "source_words" or "target_words"; fails and says 0 where it is missing.
  static std::size_t IndexOf(const Json& words, const std::string& text) {
    for (std::size_t i = 0; i < words.size(); ++i) {
      if (words[i]["text"] == text) return i;
    }
    ADD_FAILURE() << text << " is not among " << words;
    return 0;
  }

  // The row of `target` is strongest at `source`, which has most of its weight.
  static void ExpectRestsOn(const Json& attention, const std::string& target,
                            const std::string& source) {
    ASSERT_EQ(attention["matrices"].size(), 1u);
    const auto row = attention["matrices"][0]["weights"][IndexOf(attention["target_words"], target)]
                         .get<std::vector<double>>();
    const std::size_t column = IndexOf(attention["source_words"], source);
    ASSERT_LT(column, row.size());
    EXPECT_EQ(std::max_element(row.begin(), row.end()) - row.begin(), column)
        << target << " does not rest on " << source;
    EXPECT_GT(row[column], 0.5) << target << " on " << source;
  }

  // The strongest link of the target word goes to the source word.
  static void ExpectLinked(const Json& json, const std::string& target, const std::string& source) {
    const std::size_t word = IndexOf(json["target_words"], target);
    double best = 0;
    std::size_t best_source = json["source_words"].size();
    for (const Json& link : json["links"]) {
      if (link["target_word"] != word || link["score"].get<double>() <= best) continue;
      best = link["score"];
      best_source = link["source_word"];
    }
    EXPECT_EQ(best_source, IndexOf(json["source_words"], source)) << json["links"];
    EXPECT_GT(best, 0.5) << target << " to " << source;
  }

  static std::unique_ptr<ServerProcess> server_;
};

std::unique_ptr<ServerProcess> BundledModel::server_;

TEST_F(BundledModel, ItsOwnTranslationRestsOnTheRightWords) {
  for (const char* beams : {"1", "4"}) {
    const Json json = RunForJson({"translate", "--json", "--beam-size", beams, kSource});
    ExpectLinked(json, "chat", "cat");
    ExpectLinked(json, "tapis", "mat");
  }
  const Json attention = RunForJson({"attention", "--json", kSource});
  ExpectRestsOn(attention, "chat", "cat");
  ExpectRestsOn(attention, "tapis", "mat");
}

TEST_F(BundledModel, AGivenTranslationRestsOnTheRightWords) {
  for (const char* target :
       {"Le chat s'est assis sur le tapis.", "Le chat était assis sur le tapis."}) {
    const Json attention =
        RunForJson({"attention", "--json", "--preset", "alignment", kSource, target});
    ExpectRestsOn(attention, "chat", "cat");
    ExpectRestsOn(attention, "tapis", "mat");
    const Json links = RunForJson({"align", "--json", kSource, target});
    ExpectLinked(links, "chat", "cat");
    ExpectLinked(links, "tapis", "mat");
  }
}

TEST_F(BundledModel, SaysWhetherItCameToAnEnd) {
  const Json whole = RunForJson({"translate", "--json", kSource});
  EXPECT_EQ(whole["hypotheses"][0]["finish_reason"], "END_OF_SEQUENCE");
  const Json cut = RunForJson({"translate", "--json", "--max-output-tokens", "3", kSource});
  EXPECT_EQ(cut["hypotheses"][0]["finish_reason"], "MAX_TOKENS");
  EXPECT_LE(cut["hypotheses"][0]["tokens"].size(), 3u);
  EXPECT_LT(cut["text"].get<std::string>().size(), whole["text"].get<std::string>().size());
}

}  // namespace
}  // namespace attend::client
