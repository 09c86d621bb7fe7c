// QueryAttention as a client sees it: answers, routing between models, and every row of the
// bad-input table.
#include <algorithm>
#include <filesystem>
#include <functional>
#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/server_under_test.h"
#include "tests/testing/temporary_folder.h"

namespace attend::server {
namespace {

namespace v1 = attend::v1;
using ::testing::ElementsAre;

constexpr char kText[] = "The café's cat sat on the mat because it was warm.";

// Three models with the same weights: "first" and "second" are calibrated, "second" better; "third"
// has the preset without a figure.
class QueryAttentionTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<TemporaryFolder>();
    ServerOptions options = TinyOptions();
    options.models = {{"first", CopyModel("first", PresetsWith("0.6"))},
                      {"second", CopyModel("second", PresetsWith("0.75"))},
                      {"third", CopyModel("third", R"({"coreference": {"kind": "encoder_self",
                           "heads": [[0, 0]]}, "other": {"kind": "encoder_self",
                           "heads": [[1, 1]]}})")},
                      {"bare", TinyModelFolder()}};
    server_ = std::make_unique<ServerUnderTest>(options);
  }
  static void TearDownTestSuite() {
    server_.reset();
    folder_.reset();
  }

  static std::string PresetsWith(const std::string& accuracy) {
    return R"({"coreference": {"kind": "encoder_self", "heads": [[1, 2], [0, 3]],
               "direction": "both", "note": "for this test",
               "figure": {"metric": "accuracy", "value": )" +
           accuracy + R"(, "examples": 40}}})";
  }

  static std::string CopyModel(const std::string& name, const std::string& presets) {
    const std::string to = folder_->Path(name);
    std::filesystem::create_directories(to);
    for (const auto& file : std::filesystem::directory_iterator(TinyModelFolder())) {
      if (file.is_regular_file())
        std::filesystem::create_symlink(std::filesystem::absolute(file.path()),
                                        to + "/" + file.path().filename().string());
    }
    folder_->Write(name + "/attention_presets.json", presets);
    return to;
  }

  static v1::QueryAttentionRequest Request() {
    v1::QueryAttentionRequest request;
    request.set_source(kText);
    const auto at = static_cast<uint32_t>(std::string(kText).find("it was"));
    request.mutable_query()->set_start(at);
    request.mutable_query()->set_end(at + 2);
    return request;
  }

  static grpc::Status Call(const v1::QueryAttentionRequest& request,
                           v1::QueryAttentionResponse* response) {
    grpc::ClientContext context;
    return server_->attention->QueryAttention(&context, request, response);
  }

  static v1::QueryAttentionResponse Query(const v1::QueryAttentionRequest& request) {
    v1::QueryAttentionResponse response;
    const grpc::Status status = Call(request, &response);
    EXPECT_TRUE(status.ok()) << Summary(status) << " " << status.error_message();
    return response;
  }

  // Summary of the error after `change` to a good request.
  static std::string Error(const std::function<void(v1::QueryAttentionRequest*)>& change) {
    v1::QueryAttentionRequest request = Request();
    change(&request);
    v1::QueryAttentionResponse response;
    return Summary(Call(request, &response));
  }

  static std::vector<std::string> SortedTexts(const v1::QueryAttentionResponse& response) {
    std::vector<std::string> texts;
    for (const v1::QueryAnswer& answer : response.answers()) texts.push_back(answer.word().text());
    std::sort(texts.begin(), texts.end());
    return texts;
  }

  static std::unique_ptr<TemporaryFolder> folder_;
  static std::unique_ptr<ServerUnderTest> server_;
};

std::unique_ptr<TemporaryFolder> QueryAttentionTest::folder_;
std::unique_ptr<ServerUnderTest> QueryAttentionTest::server_;

