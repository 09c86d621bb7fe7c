// /metrics as Prometheus scrapes it: complete from the start, in seconds, bounded, and as
// docs/metrics.md says.
#include <fstream>
#include <set>
#include <sstream>

#include "gtest/gtest.h"
#include "server/metrics/metric_table.h"
#include "server/rpc_method.h"
#include "tests/integration/server_under_test.h"

namespace attend::server {
namespace {

namespace v1 = attend::v1;

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// Names after "# TYPE ".
std::set<std::string> FamiliesOf(const std::string& text) {
  std::set<std::string> names;
  for (const std::string& line : Lines(text)) {
    if (line.rfind("# TYPE ", 0) == 0) names.insert(line.substr(7, line.find(' ', 7) - 7));
  }
  return names;
}

TEST(MetricsPageTest, EveryRowIsThereFromTheStartAndDocumented) {
  ServerUnderTest server;
  int status = 0;
  const std::string page = HttpGet(server.server().metrics_port(), "/metrics", &status);
  EXPECT_EQ(status, 200);
  std::set<std::string> table;
  for (const MetricRow& row : MetricTable()) table.insert(row.name);
  EXPECT_EQ(FamiliesOf(page), table);

  std::set<std::string> documented;
  std::ifstream file(ATTEND_SOURCE_DIR "/docs/metrics.md");
  std::map<std::string, std::string> labels_in_doc;
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("| `", 0) != 0) continue;
    const std::string name = line.substr(3, line.find('`', 3) - 3);
    documented.insert(name);
    labels_in_doc[name] = line;
  }
  EXPECT_EQ(documented, table);
  for (const MetricRow& row : MetricTable()) {
    for (const std::string& label : row.labels) {
      EXPECT_NE(labels_in_doc[row.name].find(label), std::string::npos)
          << row.name << " lacks label " << label;
    }
  }
}

TEST(MetricsPageTest, StartsAtZeroForAllMethodsCodesAndModels) {
  ServerUnderTest server;
  for (const RpcMethodRow& row : kRpcMethods) {
    const std::map<std::string, std::string> labels = {
        {"grpc_type", row.type}, {"grpc_service", row.service}, {"grpc_method", row.name}};
    EXPECT_EQ(server.MetricValue("grpc_server_started_total", labels), 0) << row.name;
    for (const char* code :
         {"OK", "Canceled", "InvalidArgument", "ResourceExhausted", "Unauthenticated"}) {
      auto with_code = labels;
      with_code["grpc_code"] = code;
      EXPECT_EQ(server.MetricValue("grpc_server_handled_total", with_code), 0) << row.name << code;
    }
  }
  EXPECT_EQ(server.MetricValue("attend_items_total",
                               {{"method", "Translate"}, {"model", "tiny"}, {"outcome", "ok"}}),
            0);
  EXPECT_EQ(server.MetricValue("attend_queue_tokens", {{"model", "tiny"}}), 0);
  EXPECT_EQ(server.MetricValue("attend_ready"), 1);
  EXPECT_EQ(server.MetricValue("attend_model_loads_total", {{"model", "tiny"}, {"outcome", "ok"}}),
            1);
  EXPECT_GT(server.MetricValue("attend_model_weight_bytes", {{"model", "tiny"}}), 200000);
  EXPECT_GT(server.MetricValue("attend_queue_capacity_tokens", {{"model", "tiny"}}), 0);
}

TEST(MetricsPageTest, CountsCallsItemsTokensAndSeconds) {
  ServerUnderTest server;
  v1::TranslateRequest request =
      TranslateOf({"The cat sat on the mat.", "Yes.", std::string(300000, 'a')});
  request.mutable_config()->set_include_word_links(true);
  grpc::ClientContext context, wrong;
  v1::TranslateResponse response;
  ASSERT_TRUE(server.translation->Translate(&context, request, &response).ok());
  EXPECT_FALSE(server.translation->Translate(&wrong, v1::TranslateRequest(), &response).ok());
  const std::map<std::string, std::string> method = {
      {"grpc_type", "unary"},
      {"grpc_service", "attend.v1.TranslationService"},
      {"grpc_method", "Translate"}};
  auto ok = method, invalid = method;
  ok["grpc_code"] = "OK";
  invalid["grpc_code"] = "InvalidArgument";
  EXPECT_EQ(server.MetricValue("grpc_server_handled_total", ok), 1);
  EXPECT_EQ(server.MetricValue("grpc_server_handled_total", invalid), 1);
  const auto items = [&](const std::string& outcome) {
    return server.MetricValue("attend_items_total",
                              {{"method", "Translate"}, {"model", "tiny"}, {"outcome", outcome}});
  };
  EXPECT_EQ(items("ok"), 2);
  EXPECT_EQ(items("INPUT_TOO_LONG"), 1);
  EXPECT_EQ(server.MetricValue("attend_output_tokens_total", {{"model", "tiny"}}),
            response.usage().output_tokens());
  EXPECT_GT(server.MetricValue("attend_output_tokens_total", {{"model", "tiny"}}), 0);
  EXPECT_GT(server.MetricValue("attend_decode_steps_total", {{"model", "tiny"}}), 0);
  EXPECT_EQ(
      server.MetricValue("attend_attention_requests_total", {{"model", "tiny"}, {"kind", "align"}}),
      1);
  EXPECT_EQ(server.MetricValue("attend_item_segments_count", {{"model", "tiny"}}), 2);
  EXPECT_GT(server.MetricValue("attend_time_to_first_token_seconds_count", {{"model", "tiny"}}), 0);
  // Seconds: the call took some milliseconds, not thousands of anything.
  const double seconds = server.MetricValue("attend_item_duration_seconds_sum",
                                            {{"method", "Translate"}, {"model", "tiny"}});
  EXPECT_GT(seconds, 0);
  EXPECT_LT(seconds, 30);
  EXPECT_GT(server.MetricValue("process_resident_memory_bytes"), 1e6);
  EXPECT_GT(server.MetricValue("process_start_time_seconds"), 1.6e9);
}

