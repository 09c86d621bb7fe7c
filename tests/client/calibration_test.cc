// The arithmetic of `attend calibrate`, on small cases whose answers are known.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <iterator>

#include "client/calibration/alignment_calibration.h"
#include "client/calibration/calibration_examples.h"
#include "client/calibration/calibration_report.h"
#include "client/calibration/conditional_logit.h"
#include "client/calibration/coreference_calibration.h"
#include "client/calibration/presets_file.h"
#include "tests/testing/temporary_folder.h"

namespace attend::client {
namespace {

TEST(CoreferenceExamples, ReadsColumnsByName) {
  std::vector<CoreferenceExample> examples;
  const std::string problem = ParseCoreferenceExamples(
      "id\tsplit\tsentence\tpronoun\tantecedent\tnouns\tsubject\n"
      "a\theldout\tLé cat saw it.\t11:13\t3:6\t0:2,3:6\t-\r\n"
      "b\tcalibrate\tIt sat.\t0:2\t3:6\t\t3:6\n",
      0.5, &examples);
  ASSERT_EQ(problem, "");
  ASSERT_EQ(examples.size(), 2u);
  EXPECT_EQ(examples[0].text, "Lé cat saw it.");
  EXPECT_EQ(examples[0].query.start, 11u);
  EXPECT_EQ(examples[0].answer.end, 6u);
  EXPECT_EQ(examples[0].nouns.size(), 2u);
  EXPECT_FALSE(examples[0].subject.has_value());
  EXPECT_TRUE(examples[0].is_held_out);
  EXPECT_EQ(examples[1].line, 3);
  EXPECT_TRUE(examples[1].subject.has_value());
  EXPECT_FALSE(examples[1].is_held_out);
}

TEST(CoreferenceExamples, HoldsOutAShareWhereTheFileDoesNotSay) {
  std::string text = "sentence\tpronoun\tantecedent\n";
  for (int i = 0; i < 9; ++i) text += "The cat saw it.\t12:14\t4:7\n";
  const auto held_out = [&](double share) {
    std::vector<CoreferenceExample> examples;
    EXPECT_EQ(ParseCoreferenceExamples(text, share, &examples), "");
    std::string marks;
    for (const auto& example : examples) marks += example.is_held_out ? 'h' : '.';
    return marks;
  };
  EXPECT_EQ(held_out(0), ".........");
  EXPECT_EQ(held_out(1.0 / 3), "..h..h..h");
  EXPECT_EQ(held_out(0.5), ".h.h.h.h.");
  EXPECT_EQ(held_out(1), "hhhhhhhhh");
}

TEST(CoreferenceExamples, NamesLineAndMistake) {
  const std::string header = "sentence\tpronoun\tantecedent\tsplit\n";
  for (const auto& [text, mention] : std::vector<std::pair<std::string, std::string>>{
           {"", "no examples"},
           {"one\ttwo\n", "line 1: the columns"},
           {header + "It sat.\t0-2\t3:6\n", "line 2: pronoun: '0-2'"},
           {header + "It sat.\t0:2\t3:60\n", "line 2: antecedent: '3:60'"},
           {header + "It sat.\t0:2\t3:3\n", "antecedent: '3:3'"},
           {header + "It sat.\t0:4\t3:6\n", "overlap"},
           {header + "It sat.\t0:2\t3:6\ttest\n", "neither calibrate nor heldout"},
           {header + "It s\xFF.\t0:2\t3:6\n", "UTF-8"}}) {
    std::vector<CoreferenceExample> examples;
    const std::string problem = ParseCoreferenceExamples(text, 0.5, &examples);
    EXPECT_NE(problem.find(mention), std::string::npos) << problem;
  }
}

TEST(AlignmentExamples, ReadsLinksWithAndWithoutAHeader) {
  for (const std::string header : {"", "source\ttarget\tlinks\n"}) {
    std::vector<AlignmentExample> examples;
    ASSERT_EQ(ParseAlignmentExamples(header + "the cat\tle chat\t0-0 1p1\n", 0, &examples), "");
    ASSERT_EQ(examples.size(), 1u);
    ASSERT_EQ(examples[0].links.size(), 2u);
    EXPECT_TRUE(examples[0].links[0].is_sure);
    EXPECT_FALSE(examples[0].links[1].is_sure);
  }
  for (const char* links : {"0-2", "2-0", "0_0", "-", "x-1", ""}) {
    std::vector<AlignmentExample> examples;
    EXPECT_NE(ParseAlignmentExamples("the cat\tle chat\t" + std::string(links), 0, &examples), "")
        << links;
  }
}

TEST(WilsonInterval, IsTheKnownOne) {
  // 8 of 10, as in Newcombe (1998) and most tables: 49.0 % to 94.3 %.
  EXPECT_NEAR(WilsonInterval({8, 10}).low, 0.4902, 1e-4);
  EXPECT_NEAR(WilsonInterval({8, 10}).high, 0.9433, 1e-4);
  EXPECT_NEAR(WilsonInterval({0, 5}).low, 0, 1e-9);
  EXPECT_NEAR(WilsonInterval({5, 5}).high, 1, 1e-9);
}

Choice ChoiceOf(const std::vector<double>& features, int num_options, int answer) {
  return {features, num_options, answer};
}

TEST(FitLogit, FindsTheOptimum) {
  // Two options that differ by 1 in one feature, right 3 times of 4: without a ridge the weight
  // would be ln 3.
  const Choice right = ChoiceOf({1, 0}, 2, 0), wrong = ChoiceOf({1, 0}, 2, 1);
  const std::vector<const Choice*> choices = {&right, &right, &wrong, &right};
  EXPECT_NEAR(FitLogit(choices, 1, {0}, 1e-9)[0], std::log(3.0), 1e-5);
  // With one: the derivative of the objective is zero.
  const double ridge = 0.1, w = FitLogit(choices, 1, {0}, ridge)[0];
  EXPECT_NEAR(1 / (1 + std::exp(-w)) - 0.75 + 2 * ridge * w, 0, 1e-9);
  EXPECT_LT(w, std::log(3.0));
}

TEST(FitLogit, LeavesOutWhatIsNotUsedAndWhatTeachesNothing) {
  const Choice right = ChoiceOf({1, 5, 0, 3}, 2, 0), lost = ChoiceOf({9, 9, 9, 9}, 2, -1);
  const auto weights = FitLogit({&right, &lost}, 2, {1}, 0.1);
  EXPECT_EQ(weights[0], 0);
  EXPECT_GT(weights[1], 0);
  EXPECT_EQ(FitLogit({&lost}, 2, {0, 1}, 0.1), (std::vector<double>{0, 0}));
}

TEST(StrongestFeatures, CountsSpreadToo) {
  const Choice choice = ChoiceOf({1, 0, 5, 1.1, 9, 5}, 2, 0);
  EXPECT_EQ(StrongestFeatures({&choice}, {1, 0.5, 100}, {0, 1, 2}, 2), (std::vector<int>{0, 1}));
  EXPECT_EQ(StrongestFeatures({&choice}, {100, 0.5, 0}, {0, 1, 2}, 1), (std::vector<int>{0}));
}

// Head 1 towards the query tells; the others are noise that does not depend on the answer.
std::vector<CoreferenceCase> PlantedCases() {
  std::vector<CoreferenceCase> cases;
  uint32_t random = 1;
  const auto noise = [&random] {
    random = random * 1664525u + 1013904223u;
    return static_cast<double>(random >> 8) / (1 << 24);
  };
  for (int i = 0; i < 60; ++i) {
    CoreferenceCase c;
    c.is_held_out = i % 2 == 1;
    c.choice.num_options = 4;
    c.choice.answer = i % 4;
    for (int option = 0; option < 4; ++option) {
      for (int feature = 0; feature < 6; ++feature) {
        double attention = noise();
        if (feature == FeatureOf(1, true, 3)) attention = option == c.choice.answer ? 0.8 : 0.1;
        c.choice.features.push_back(std::log(kLogFloor + attention));
      }
    }
    cases.push_back(std::move(c));
  }
  return cases;
}

TEST(FitCoreference, FindsThePlantedHead) {
  const std::vector<CoreferenceCase> cases = PlantedCases();
  const auto go_on = [](double) { return true; };
  const CoreferenceFit all = FitCoreference(cases, 3, 0, go_on);
  EXPECT_EQ(Evaluate(cases, true, all.weights).hits, 30);
  EXPECT_EQ(all.cross_validated.count, 30);
  EXPECT_EQ(BestFeature(cases, 3), FeatureOf(1, true, 3));
  const CoreferenceFit one = FitCoreference(cases, 3, 1, go_on);
  for (int feature = 0; feature < 6; ++feature) {
    EXPECT_EQ(one.weights[static_cast<size_t>(feature)] > 0, feature == FeatureOf(1, true, 3));
  }
  EXPECT_EQ(FitCoreference(cases, 3, 0, go_on).weights, all.weights);  // the same bits
  EXPECT_TRUE(FitCoreference(cases, 3, 0, [](double) { return false; }).weights.empty());
  EXPECT_LT(EvaluateMean(cases, true, 3).hits, 20);
}

AlignmentCase PairOf(std::vector<std::vector<float>> heads, bool is_held_out) {
  AlignmentCase c;
  c.num_source = c.num_target = 2;
  c.heads = std::move(heads);
  c.links = {{0, 0, true}, {1, 1, true}};
  c.is_held_out = is_held_out;
  return c;
}

TEST(ChooseHeads, AddsHeadsWhileTheErrorFalls) {
  // Head 0 is right for the first word, head 2 for the second, head 1 for none.
  const std::vector<std::vector<float>> heads = {
      {0.9f, 0.1f, 0.6f, 0.4f}, {0.1f, 0.9f, 0.9f, 0.1f}, {0.4f, 0.6f, 0.1f, 0.9f}};
  const std::vector<AlignmentCase> cases = {PairOf(heads, false), PairOf(heads, true)};
  EXPECT_DOUBLE_EQ(AlignmentErrorRate(cases, true, {0}), 0.5);
  EXPECT_DOUBLE_EQ(AlignmentErrorRate(cases, true, {1}), 1.0);
  EXPECT_DOUBLE_EQ(AlignmentErrorRate(cases, true, {0, 2}), 0.0);
  EXPECT_EQ(ChooseHeads(cases, 3, 8), (std::vector<int>{0, 2}));
  EXPECT_EQ(ChooseHeads(cases, 3, 1), (std::vector<int>{0}));
}

TEST(WritePreset, KeepsTheOthersAndRefusesWhatItCannotRead) {
  const TemporaryFolder folder;
  const std::string path = folder.Write("attention_presets.json",
                                        R"({"alignment": {"kind": "cross", "heads": [[1, 0]]}})");
  Json preset;
  preset["kind"] = "encoder_self";
  preset["note"] = "a, \"b\": c";
  ASSERT_EQ(WritePreset(path, "coreference", preset), "");
  ASSERT_EQ(WritePreset(path, "coreference", preset), "");
  std::ifstream in(path);
  const Json written = Json::parse(in);
  EXPECT_EQ(written.size(), 2u);
  EXPECT_EQ(written["alignment"]["heads"][0][0], 1);
  EXPECT_EQ(written["coreference"], preset);
  const std::string broken = folder.Write("broken.json", "[1]");
  EXPECT_NE(WritePreset(broken, "coreference", preset), "");
  EXPECT_NE(WritePreset(folder.Path("none/x.json"), "coreference", preset), "");
}

}  // namespace
}  // namespace attend::client
