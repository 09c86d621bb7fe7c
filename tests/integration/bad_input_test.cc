// Every row of the bad-input table of docs/api.md that concerns these RPCs: code, reason and field
// path as a client decodes them.
#include <cmath>
#include <functional>
#include <limits>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "grpcpp/generic/generic_stub.h"
#include "gtest/gtest.h"
#include "tests/integration/server_under_test.h"

namespace attend::server {
namespace {

namespace v1 = attend::v1;
using ::testing::HasSubstr;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

grpc::Status Translate(const v1::TranslateRequest& request, v1::TranslateResponse* response) {
  grpc::ClientContext context;
  return SharedServer().translation->Translate(&context, request, response);
}

// Summary of the call's error after `change` to a good request.
std::string TranslateError(const std::function<void(v1::TranslateRequest*)>& change) {
  v1::TranslateRequest request = TranslateOf({"The cat sat on the mat."});
  change(&request);
  v1::TranslateResponse response;
  const grpc::Status status = Translate(request, &response);
  const CallError error = ErrorOf(status);
  if (!status.ok()) {
    EXPECT_EQ(error.num_error_infos, 1);
    EXPECT_EQ(error.domain, "attend");
    EXPECT_FALSE(error.message.empty());
  }
  return Summary(error);
}

std::string DecodingError(const std::function<void(v1::DecodingOptions*)>& change) {
  return TranslateError([&](v1::TranslateRequest* request) {
    change(request->mutable_config()->mutable_decoding());
  });
}

v1::GetAttentionRequest AttentionRequest() {
  v1::GetAttentionRequest request;
  request.set_model("models/tiny");
  request.set_source("The cat sat on the mat.");
  request.mutable_selection()->add_kinds(v1::ATTENTION_KIND_CROSS);
  return request;
}

CallError AttentionErrorDetails(const std::function<void(v1::GetAttentionRequest*)>& change) {
  v1::GetAttentionRequest request = AttentionRequest();
  change(&request);
  grpc::ClientContext context;
  v1::GetAttentionResponse response;
  const CallError error =
      ErrorOf(SharedServer().attention->GetAttention(&context, request, &response));
  // The stream refuses the same requests in the same words.
  v1::StreamAttentionRequest stream_request;
  EXPECT_TRUE(stream_request.ParseFromString(request.SerializeAsString()));
  grpc::ClientContext stream_context;
  auto reader = SharedServer().attention->StreamAttention(&stream_context, stream_request);
  v1::StreamAttentionResponse part;
  EXPECT_FALSE(reader->Read(&part));
  EXPECT_EQ(Summary(reader->Finish()), Summary(error));
  return error;
}

std::string AttentionError(const std::function<void(v1::GetAttentionRequest*)>& change) {
  return Summary(AttentionErrorDetails(change));
}

TEST(BadTranslateTest, Items) {
  EXPECT_EQ(TranslateError([](auto* r) { r->clear_texts(); }), "INVALID_ARGUMENT NO_ITEMS texts");
  EXPECT_EQ(TranslateError([](auto* r) {
              for (int i = 0; i < 64; ++i) r->add_texts("Yes.");
            }),
            "INVALID_ARGUMENT TOO_MANY_ITEMS texts");
}

TEST(BadTranslateTest, AnItemThatIsTooLongFailsAlone) {
  v1::TranslateRequest request = TranslateOf({"Yes.", std::string(256 * 1024 + 1, 'a'), "Yes."});
  v1::TranslateResponse response;
  ASSERT_TRUE(Translate(request, &response).ok());
  ASSERT_EQ(response.outcomes_size(), 3);
  EXPECT_EQ(Summary(ErrorOf(response.outcomes(1).error())),
            "INVALID_ARGUMENT INPUT_TOO_LONG texts[1]");
  EXPECT_EQ(response.outcomes(0).translation().text(), response.outcomes(2).translation().text());
}

TEST(BadTranslateTest, RejectPolicyRefusesWhatTheModelCannotTakeAtOnce) {
  std::string text;
  for (int i = 0; i < 200; ++i) text += "cat and ";
  v1::TranslateRequest request = TranslateOf({text});
  request.mutable_config()->set_overflow_policy(v1::OVERFLOW_POLICY_REJECT);
  v1::TranslateResponse response;
  ASSERT_TRUE(Translate(request, &response).ok());
  EXPECT_EQ(Summary(ErrorOf(response.outcomes(0).error())),
            "INVALID_ARGUMENT INPUT_TOO_LONG texts[0]");
  request.mutable_config()->set_overflow_policy(v1::OVERFLOW_POLICY_TRUNCATE);
  ASSERT_TRUE(Translate(request, &response).ok());
  EXPECT_GT(response.outcomes(0).translation().truncated_input_tokens(), 0u);
}

TEST(BadTranslateTest, ModelsAndLanguages) {
  v1::TranslateRequest request = TranslateOf({"Yes."});
  request.mutable_config()->set_model("models/none");
  v1::TranslateResponse response;
  const CallError missing = ErrorOf(Translate(request, &response));
  EXPECT_EQ(Summary(missing), "NOT_FOUND MODEL_NOT_FOUND");
  EXPECT_EQ(missing.resource_name, "models/none");
  for (const char* name : {"models/", "models/a/b", "../etc", "a b", "models/\xC3\xA9"}) {
    EXPECT_EQ(TranslateError([&](auto* r) { r->mutable_config()->set_model(name); }),
              "INVALID_ARGUMENT MODEL_NAME_INVALID config.model")
        << name;
  }
  request = TranslateOf({"Yes."});
  request.mutable_config()->clear_model();
  request.mutable_config()->set_source_language_code("de");
  request.mutable_config()->set_target_language_code("ja");
  const CallError pair = ErrorOf(Translate(request, &response));
  EXPECT_EQ(Summary(pair), "NOT_FOUND LANGUAGE_PAIR_NOT_SERVED");
  bool pairs_are_told = false;
  for (const auto& [key, value] : pair.metadata)
    pairs_are_told = pairs_are_told || value.find("en") != std::string::npos;
  EXPECT_TRUE(pairs_are_told);
  EXPECT_EQ(TranslateError(
                [](auto* r) { r->mutable_config()->set_source_language_code("not a language"); }),
            "INVALID_ARGUMENT LANGUAGE_CODE_INVALID config.source_language_code");
  EXPECT_EQ(TranslateError([](auto* r) { r->mutable_config()->set_target_language_code("fr--"); }),
            "INVALID_ARGUMENT LANGUAGE_CODE_INVALID config.target_language_code");
}

TEST(BadTranslateTest, DecodingOptions) {
  const std::string prefix = "INVALID_ARGUMENT OPTION_OUT_OF_RANGE config.decoding.";
  EXPECT_EQ(DecodingError([](auto* d) { d->set_beam_size(9); }),
            "INVALID_ARGUMENT BEAM_TOO_LARGE config.decoding.beam_size");
  EXPECT_EQ(DecodingError([](auto* d) { d->set_beam_size(4000000000u); }),
            "INVALID_ARGUMENT BEAM_TOO_LARGE config.decoding.beam_size");
  EXPECT_EQ(DecodingError([](auto* d) { d->set_beam_size(0); }), prefix + "beam_size");
  EXPECT_EQ(DecodingError([](auto* d) {
              d->set_beam_size(2);
              d->set_hypothesis_count(3);
            }),
            prefix + "hypothesis_count");
  for (const float bad : {kNan, kInfinity, -kInfinity}) {
    EXPECT_EQ(DecodingError([&](auto* d) { d->set_length_penalty(bad); }),
              prefix + "length_penalty");
  }
  for (const float bad : {kNan, kInfinity, -1.0f, 0.0f}) {
    EXPECT_EQ(DecodingError([&](auto* d) { d->set_repetition_penalty(bad); }),
              prefix + "repetition_penalty");
    EXPECT_EQ(DecodingError([&](auto* d) { d->mutable_sampling()->set_temperature(bad); }),
              prefix + "sampling.temperature");
    EXPECT_EQ(DecodingError([&](auto* d) { d->mutable_sampling()->set_top_p(bad); }),
              prefix + "sampling.top_p");
  }
  EXPECT_EQ(DecodingError([](auto* d) { d->set_max_output_tokens(0); }),
            prefix + "max_output_tokens");
  EXPECT_EQ(
      DecodingError([](auto* d) { d->set_early_stopping(static_cast<v1::EarlyStopping>(77)); }),
      prefix + "early_stopping");
}

TEST(BadTranslateTest, UnknownEnumValues) {
  const std::string prefix = "INVALID_ARGUMENT OPTION_OUT_OF_RANGE config.";
  EXPECT_EQ(TranslateError([](auto* r) {
              r->mutable_config()->set_offset_unit(static_cast<v1::OffsetUnit>(9));
            }),
            prefix + "offset_unit");
  EXPECT_EQ(TranslateError([](auto* r) {
              r->mutable_config()->set_overflow_policy(static_cast<v1::OverflowPolicy>(9));
            }),
            prefix + "overflow_policy");
  EXPECT_EQ(TranslateError([](auto* r) { r->mutable_config()->mutable_attention(); }),
            prefix + "attention.kinds");
}

TEST(BadTranslateTest, AttentionOfATranslation) {
  EXPECT_EQ(TranslateError([](auto* r) {
              auto* attention = r->mutable_config()->mutable_attention();
              attention->add_kinds(v1::ATTENTION_KIND_CROSS);
              attention->mutable_head_list()->add_heads()->set_layer(99);
            }),
            "INVALID_ARGUMENT HEAD_OUT_OF_RANGE config.attention.head_list.heads[0].layer");
}

TEST(BadAttentionTest, Texts) {
  EXPECT_EQ(AttentionError([](auto* r) { r->clear_source(); }),
            "INVALID_ARGUMENT EMPTY_INPUT source");
  EXPECT_EQ(AttentionError([](auto* r) { r->set_source(" \n\t"); }),
            "INVALID_ARGUMENT EMPTY_INPUT source");
  EXPECT_EQ(AttentionError([](auto* r) { r->set_target(""); }),
            "INVALID_ARGUMENT EMPTY_INPUT target");
  EXPECT_EQ(AttentionError([](auto* r) { r->set_source(std::string(300000, 'a')); }),
            "INVALID_ARGUMENT INPUT_TOO_LONG source");
}

TEST(BadAttentionTest, Models) {
  const CallError missing = AttentionErrorDetails([](auto* r) { r->set_model("models/none"); });
  EXPECT_EQ(Summary(missing), "NOT_FOUND MODEL_NOT_FOUND");
  EXPECT_EQ(missing.resource_name, "models/none");
  EXPECT_EQ(AttentionError([](auto* r) { r->clear_model(); }),
            "INVALID_ARGUMENT MODEL_NAME_INVALID model");
}

TEST(BadAttentionTest, Selections) {
  const CallError head = AttentionErrorDetails([](auto* r) {
    auto* heads = r->mutable_selection()->mutable_head_list();
    for (uint32_t i = 0; i < 3; ++i) heads->add_heads()->set_head(i);
    heads->add_heads()->set_layer(7);
  });
  EXPECT_EQ(Summary(head), "INVALID_ARGUMENT HEAD_OUT_OF_RANGE selection.head_list.heads[3].layer");
  EXPECT_EQ(head.metadata.at("limit"), "2");
  EXPECT_EQ(AttentionError([](auto* r) {
              r->mutable_selection()->mutable_head_list()->add_heads()->set_head(4294967295u);
            }),
            "INVALID_ARGUMENT HEAD_OUT_OF_RANGE selection.head_list.heads[0].head");
  EXPECT_EQ(AttentionError([](auto* r) { r->mutable_selection()->mutable_head_list(); }),
            "INVALID_ARGUMENT OPTION_OUT_OF_RANGE selection.head_list.heads");
  const CallError preset =
      AttentionErrorDetails([](auto* r) { r->mutable_selection()->set_preset("none"); });
  EXPECT_EQ(Summary(preset), "NOT_FOUND PRESET_NOT_FOUND");
  EXPECT_THAT(preset.metadata.at("presets"), HasSubstr("alignment"));
  EXPECT_EQ(AttentionError([](auto* r) {
              r->mutable_selection()->set_reduction(v1::ATTENTION_REDUCTION_ROLLOUT);
            }),
            "INVALID_ARGUMENT REDUCTION_NOT_APPLICABLE selection.reduction");
  EXPECT_EQ(AttentionError([](auto* r) { r->mutable_selection()->clear_kinds(); }),
            "INVALID_ARGUMENT OPTION_OUT_OF_RANGE selection.kinds");
  EXPECT_EQ(AttentionError([](auto* r) {
              r->mutable_selection()->set_kinds(0, v1::ATTENTION_KIND_UNSPECIFIED);
            }),
            "INVALID_ARGUMENT OPTION_OUT_OF_RANGE selection.kinds[0]");
  for (const float bad : {kNan, kInfinity, -1.0f}) {
    EXPECT_EQ(AttentionError([&](auto* r) { r->mutable_selection()->set_min_weight(bad); }),
              "INVALID_ARGUMENT OPTION_OUT_OF_RANGE selection.min_weight");
  }
}

TEST(BadAttentionTest, AnAnswerThatIsTooLargeNamesTheStream) {
  ServerOptions options = TinyOptions();
  options.limits.max_attention_bytes = 64;
  ServerUnderTest server(options);
  grpc::ClientContext context;
  v1::GetAttentionResponse response;
  const CallError error =
      ErrorOf(server.attention->GetAttention(&context, AttentionRequest(), &response));
  EXPECT_EQ(Summary(error), "INVALID_ARGUMENT ATTENTION_TOO_LARGE selection");
  EXPECT_THAT(error.message, HasSubstr("StreamAttention"));
  EXPECT_EQ(error.metadata.at("limit"), "64");
}

TEST(BadAlignTest, Fields) {
  const auto error = [](const std::function<void(v1::AlignWordsRequest*)>& change) {
    v1::AlignWordsRequest request;
    request.set_model("models/tiny");
    request.set_source("Yes.");
    request.set_target("Oui.");
    change(&request);
    grpc::ClientContext context;
    v1::AlignWordsResponse response;
    return Summary(SharedServer().attention->AlignWords(&context, request, &response));
  };
  EXPECT_EQ(error([](auto* r) { r->clear_source(); }), "INVALID_ARGUMENT EMPTY_INPUT source");
  EXPECT_EQ(error([](auto* r) { r->set_target("  "); }), "INVALID_ARGUMENT EMPTY_INPUT target");
  EXPECT_EQ(error([](auto* r) { r->set_model("models/none"); }), "NOT_FOUND MODEL_NOT_FOUND");
  EXPECT_EQ(error([](auto* r) { r->set_min_score(kNan); }),
            "INVALID_ARGUMENT OPTION_OUT_OF_RANGE min_score");
  EXPECT_EQ(error([](auto* r) { r->set_source_language_code("!"); }),
            "INVALID_ARGUMENT LANGUAGE_CODE_INVALID source_language_code");
}

TEST(BadModelsTest, NamesAndPages) {
  const auto get_error = [](const std::string& name) {
    v1::GetModelRequest request;
    request.set_name(name);
    grpc::ClientContext context;
    v1::GetModelResponse response;
    return Summary(SharedServer().models->GetModel(&context, request, &response));
  };
  EXPECT_EQ(get_error("models/none"), "NOT_FOUND MODEL_NOT_FOUND");
  EXPECT_EQ(get_error(""), "INVALID_ARGUMENT MODEL_NAME_INVALID name");
  EXPECT_EQ(get_error("models/a/b"), "INVALID_ARGUMENT MODEL_NAME_INVALID name");
  v1::ListModelsRequest request;
  v1::ListModelsResponse response;
  request.set_page_size(-1);
  grpc::ClientContext negative;
  EXPECT_EQ(Summary(SharedServer().models->ListModels(&negative, request, &response)),
            "INVALID_ARGUMENT OPTION_OUT_OF_RANGE page_size");
  request.set_page_size(1);
  request.set_page_token("rubbish");
  grpc::ClientContext rubbish;
  EXPECT_EQ(Summary(SharedServer().models->ListModels(&rubbish, request, &response)),
            "INVALID_ARGUMENT PAGE_TOKEN_INVALID page_token");
}

// Sends bytes as they are, which generated stubs would refuse to.
grpc::Status RawCall(const std::string& method, const std::string& bytes) {
  grpc::GenericStub stub(SharedServer().channel());
  grpc::ClientContext context;
  grpc::CompletionQueue queue;
  const grpc::Slice slice(bytes);
  auto call = stub.PrepareUnaryCall(&context, method, grpc::ByteBuffer(&slice, 1), &queue);
  call->StartCall();
  grpc::ByteBuffer response;
  grpc::Status status;
  call->Finish(&response, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  return status;
}

TEST(MalformedTest, BytesThatAreNoRequestAreInvalidArguments) {
  const std::string invalid_utf8 = std::string("\x12\x03") +
                                   "a\xff"
                                   "b";  // texts: "a\xFFb"
  EXPECT_EQ(Summary(RawCall("/attend.v1.TranslationService/Translate", invalid_utf8)),
            "INVALID_ARGUMENT REQUEST_MALFORMED");
  EXPECT_EQ(Summary(RawCall("/attend.v1.AttentionService/GetAttention", invalid_utf8)),
            "INVALID_ARGUMENT REQUEST_MALFORMED");
  const std::string lone_surrogate = std::string("\x12\x03") + "\xED\xA0\x80";
  EXPECT_EQ(Summary(RawCall("/attend.v1.TokenizationService/Tokenize", lone_surrogate)),
            "INVALID_ARGUMENT REQUEST_MALFORMED");
  EXPECT_EQ(
      Summary(RawCall("/attend.v1.ModelService/GetModel", std::string("\x0a\xff\xff\xff\xff\x0f"))),
      "INVALID_ARGUMENT REQUEST_MALFORMED");
  std::string nested;  // a message nested deeper than protobuf's limit
  for (int i = 0; i < 3000; ++i) nested = absl::StrCat("\x0b", nested, "\x0c");
  EXPECT_EQ(Summary(RawCall("/attend.v1.TranslationService/Translate", nested)),
            "INVALID_ARGUMENT REQUEST_MALFORMED");
  EXPECT_EQ(RawCall("/attend.v1.TranslationService/NoSuchMethod", "").error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
}

TEST(MalformedTest, ARequestAboveTheMessageLimitIsRefusedByGrpc) {
  v1::TranslateRequest request = TranslateOf({std::string(5 * 1024 * 1024, 'a')});
  v1::TranslateResponse response;
  EXPECT_EQ(Translate(request, &response).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

// Texts that are valid but strange: an answer or a limit, in time, and never a crash.
TEST(StrangeTextTest, IsAnsweredOrRefused) {
  std::string emoji;
  for (int i = 0; i < 10000; ++i) emoji += "😀";
  const std::vector<std::string> texts = {
      std::string("a\0b", 3),
      "\xEF\xBB\xBFThe cat.",
      "The \xE2\x80\xAE"
      "cat\xE2\x80\xAC sat\xE2\x80\x8F.",
      "e\xCC\x81\xCC\x81\xCC\x81\xCC\x81 \xF4\x8F\xBF\xBF \xEF\xBF\xBF",
      ">>fra<< >>nowhere<< </s> <pad> <unk>",
      std::string(20000, '.'),
      std::string(3000, '\n'),
  };
  v1::TranslateRequest request = TranslateOf(texts);
  request.mutable_config()->mutable_decoding()->set_beam_size(1);
  request.mutable_config()->mutable_decoding()->set_max_output_tokens(8);
  request.mutable_config()->set_include_word_links(true);
  request.mutable_config()->set_offset_unit(v1::OFFSET_UNIT_UTF16);
  v1::TranslateResponse response;
  const grpc::Status status = Translate(request, &response);
  ASSERT_TRUE(status.ok()) << Summary(status) << " " << status.error_message();
  ASSERT_EQ(response.outcomes_size(), static_cast<int>(texts.size()));
  for (int i = 0; i < response.outcomes_size(); ++i) {
    EXPECT_TRUE(response.outcomes(i).has_translation()) << i;
    EXPECT_EQ(response.outcomes(i).translation().truncated_input_tokens(), 0u) << i;
  }
  // A queue that takes the largest text at once, so that only the text decides.
  ServerOptions options = TinyOptions();
  options.scheduler.queue_capacity_tokens = 1 << 20;
  ServerUnderTest server(options);
  const auto answer = [&](const std::string& text) {
    v1::TranslateRequest one = TranslateOf({text});
    *one.mutable_config()->mutable_decoding() = request.config().decoding();
    one.mutable_config()->mutable_decoding()->set_max_output_tokens(1);
    grpc::ClientContext context;
    const grpc::Status ended = server.translation->Translate(&context, one, &response);
    EXPECT_TRUE(ended.ok()) << Summary(ended);
    return ended.ok() && response.outcomes(0).has_error()
               ? Summary(ErrorOf(response.outcomes(0).error()))
               : "translated";
  };
  EXPECT_EQ(answer(emoji), "translated");
  EXPECT_EQ(answer(std::string(100000, 'x')), "translated");
  EXPECT_EQ(answer(std::string(1 << 20, 'x')), "INVALID_ARGUMENT INPUT_TOO_LONG texts[0]");
}

}  // namespace
}  // namespace attend::server