TEST_F(QueryAttentionTest, ContentWordsAnswerBestFirstInTheCallersUnit) {
  for (const v1::OffsetUnit unit :
       {v1::OFFSET_UNIT_BYTE, v1::OFFSET_UNIT_UTF16, v1::OFFSET_UNIT_CODE_POINT}) {
    v1::QueryAttentionRequest request = Request();
    request.set_offset_unit(unit);
    if (unit != v1::OFFSET_UNIT_BYTE) {  // "é" is two bytes, one of each other unit
      request.mutable_query()->set_start(request.query().start() - 1);
      request.mutable_query()->set_end(request.query().end() - 1);
    }
    request.set_max_results(10);
    const v1::QueryAttentionResponse response = Query(request);
    EXPECT_THAT(SortedTexts(response), ElementsAre("café's", "cat", "mat", "sat", "warm"));
    double sum = 0;
    float last = 1;
    for (const v1::QueryAnswer& answer : response.answers()) {
      EXPECT_EQ(TextOf(kText, answer.word().span(), unit), answer.word().text());
      EXPECT_LE(answer.weight(), last);
      last = answer.weight();
      sum += static_cast<double>(answer.weight());
    }
    EXPECT_NEAR(sum, 1.0, 1e-5);
    EXPECT_EQ(TextOf(kText, response.window(), unit), kText);
    EXPECT_EQ(response.usage().input_tokens() > 0, true);
  }
}

TEST_F(QueryAttentionTest, FunctionWordsAndFewerResultsOnRequest) {
  v1::QueryAttentionRequest request = Request();
  request.set_include_function_words(true);
  request.set_max_results(100);
  EXPECT_THAT(SortedTexts(Query(request)), ElementsAre(".", "The", "because", "café's", "cat",
                                                       "mat", "on", "sat", "the", "warm", "was"));
  request.set_max_results(2);
  EXPECT_EQ(Query(request).answers_size(), 2);
  request.set_max_results(0);
  EXPECT_EQ(Query(request).answers_size(), 5);
}

TEST_F(QueryAttentionTest, OnlyCandidatesAnswer) {
  v1::QueryAttentionRequest request = Request();
  const std::string text = kText;
  for (const std::string candidate : {"The café's cat", "the mat"}) {
    v1::Span* span = request.add_candidates();
    span->set_start(static_cast<uint32_t>(text.find(candidate)));
    span->set_end(static_cast<uint32_t>(text.find(candidate) + candidate.size()));
  }
  EXPECT_THAT(SortedTexts(Query(request)), ElementsAre("The café's cat", "the mat"));
}

TEST_F(QueryAttentionTest, TheBestFigureAnswersWhereNoModelIsNamed) {
  v1::QueryAttentionResponse response = Query(Request());
  EXPECT_EQ(response.model_revision().rfind("models/second@", 0), 0u) << response.model_revision();
  EXPECT_EQ(response.preset().preset_id(), "coreference");
  EXPECT_EQ(response.preset().direction(), v1::ATTENTION_DIRECTION_BOTH);
  EXPECT_EQ(response.preset().heads_size(), 2);
  EXPECT_FLOAT_EQ(response.preset().figure().value(), 0.75f);
  EXPECT_EQ(response.preset().figure().example_count(), 40u);

  v1::QueryAttentionRequest request = Request();
  request.set_preset("other");
  EXPECT_EQ(Query(request).model_revision().rfind("models/third@", 0), 0u);
  request.set_model("models/third");
  request.clear_choice();
  response = Query(request);
  EXPECT_EQ(response.model_revision().rfind("models/third@", 0), 0u);
  EXPECT_FALSE(response.preset().has_figure());
}

TEST_F(QueryAttentionTest, ExplicitHeadsEqualTheSameHeadsOfAPreset) {
  v1::QueryAttentionRequest request = Request();
  request.set_model("models/second");
  const v1::QueryAttentionResponse preset = Query(request);
  for (const auto& [layer, head] : {std::pair<int, int>{0, 3}, {1, 2}}) {
    v1::HeadRef* ref = request.mutable_head_list()->add_heads();
    ref->set_layer(static_cast<uint32_t>(layer));
    ref->set_head(static_cast<uint32_t>(head));
  }
  request.set_kind(v1::ATTENTION_KIND_ENCODER_SELF);
  request.set_direction(v1::ATTENTION_DIRECTION_BOTH);
  const v1::QueryAttentionResponse heads = Query(request);
  EXPECT_EQ(heads.preset().preset_id(), "");
  ASSERT_EQ(heads.answers_size(), preset.answers_size());
  for (int i = 0; i < heads.answers_size(); ++i) {
    EXPECT_EQ(heads.answers(i).word().text(), preset.answers(i).word().text());
    EXPECT_EQ(heads.answers(i).weight(), preset.answers(i).weight());
  }
}

