// Summarize and StreamSummarize: parse, hand to the engine, convert what comes back. A summary that
// is picked from the text is there all at once, so its stream has no deltas.
#include <grpcpp/grpcpp.h>

#include <utility>

#include "attend/v1/summarization.grpc.pb.h"
#include "engine/base/status_macros.h"
#include "server/convert/attention_convert.h"
#include "server/convert/summarization_convert.h"
#include "server/services/outcomes.h"
#include "server/services/service_factory.h"
#include "server/services/text_stream.h"
#include "server/services/unary_call.h"

namespace attend::server {
namespace {

namespace v1 = attend::v1;
using RawBase = v1::SummarizationService::WithRawCallbackMethod_Summarize<
    v1::SummarizationService::WithRawCallbackMethod_StreamSummarize<
        v1::SummarizationService::Service>>;

// What is needed of the request when the answer comes.
struct Asked : AskedTexts {
  SummaryMode mode = SummaryMode::kExtractive;
};

absl::StatusOr<SummarizeInput> ParseConfig(const v1::SummarizationConfig& config, Asked* asked,
                                           CallRecord* record) {
  ATTEND_ASSIGN_OR_RETURN(asked->unit, ParseOffsetUnit(config));
  ATTEND_ASSIGN_OR_RETURN(SummarizeInput input, ParseSummarizationConfig(config));
  asked->mode = input.mode;
  record->model = input.model;
  if (input.include_sentence_attention)
    record->attention_kinds.push_back(Name(AttentionKind::kEncoderSelf));
  return input;
}

SummaryContext SummaryContextOf(const SummarizeOutput& output, const Asked& asked, size_t text) {
  return {ContextOf(output, asked, text), asked.mode};
}

void CountAnswers(const SummarizeOutput& output, const std::vector<absl::Status>& outcomes,
                  SummaryMode mode, RpcScope* scope) {
  Metrics& metrics = *scope->parts().metrics;
  int64_t attention_bytes = 0;
  CountOutcomes(output, outcomes, scope, [&](size_t i) {
    const Summary& summary = output.outcomes[i].summary;
    metrics.ItemSummarized(scope->method(), output.model, mode, summary);
    if (summary.sentence_attention) attention_bytes += WeightBytes(*summary.sentence_attention);
  });
  if (attention_bytes > 0) metrics.AttentionSent(output.model, attention_bytes);
}

class SummaryStream final : public TextStream<v1::StreamSummarizeResponse, SummarizeOutput> {
 public:
  SummaryStream(RpcScope* scope, Asked asked) : TextStream(scope), asked_(std::move(asked)) {}

 private:
  void WriteResult(const SummarizeOutput& output, v1::StreamSummarizeResponse* response) override {
    v1::StreamSummarizeResult* result = response->mutable_result();
    ToProto(output.outcomes[0].summary, SummaryContextOf(output, asked_, 0),
            result->mutable_summary());
    ToProto(output.usage, scope().elapsed(), result->mutable_usage());
  }
  void Count(const SummarizeOutput& output) override {
    CountAnswers(output, {absl::OkStatus()}, asked_.mode, &scope());
  }

  const Asked asked_;
};

class SummarizationServiceImpl final : public RawBase {
 public:
  explicit SummarizationServiceImpl(const ServiceParts& parts) : parts_(parts) {}

  grpc::ServerUnaryReactor* Summarize(grpc::CallbackServerContext* context,
                                      const grpc::ByteBuffer* request,
                                      grpc::ByteBuffer* response) override {
    return StartUnary<v1::SummarizeRequest>(
        {RpcMethod::kSummarize, context, request, response}, parts_,
        [this](const v1::SummarizeRequest& parsed, const std::shared_ptr<UnaryCall>& call) {
          return RunSummarize(parsed, call);
        });
  }

  grpc::ServerWriteReactor<grpc::ByteBuffer>* StreamSummarize(
      grpc::CallbackServerContext* context, const grpc::ByteBuffer* request) override {
    return StartStream<v1::StreamSummarizeRequest>(
        RpcMethod::kStreamSummarize, context, request, parts_,
        [this](const v1::StreamSummarizeRequest& parsed, const std::shared_ptr<StreamCall>& call) {
          return RunStreamSummarize(parsed, call);
        });
  }

 private:
  absl::Status RunSummarize(const v1::SummarizeRequest& request,
                            const std::shared_ptr<UnaryCall>& call) {
    CallRecord& record = call->scope().record();
    Asked asked;
    ATTEND_ASSIGN_OR_RETURN(SummarizeInput input, ParseConfig(request.config(), &asked, &record));
    ATTEND_RETURN_IF_ERROR(
        CheckCount(request.texts_size(), parts_.engine->options().limits.max_texts));
    asked.texts.assign(request.texts().begin(), request.texts().end());
    input.texts = asked.texts;
    RecordTexts(asked, &record);
    parts_.engine->Summarize(
        std::move(input), call->scope().call_context(),
        [call, asked = std::move(asked)](const absl::StatusOr<SummarizeOutput>& output) {
          AnswerSummarize(output, asked, call.get());
        });
    return absl::OkStatus();
  }

  static void AnswerSummarize(const absl::StatusOr<SummarizeOutput>& output, const Asked& asked,
                              UnaryCall* call) {
    call->End(RunGuarded([&]() -> absl::Status {
      RpcScope& scope = call->scope();
      EngineEnded(output, &scope);
      if (!output.ok()) return output.status();
      v1::SummarizeResponse response;
      const std::vector<absl::Status> statuses = JoinOutcomes(
          *output, scope.parts().rpc->max_message_bytes,
          [&](size_t i, v1::SummarizeOutcome* outcome) {
            ToProto(output->outcomes[i], SummaryContextOf(*output, asked, i), outcome);
          },
          &response);
      ToProto(output->usage, scope.elapsed(), response.mutable_usage());
      ATTEND_RETURN_IF_ERROR(call->Fill(response));
      CountAnswers(*output, statuses, asked.mode, &scope);
      return absl::OkStatus();
    }));
  }

  absl::Status RunStreamSummarize(const v1::StreamSummarizeRequest& request,
                                  const std::shared_ptr<StreamCall>& call) {
    CallRecord& record = call->scope().record();
    Asked asked;
    ATTEND_ASSIGN_OR_RETURN(SummarizeInput input, ParseConfig(request.config(), &asked, &record));
    asked.texts.push_back(request.text());
    input.texts = asked.texts;
    RecordTexts(asked, &record);
    auto source = std::make_shared<SummaryStream>(&call->scope(), std::move(asked));
    call->Start(source);
    input.on_delta = [call, source](const std::string& delta) {
      call->Feed([&] { source->Append(delta); });
    };
    parts_.engine->Summarize(std::move(input), call->scope().call_context(),
                             [call, source](absl::StatusOr<SummarizeOutput> output) {
                               call->Feed([&] { source->Done(std::move(output)); });
                             });
    return absl::OkStatus();
  }

  const ServiceParts parts_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeSummarizationService(const ServiceParts& parts) {
  return std::make_unique<SummarizationServiceImpl>(parts);
}

}  // namespace attend::server