TEST(MetricsPageTest, AnUnknownModelMakesNoSeriesAndFourModelsStayBelowFourThousand) {
  ServerOptions options = TinyOptions();
  for (const char* name : {"b", "c", "d"}) options.models.push_back({name, TinyModelFolder()});
  ServerUnderTest server(options);
  for (int i = 0; i < 20; ++i) {
    v1::TranslateRequest request = TranslateOf({"Yes."});
    request.mutable_config()->set_model("models/unknown" + std::to_string(i));
    grpc::ClientContext context;
    v1::TranslateResponse response;
    EXPECT_FALSE(server.translation->Translate(&context, request, &response).ok());
  }
  const std::string page = server.server().MetricsText();
  EXPECT_EQ(page.find("unknown"), std::string::npos);
  int series = 0;
  for (const std::string& line : Lines(page)) series += !line.empty() && line[0] != '#';
  EXPECT_LT(series, 4000);
  EXPECT_GT(series, 1000);
}

TEST(MetricsPageTest, ProbesAndOtherPages) {
  const int port = SharedServer().server().metrics_port();
  int status = 0;
  EXPECT_EQ(HttpGet(port, "/livez", &status), "ok\n");
  EXPECT_EQ(HttpGet(port, "/readyz", &status), "ok\n");
  HttpGet(port, "/etc/passwd", &status);
  EXPECT_EQ(status, 404);
  for (const char* other : {"/", "/metrics/foo", "/metrics/", "/livez/x", "/readyzz"}) {
    HttpGet(port, other, &status);
    EXPECT_EQ(status, 404) << other;
  }
}

TEST(MetricsPageTest, ConnectionsThatSayNothingKeepNobodyWaiting) {
  const int port = SharedServer().server().metrics_port();
  std::vector<std::unique_ptr<HalfRequest>> silent;
  for (int i = 0; i < 12; ++i) silent.push_back(std::make_unique<HalfRequest>(port));
  for (const char* page : {"/livez", "/readyz", "/metrics"}) {
    int status = 0;
    HttpGet(port, page, &status);
    EXPECT_EQ(status, 200) << page;
  }
  EXPECT_TRUE(silent.back()->is_open()) << "answered only because their time was over";
}

TEST(MetricsPageTest, CountsWhatHappenedAndNothingElse) {
  ServerOptions options = TinyOptions();
  options.models.push_back({"broken", "/nonexistent/model"});
  ServerUnderTest server(options);
  EXPECT_EQ(server.MetricValue("attend_workers", {{"pool", "engine_loop"}}), 1)
      << "a model that failed to load has no loop";

  v1::TranslateResponse response;
  grpc::ClientContext blank, failed, attention_context;
  ASSERT_TRUE(server.translation->Translate(&blank, TranslateOf({" "}), &response).ok());
  const auto phases = [&](const std::string& phase) {
    return server.MetricValue("attend_phase_duration_seconds_count",
                              {{"model", "tiny"}, {"phase", phase}});
  };
  EXPECT_EQ(phases("encode"), 0) << "nothing was encoded";
  EXPECT_EQ(phases("decode"), 0);

  v1::GetAttentionRequest attention;
  attention.set_model("models/tiny");
  attention.mutable_selection()->add_kinds(v1::ATTENTION_KIND_CROSS);
  v1::GetAttentionResponse weights;
  EXPECT_FALSE(server.attention->GetAttention(&attention_context, attention, &weights).ok());
  const std::map<std::string, std::string> item = {{"method", "GetAttention"}, {"model", "tiny"}};
  EXPECT_EQ(server.MetricValue("attend_item_duration_seconds_count", item), 0);
  auto empty = item;
  empty["outcome"] = "EMPTY_INPUT";
  EXPECT_EQ(server.MetricValue("attend_items_total", empty), 1);

  // A call that fails as a whole: all its items have its reason, and no duration.
  v1::TranslateRequest request = TranslateOf({"Yes.", "Yes."});
  request.mutable_config()->mutable_decoding()->set_beam_size(9);
  EXPECT_FALSE(server.translation->Translate(&failed, request, &response).ok());
  EXPECT_EQ(server.MetricValue(
                "attend_items_total",
                {{"method", "Translate"}, {"model", "tiny"}, {"outcome", "BEAM_TOO_LARGE"}}),
            2);
  EXPECT_EQ(server.MetricValue("attend_item_duration_seconds_count",
                               {{"method", "Translate"}, {"model", "tiny"}}),
            1);
}

}  // namespace
}  // namespace attend::server