// The word matrix of GetAttention is the other way to the same numbers.
TEST_F(QueryAttentionTest, WeightsAreThoseOfGetAttention) {
  v1::GetAttentionRequest attention;
  attention.set_model("models/second");
  attention.set_source(kText);
  attention.mutable_selection()->add_kinds(v1::ATTENTION_KIND_ENCODER_SELF);
  attention.mutable_selection()->set_granularity(v1::ATTENTION_GRANULARITY_WORD);
  attention.mutable_selection()->set_drop_special(true);
  auto* head = attention.mutable_selection()->mutable_head_list()->add_heads();
  head->set_layer(1);
  head->set_head(0);
  grpc::ClientContext context;
  v1::GetAttentionResponse weights;
  ASSERT_TRUE(server_->attention->GetAttention(&context, attention, &weights).ok());
  const auto& words = weights.attention().source_words();
  const auto word = [&](const std::string& text) {
    return static_cast<int>(std::find_if(words.begin(), words.end(),
                                         [&](const v1::Word& w) { return w.text() == text; }) -
                            words.begin());
  };
  const auto weight = [&](int row, int column) {
    return static_cast<double>(
        weights.attention().matrices(0).dense().weights(row * words.size() + column));
  };
  const int it = word("it");
  for (const v1::AttentionDirection direction :
       {v1::ATTENTION_DIRECTION_FROM_QUERY, v1::ATTENTION_DIRECTION_TO_QUERY}) {
    const bool from = direction == v1::ATTENTION_DIRECTION_FROM_QUERY;
    v1::QueryAttentionRequest request = Request();
    request.set_model("models/second");
    *request.mutable_head_list() = attention.selection().head_list();
    request.set_direction(direction);
    const v1::QueryAttentionResponse response = Query(request);
    double sum = 0;
    for (const v1::QueryAnswer& answer : response.answers()) {
      const int other = word(answer.word().text());
      sum += from ? weight(it, other) : weight(other, it);
    }
    for (const v1::QueryAnswer& answer : response.answers()) {
      const int other = word(answer.word().text());
      const double expected = (from ? weight(it, other) : weight(other, it)) / sum;
      EXPECT_NEAR(static_cast<double>(answer.weight()), expected, 1e-5) << answer.word().text();
    }
  }
}

TEST_F(QueryAttentionTest, OfALongTextTheSentencesAroundTheQueryAreRead) {
  std::string text;
  for (int i = 0; i < 200; ++i) text += "The cat sat on the mat by the door of the house. ";
  const std::string sentence = "The dog came because it was warm.";
  const auto begin = static_cast<uint32_t>(text.size());
  text += sentence;
  for (int i = 0; i < 200; ++i) text += " The cat sat on the mat by the door of the house.";
  v1::QueryAttentionRequest request;
  request.set_source(text);
  const auto at = begin + static_cast<uint32_t>(sentence.find("it "));
  request.mutable_query()->set_start(at);
  request.mutable_query()->set_end(at + 2);
  const v1::QueryAttentionResponse response = Query(request);
  EXPECT_GT(response.window().start(), 0u);
  EXPECT_LT(response.window().start(), begin);
  EXPECT_GT(response.window().end(), begin + sentence.size());
  EXPECT_LT(response.window().end(), text.size());
  for (const v1::QueryAnswer& answer : response.answers()) {
    EXPECT_EQ(TextOf(text, answer.word().span(), v1::OFFSET_UNIT_BYTE), answer.word().text());
  }

  request.add_candidates()->set_end(7);
  v1::QueryAttentionResponse none;
  EXPECT_EQ(Summary(Call(request, &none)), "INVALID_ARGUMENT INPUT_TOO_LONG candidates[0]");

  std::string endless = "It";
  for (int i = 0; i < 3000; ++i) endless += " went on and on";
  request = Request();
  request.set_source(endless);
  request.mutable_query()->set_start(0);
  request.mutable_query()->set_end(2);
  EXPECT_EQ(Summary(Call(request, &none)), "INVALID_ARGUMENT INPUT_TOO_LONG source");
}

