// Translate and StreamTranslate: parse, hand to the engine, convert what comes back.
#include <grpcpp/grpcpp.h>

#include <utility>

#include "attend/v1/translation.grpc.pb.h"
#include "engine/base/status_macros.h"
#include "server/convert/attention_convert.h"
#include "server/convert/translation_convert.h"
#include "server/services/outcomes.h"
#include "server/services/service_factory.h"
#include "server/services/text_stream.h"
#include "server/services/unary_call.h"

namespace attend::server {
namespace {

namespace v1 = attend::v1;
using RawBase = v1::TranslationService::WithRawCallbackMethod_Translate<
    v1::TranslationService::WithRawCallbackMethod_StreamTranslate<v1::TranslationService::Service>>;

absl::StatusOr<TranslateInput> ParseConfig(const v1::TranslationConfig& config, AskedTexts* asked,
                                           CallRecord* record) {
  ATTEND_ASSIGN_OR_RETURN(asked->unit, ParseOffsetUnit(config));
  ATTEND_ASSIGN_OR_RETURN(TranslateInput input, ParseTranslationConfig(config));
  record->model = input.model;
  if (input.include_word_links) record->attention_kinds.push_back("align");
  if (input.attention) {
    for (const AttentionKind kind : input.attention->kinds)
      record->attention_kinds.push_back(Name(kind));
  }
  return input;
}

void CountAnswers(const TranslateOutput& output, const std::vector<absl::Status>& outcomes,
                  RpcScope* scope) {
  Metrics& metrics = *scope->parts().metrics;
  int64_t attention_bytes = 0;
  CountOutcomes(output, outcomes, scope, [&](size_t i) {
    const Translation& translation = output.outcomes[i].translation;
    metrics.ItemTranslated(scope->method(), output.model, translation);
    for (const AttentionResult& attention : translation.attentions)
      attention_bytes += WeightBytes(attention);
  });
  if (attention_bytes > 0) metrics.AttentionSent(output.model, attention_bytes);
}

class TranslationStream final : public TextStream<v1::StreamTranslateResponse, TranslateOutput> {
 public:
  TranslationStream(RpcScope* scope, AskedTexts asked)
      : TextStream(scope), asked_(std::move(asked)) {}

 private:
  void WriteResult(const TranslateOutput& output, v1::StreamTranslateResponse* response) override {
    v1::StreamTranslateResult* result = response->mutable_result();
    ToProto(output.outcomes[0].translation, ContextOf(output, asked_, 0),
            result->mutable_translation());
    ToProto(output.usage, scope().elapsed(), result->mutable_usage());
  }
  void Count(const TranslateOutput& output) override {
    CountAnswers(output, {absl::OkStatus()}, &scope());
  }

  const AskedTexts asked_;
};

class TranslationServiceImpl final : public RawBase {
 public:
  explicit TranslationServiceImpl(const ServiceParts& parts) : parts_(parts) {}

  grpc::ServerUnaryReactor* Translate(grpc::CallbackServerContext* context,
                                      const grpc::ByteBuffer* request,
                                      grpc::ByteBuffer* response) override {
    return StartUnary<v1::TranslateRequest>(
        {RpcMethod::kTranslate, context, request, response}, parts_,
        [this](const v1::TranslateRequest& parsed, const std::shared_ptr<UnaryCall>& call) {
          return RunTranslate(parsed, call);
        });
  }

  grpc::ServerWriteReactor<grpc::ByteBuffer>* StreamTranslate(
      grpc::CallbackServerContext* context, const grpc::ByteBuffer* request) override {
    return StartStream<v1::StreamTranslateRequest>(
        RpcMethod::kStreamTranslate, context, request, parts_,
        [this](const v1::StreamTranslateRequest& parsed, const std::shared_ptr<StreamCall>& call) {
          return RunStreamTranslate(parsed, call);
        });
  }

 private:
  absl::Status RunTranslate(const v1::TranslateRequest& request,
                            const std::shared_ptr<UnaryCall>& call) {
    CallRecord& record = call->scope().record();
    AskedTexts asked;
    ATTEND_ASSIGN_OR_RETURN(TranslateInput input, ParseConfig(request.config(), &asked, &record));
    ATTEND_RETURN_IF_ERROR(
        CheckCount(request.texts_size(), parts_.engine->options().limits.max_texts));
    asked.texts.assign(request.texts().begin(), request.texts().end());
    input.texts = asked.texts;
    RecordTexts(asked, &record);
    parts_.engine->Translate(
        std::move(input), call->scope().call_context(),
        [call, asked = std::move(asked)](const absl::StatusOr<TranslateOutput>& output) {
          AnswerTranslate(output, asked, call.get());
        });
    return absl::OkStatus();
  }

  static void AnswerTranslate(const absl::StatusOr<TranslateOutput>& output,
                              const AskedTexts& asked, UnaryCall* call) {
    call->End(RunGuarded([&]() -> absl::Status {
      RpcScope& scope = call->scope();
      EngineEnded(output, &scope);
      if (!output.ok()) return output.status();
      v1::TranslateResponse response;
      const std::vector<absl::Status> statuses = JoinOutcomes(
          *output, scope.parts().rpc->max_message_bytes,
          [&](size_t i, v1::TranslateOutcome* outcome) {
            ToProto(output->outcomes[i], ContextOf(*output, asked, i), outcome);
          },
          &response);
      ToProto(output->usage, scope.elapsed(), response.mutable_usage());
      ATTEND_RETURN_IF_ERROR(call->Fill(response));
      CountAnswers(*output, statuses, &scope);
      return absl::OkStatus();
    }));
  }

  absl::Status RunStreamTranslate(const v1::StreamTranslateRequest& request,
                                  const std::shared_ptr<StreamCall>& call) {
    CallRecord& record = call->scope().record();
    AskedTexts asked;
    ATTEND_ASSIGN_OR_RETURN(TranslateInput input, ParseConfig(request.config(), &asked, &record));
    asked.texts.push_back(request.text());
    input.texts = asked.texts;
    RecordTexts(asked, &record);
    auto source = std::make_shared<TranslationStream>(&call->scope(), std::move(asked));
    call->Start(source);
    input.on_delta = [call, source](const std::string& delta) {
      call->Feed([&] { source->Append(delta); });
    };
    parts_.engine->Translate(std::move(input), call->scope().call_context(),
                             [call, source](absl::StatusOr<TranslateOutput> output) {
                               call->Feed([&] { source->Done(std::move(output)); });
                             });
    return absl::OkStatus();
  }

  const ServiceParts parts_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeTranslationService(const ServiceParts& parts) {
  return std::make_unique<TranslationServiceImpl>(parts);
}

}  // namespace attend::server
