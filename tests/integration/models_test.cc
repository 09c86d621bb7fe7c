// ListModels and GetModel, and servers whose models do not all load.
#include <filesystem>

#include "gtest/gtest.h"
#include "tests/integration/server_under_test.h"
#include "tests/testing/temporary_folder.h"

namespace attend::server {
namespace {

namespace v1 = attend::v1;

TEST(GetModelTest, DescribesTheModel) {
  v1::GetModelRequest request;
  request.set_name("models/tiny");
  grpc::ClientContext context;
  v1::GetModelResponse response;
  ASSERT_TRUE(SharedServer().models->GetModel(&context, request, &response).ok());
  const v1::Model& model = response.model();
  EXPECT_EQ(model.name(), "models/tiny");
  EXPECT_EQ(model.revision().size(), 16u);
  EXPECT_EQ(model.architecture(), "MarianMTModel");
  EXPECT_EQ(model.state(), v1::MODEL_STATE_SERVING);
  EXPECT_EQ(model.encoder_layer_count(), 2u);
  EXPECT_EQ(model.decoder_layer_count(), 2u);
  EXPECT_EQ(model.head_count(), 4u);
  EXPECT_EQ(model.max_input_tokens(), 128u);
  EXPECT_EQ(model.compute_type(), "float32");
  EXPECT_GT(model.weight_bytes(), 61184 * 3);
  EXPECT_EQ(model.language_pairs(0).source_language_code(), "en");
  EXPECT_EQ(model.language_pairs(0).target_language_code(), "fr");
  ASSERT_GE(model.attention_presets_size(), 1);
  EXPECT_EQ(model.attention_presets(0).preset_id(), "alignment");
  EXPECT_GT(model.load_time().seconds(), 1600000000);
  EXPECT_FALSE(model.has_error());
}

TEST(ListModelsTest, PagesByNameAndFailedModelsSayWhy) {
  ServerOptions options = TinyOptions();
  options.models = {
      {"c", TinyModelFolder()}, {"a", TinyModelFolder()}, {"b", "/nonexistent/model"}};
  ServerUnderTest server(options);
  std::vector<std::string> names;
  std::string token;
  int pages = 0;
  do {
    v1::ListModelsRequest request;
    request.set_page_size(2);
    request.set_page_token(token);
    grpc::ClientContext context;
    v1::ListModelsResponse response;
    ASSERT_TRUE(server.models->ListModels(&context, request, &response).ok());
    for (const v1::Model& model : response.models()) names.push_back(model.name());
    token = response.next_page_token();
    ASSERT_LT(++pages, 5);
  } while (!token.empty());
  EXPECT_EQ(names, (std::vector<std::string>{"models/a", "models/b", "models/c"}));
  EXPECT_EQ(pages, 2);

  v1::GetModelRequest request;
  request.set_name("models/b");
  grpc::ClientContext context;
  v1::GetModelResponse response;
  ASSERT_TRUE(server.models->GetModel(&context, request, &response).ok());
  EXPECT_EQ(response.model().state(), v1::MODEL_STATE_FAILED);
  EXPECT_EQ(response.model().error().code(), static_cast<int>(grpc::StatusCode::NOT_FOUND));

  v1::TranslateRequest translate = TranslateOf({"Yes."});
  translate.mutable_config()->set_model("models/b");
  grpc::ClientContext failed;
  v1::TranslateResponse translated;
  const CallError error = ErrorOf(server.translation->Translate(&failed, translate, &translated));
  EXPECT_EQ(Summary(error), "FAILED_PRECONDITION MODEL_FAILED");
  EXPECT_EQ(error.violation_type, "MODEL_FAILED");
  EXPECT_EQ(error.metadata.count("cause"), 1u);
  EXPECT_EQ(server.MetricValue("attend_model_loads_total", {{"model", "b"}, {"outcome", "error"}}),
            1);
  EXPECT_EQ(server.MetricValue("attend_model_state", {{"model", "b"}, {"state", "failed"}}), 1);

  // Several models and nothing to choose by: the caller has to say. Among those of a pair the first
  // by name answers.
  translate.mutable_config()->clear_model();
  grpc::ClientContext ambiguous;
  EXPECT_EQ(Summary(server.translation->Translate(&ambiguous, translate, &translated)),
            "INVALID_ARGUMENT OPTION_OUT_OF_RANGE config.model");
  translate.mutable_config()->set_source_language_code("en");
  translate.mutable_config()->set_target_language_code("fr");
  grpc::ClientContext chosen;
  ASSERT_TRUE(server.translation->Translate(&chosen, translate, &translated).ok());
  EXPECT_EQ(translated.outcomes(0).translation().model_revision().substr(0, 9), "models/a@");
}

TEST(ComputeTypeTest, IsChosenForEachModel) {
  ServerOptions options = TinyOptions();
  options.models = {{"plain", TinyModelFolder()}, {"auto", TinyModelFolder()}};
  options.models[1].choices.compute_type = std::nullopt;
  ServerUnderTest server(options);
  const std::vector<std::pair<const char*, const char*>> expected = {{"plain", "float32"},
                                                                     {"auto", "int8"}};
  for (const auto& [name, type] : expected) {
    v1::GetModelRequest request;
    request.set_name(std::string("models/") + name);
    grpc::ClientContext context;
    v1::GetModelResponse response;
    ASSERT_TRUE(server.models->GetModel(&context, request, &response).ok());
    EXPECT_EQ(response.model().state(), v1::MODEL_STATE_SERVING);
    EXPECT_EQ(response.model().compute_type(), type);
    EXPECT_EQ(server.MetricValue("attend_model_info", {{"model", name},
                                                       {"revision", response.model().revision()},
                                                       {"architecture", "MarianMTModel"},
                                                       {"compute_type", type}}),
              1);
    v1::TranslateRequest translate = TranslateOf({"Yes."});
    translate.mutable_config()->set_model(std::string("models/") + name);
    grpc::ClientContext served;
    v1::TranslateResponse translated;
    EXPECT_TRUE(server.translation->Translate(&served, translate, &translated).ok());
  }
}

TEST(ListModelsTest, BrokenFoldersAreToldWithoutPathsAndInUtf8) {
  const TemporaryFolder temporary;
  std::filesystem::create_directory(temporary.Path("odd"));
  temporary.Write("odd/config.json", "{\"model_type\": \"caf\xE9\"}");
  ServerOptions options = TinyOptions();
  // A relative folder is told as it was given; its name need not be UTF-8.
  options.models = {
      {"a", TinyModelFolder()}, {"odd", temporary.Path("odd")}, {"named", "no/caf\xE9"}};
  ServerUnderTest server(options);
  grpc::ClientContext context;
  v1::ListModelsResponse response;
  const grpc::Status status =
      server.models->ListModels(&context, v1::ListModelsRequest(), &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_EQ(response.models_size(), 3);
  EXPECT_EQ(response.models(1).state(), v1::MODEL_STATE_FAILED);
  EXPECT_NE(response.models(1).error().message().find("caf\xEF\xBF\xBD"), std::string::npos)
      << response.models(1).error().message();
  EXPECT_EQ(response.models(2).state(), v1::MODEL_STATE_FAILED);
  EXPECT_NE(response.models(2).error().message().find("config.json"), std::string::npos);

  v1::TranslateRequest translate = TranslateOf({"Yes."});
  translate.mutable_config()->set_model("models/odd");
  grpc::ClientContext failed;
  v1::TranslateResponse translated;
  const CallError error = ErrorOf(server.translation->Translate(&failed, translate, &translated));
  EXPECT_EQ(Summary(error), "FAILED_PRECONDITION MODEL_FAILED");
  for (const std::string& told : {response.models(2).error().SerializeAsString(), error.message,
                                  error.metadata.at("cause")}) {
    EXPECT_EQ(told.find(temporary.path()), std::string::npos) << told;
  }
}

TEST(StartTest, SaysWhatIsWrong) {
  ServerOptions options = TinyOptions();
  options.models = {{"b", "/nonexistent/model"}};
  Server none(options);
  ASSERT_TRUE(none.Start().ok());
  EXPECT_EQ(none.WaitUntilLoaded().code(), absl::StatusCode::kNotFound);

  options = TinyOptions();
  options.listen = SharedServer().address();
  Server taken(options);
  EXPECT_EQ(taken.Start().code(), absl::StatusCode::kUnavailable);
  options = TinyOptions();
  options.metrics_address = "127.0.0.1:" + std::to_string(SharedServer().server().metrics_port());
  Server taken_metrics(options);
  EXPECT_EQ(taken_metrics.Start().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace attend::server