TEST_F(QueryAttentionTest, BadSpans) {
  EXPECT_EQ(Error([](auto* r) { r->clear_query(); }), "INVALID_ARGUMENT SPAN_EMPTY query");
  EXPECT_EQ(Error([](auto* r) { r->mutable_query()->set_end(r->query().start()); }),
            "INVALID_ARGUMENT SPAN_EMPTY query");
  EXPECT_EQ(Error([](auto* r) { r->mutable_query()->set_end(1); }),
            "INVALID_ARGUMENT SPAN_INVALID query");
  EXPECT_EQ(Error([](auto* r) { r->mutable_query()->set_end(10000); }),
            "INVALID_ARGUMENT SPAN_INVALID query");
  EXPECT_EQ(Error([](auto* r) { r->mutable_query()->set_end(0xffffffffu); }),
            "INVALID_ARGUMENT SPAN_INVALID query");
  EXPECT_EQ(Error([](auto* r) {  // inside "é"
              r->mutable_query()->set_start(0);
              r->mutable_query()->set_end(8);
            }),
            "INVALID_ARGUMENT SPAN_INVALID query");
  EXPECT_EQ(Error([](auto* r) {  // a space
              r->mutable_query()->set_start(3);
              r->mutable_query()->set_end(4);
            }),
            "INVALID_ARGUMENT SPAN_EMPTY query");
  const auto candidate_error = [](uint32_t start, uint32_t end) {
    return Error([&](auto* r) {
      r->add_candidates()->set_end(3);
      r->mutable_candidates(0)->set_start(0);
      r->add_candidates()->set_start(start);
      r->mutable_candidates(1)->set_end(end);
    });
  };
  EXPECT_EQ(candidate_error(3, 4), "INVALID_ARGUMENT SPAN_EMPTY candidates[1]");
  EXPECT_EQ(candidate_error(4, 3), "INVALID_ARGUMENT SPAN_INVALID candidates[1]");
  EXPECT_EQ(candidate_error(0, 900), "INVALID_ARGUMENT SPAN_INVALID candidates[1]");
  const v1::QueryAttentionRequest request = Request();
  EXPECT_EQ(candidate_error(request.query().start(), request.query().end()),
            "INVALID_ARGUMENT SPAN_INVALID candidates[1]");
  EXPECT_EQ(Error([](auto* r) {
              for (int i = 0; i < 1025; ++i) r->add_candidates()->set_end(3);
            }),
            "INVALID_ARGUMENT OPTION_OUT_OF_RANGE candidates");
}

TEST_F(QueryAttentionTest, BadHeadsPresetsAndModels) {
  const auto head_error = [](uint32_t layer, uint32_t head) {
    return Error([&](auto* r) {
      r->set_model("models/first");
      r->mutable_head_list()->add_heads();
      r->mutable_head_list()->add_heads()->set_layer(layer);
      r->mutable_head_list()->mutable_heads(1)->set_head(head);
    });
  };
  EXPECT_EQ(head_error(2, 0), "INVALID_ARGUMENT HEAD_OUT_OF_RANGE head_list.heads[1].layer");
  EXPECT_EQ(head_error(0, 4), "INVALID_ARGUMENT HEAD_OUT_OF_RANGE head_list.heads[1].head");
  EXPECT_EQ(head_error(0, 0), "INVALID_ARGUMENT OPTION_OUT_OF_RANGE head_list.heads[1]");
  EXPECT_EQ(Error([](auto* r) {
              r->set_model("models/first");
              r->mutable_head_list();
            }),
            "INVALID_ARGUMENT OPTION_OUT_OF_RANGE head_list.heads");
  EXPECT_EQ(Error([](auto* r) { r->mutable_head_list()->add_heads(); }),
            "INVALID_ARGUMENT OPTION_OUT_OF_RANGE model");
  const auto kind_error = [](v1::AttentionKind kind) {
    return Error([&](auto* r) {
      r->set_model("models/first");
      r->mutable_head_list()->add_heads();
      r->set_kind(kind);
    });
  };
  EXPECT_EQ(kind_error(v1::ATTENTION_KIND_CROSS), "INVALID_ARGUMENT OPTION_OUT_OF_RANGE kind");
  EXPECT_EQ(kind_error(v1::ATTENTION_KIND_DECODER_SELF), "FAILED_PRECONDITION CAPABILITY_MISSING");
  EXPECT_EQ(kind_error(static_cast<v1::AttentionKind>(77)),
            "INVALID_ARGUMENT OPTION_OUT_OF_RANGE kind");
  EXPECT_EQ(Error([](auto* r) { r->set_kind(v1::ATTENTION_KIND_ENCODER_SELF); }),
            "INVALID_ARGUMENT OPTION_OUT_OF_RANGE kind");
  EXPECT_EQ(Error([](auto* r) { r->set_direction(v1::ATTENTION_DIRECTION_BOTH); }),
            "INVALID_ARGUMENT OPTION_OUT_OF_RANGE direction");
  EXPECT_EQ(Error([](auto* r) {
              r->set_model("models/first");
              r->mutable_head_list()->add_heads();
              r->set_direction(static_cast<v1::AttentionDirection>(9));
            }),
            "INVALID_ARGUMENT OPTION_OUT_OF_RANGE direction");

  EXPECT_EQ(Error([](auto* r) { r->set_preset(""); }),
            "INVALID_ARGUMENT OPTION_OUT_OF_RANGE preset");
  EXPECT_EQ(Error([](auto* r) { r->set_preset("alignment"); }),
            "INVALID_ARGUMENT OPTION_OUT_OF_RANGE preset");
  EXPECT_EQ(Error([](auto* r) { r->set_preset("none"); }), "NOT_FOUND PRESET_NOT_FOUND");
  EXPECT_EQ(Error([](auto* r) { r->set_model("models/bare"); }), "NOT_FOUND PRESET_NOT_FOUND");
  EXPECT_EQ(Error([](auto* r) { r->set_model("models/none"); }), "NOT_FOUND MODEL_NOT_FOUND");
  EXPECT_EQ(Error([](auto* r) { r->set_model("a/b"); }),
            "INVALID_ARGUMENT MODEL_NAME_INVALID model");

  v1::QueryAttentionRequest request = Request();
  request.set_preset("none");
  v1::QueryAttentionResponse response;
  EXPECT_EQ(ErrorOf(Call(request, &response)).metadata.at("presets"),
            "alignment,coreference,other");
}

TEST_F(QueryAttentionTest, BadTexts) {
  EXPECT_EQ(Error([](auto* r) { r->clear_source(); }), "INVALID_ARGUMENT EMPTY_INPUT source");
  EXPECT_EQ(Error([](auto* r) {
              r->set_source("   ");
              r->mutable_query()->set_start(0);
              r->mutable_query()->set_end(1);
            }),
            "INVALID_ARGUMENT EMPTY_INPUT source");
  EXPECT_EQ(Error([](auto* r) { r->set_source(std::string(300 << 10, 'a')); }),
            "INVALID_ARGUMENT INPUT_TOO_LONG source");
  EXPECT_EQ(Error([](auto* r) { r->set_source_language_code("!"); }),
            "INVALID_ARGUMENT LANGUAGE_CODE_INVALID source_language_code");
  EXPECT_EQ(Error([](auto* r) { r->set_offset_unit(static_cast<v1::OffsetUnit>(9)); }),
            "INVALID_ARGUMENT OPTION_OUT_OF_RANGE offset_unit");
  v1::QueryAttentionRequest request;
  request.set_source("It.");
  request.mutable_query()->set_end(2);
  EXPECT_EQ(Query(request).answers_size(), 0);  // nothing else may answer
}

TEST_F(QueryAttentionTest, IsCounted) {
  const std::map<std::string, std::string> labels = {{"model", "second"}, {"kind", "query"}};
  const double before = server_->MetricValue("attend_attention_requests_total", labels);
  Query(Request());
  EXPECT_TRUE(server_->WaitForMetric("attend_attention_requests_total", labels, before + 1));
}

}  // namespace
}  // namespace attend::server
