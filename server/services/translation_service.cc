// Translate and StreamTranslate: parse, hand to the engine, convert what comes back. Texts that a
// slow reader has not taken yet are joined into one delta, so a stream never holds more than its
// own text.
#include <grpcpp/grpcpp.h>

#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "attend/v1/translation.grpc.pb.h"
#include "engine/base/status_macros.h"
#include "server/convert/attention_convert.h"
#include "server/convert/names.h"
#include "server/convert/status_convert.h"
#include "server/convert/translation_convert.h"
#include "server/services/service_factory.h"
#include "server/services/stream_call.h"
#include "server/services/unary_call.h"

namespace attend::server {
namespace {

namespace v1 = attend::v1;
using RawBase = v1::TranslationService::WithRawCallbackMethod_Translate<
    v1::TranslationService::WithRawCallbackMethod_StreamTranslate<v1::TranslationService::Service>>;

// What is needed of the request when the answer comes.
struct Asked {
  std::vector<std::string> texts;
  OffsetUnit unit = OffsetUnit::kByte;
  std::string model;
  std::vector<std::string> attention_kinds;
};

absl::StatusOr<TranslateInput> ParseConfig(const v1::TranslationConfig& config, Asked* asked) {
  ATTEND_ASSIGN_OR_RETURN(asked->unit, ParseOffsetUnit(config));
  ATTEND_ASSIGN_OR_RETURN(TranslateInput input, ParseTranslationConfig(config));
  asked->model = input.model;
  if (input.include_word_links) asked->attention_kinds.push_back("align");
  if (input.attention) {
    for (const AttentionKind kind : input.attention->kinds)
      asked->attention_kinds.push_back(Name(kind));
  }
  return input;
}

void RecordAsked(const Asked& asked, RpcScope* scope) {
  CallRecord& record = scope->record();
  record.model = asked.model;
  record.items = static_cast<int64_t>(asked.texts.size());
  for (const std::string& text : asked.texts)
    record.input_bytes += static_cast<int64_t>(text.size());
}

// Counts an answer; then it is only converted.
void RecordOutput(const TranslateOutput& output, const Asked& asked, RpcScope* scope) {
  Metrics& metrics = *scope->parts().metrics;
  scope->record().model = output.model;
  scope->set_usage(output.usage);
  metrics.Usage(output.model, output.usage);
  for (const std::string& kind : asked.attention_kinds) metrics.AttentionAsked(output.model, kind);
  for (const TranslateOutcome& outcome : output.outcomes) {
    if (outcome.status.ok()) {
      metrics.ItemTranslated(scope->method(), output.model, outcome.translation);
      for (const AttentionResult& attention : outcome.translation.attentions) {
        metrics.AttentionSent(output.model, WeightBytes(attention));
      }
    } else {
      metrics.ItemDone(scope->method(), output.model, ReasonOf(outcome.status), scope->elapsed());
      metrics.CallRefused(output.model, ReasonOf(outcome.status));
    }
  }
}

TranslationContext ContextOf(const TranslateOutput& output, const Asked& asked, size_t text) {
  return {asked.texts[text], asked.unit,
          absl::StrCat(ModelResourceName(output.model), "@", output.revision)};
}

// Deltas as they settle, then the result.
class TranslationSource final : public StreamSource {
 public:
  TranslationSource(RpcScope* scope, Asked asked) : scope_(scope), asked_(std::move(asked)) {}

  void Append(const std::string& delta) {
    const std::lock_guard<std::mutex> lock(mutex_);
    pending_ += delta;
  }

  void Done(absl::StatusOr<TranslateOutput> output) {
    const std::lock_guard<std::mutex> lock(mutex_);
    output_ = std::move(output);
    engine_done_ = true;
  }

  Next Take(std::unique_ptr<google::protobuf::MessageLite>* message,
            absl::Status* status) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!pending_.empty()) {
      auto response = std::make_unique<v1::StreamTranslateResponse>();
      response->mutable_delta()->set_text(std::exchange(pending_, {}));
      *message = std::move(response);
      return Next::kMessage;
    }
    if (!engine_done_) return Next::kNothingYet;
    if (result_sent_) return Next::kEnd;
    result_sent_ = true;
    if (!output_.ok()) {
      *status = output_.status();
      return Next::kEnd;
    }
    RecordOutput(*output_, asked_, scope_);
    const TranslateOutcome& outcome = output_->outcomes.at(0);
    if (!outcome.status.ok()) {
      *status = outcome.status;
      return Next::kEnd;
    }
    auto response = std::make_unique<v1::StreamTranslateResponse>();
    v1::StreamTranslateResult* result = response->mutable_result();
    ToProto(outcome.translation, ContextOf(*output_, asked_, 0), result->mutable_translation());
    ToProto(output_->usage, scope_->elapsed(), result->mutable_usage());
    *message = std::move(response);
    return Next::kMessage;
  }

  bool engine_done() const override {
    const std::lock_guard<std::mutex> lock(mutex_);
    return engine_done_;
  }

 private:
  RpcScope* const scope_;
  const Asked asked_;
  mutable std::mutex mutex_;
  std::string pending_;
  absl::StatusOr<TranslateOutput> output_ = absl::UnknownError("not done");
  bool engine_done_ = false, result_sent_ = false;
};

class TranslationServiceImpl final : public RawBase {
 public:
  explicit TranslationServiceImpl(const ServiceParts& parts) : parts_(parts) {}

  grpc::ServerUnaryReactor* Translate(grpc::CallbackServerContext* context,
                                      const grpc::ByteBuffer* request,
                                      grpc::ByteBuffer* response) override {
    return StartUnary<v1::TranslateRequest>(
        {RpcMethod::kTranslate, context, request, response}, parts_,
        [this](const v1::TranslateRequest& parsed, UnaryCall* call) {
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
  absl::Status RunTranslate(const v1::TranslateRequest& request, UnaryCall* call) {
    Asked asked;
    ATTEND_ASSIGN_OR_RETURN(TranslateInput input, ParseConfig(request.config(), &asked));
    asked.texts.assign(request.texts().begin(), request.texts().end());
    input.texts = asked.texts;
    RecordAsked(asked, &call->scope());
    parts_.engine->Translate(
        std::move(input), call->scope().call_context(),
        [call, asked = std::move(asked)](absl::StatusOr<TranslateOutput> output) {
          const absl::Status status = RunGuarded([&]() -> absl::Status {
            if (!output.ok()) return output.status();
            RecordOutput(*output, asked, &call->scope());
            v1::TranslateResponse response;
            for (size_t i = 0; i < output->outcomes.size(); ++i) {
              ToProto(output->outcomes[i], ContextOf(*output, asked, i), response.add_outcomes());
            }
            ToProto(output->usage, call->scope().elapsed(), response.mutable_usage());
            call->Reply(response);
            return absl::OkStatus();
          });
          if (!status.ok()) call->Fail(status);
        });
    return absl::OkStatus();
  }

  absl::Status RunStreamTranslate(const v1::StreamTranslateRequest& request,
                                  const std::shared_ptr<StreamCall>& call) {
    Asked asked;
    ATTEND_ASSIGN_OR_RETURN(TranslateInput input, ParseConfig(request.config(), &asked));
    asked.texts.push_back(request.text());
    input.texts = asked.texts;
    RecordAsked(asked, &call->scope());
    auto source = std::make_shared<TranslationSource>(&call->scope(), std::move(asked));
    call->Start(source);
    input.on_delta = [call, source](const std::string& delta) {
      source->Append(delta);
      call->Pump();
    };
    parts_.engine->Translate(std::move(input), call->scope().call_context(),
                             [call, source](absl::StatusOr<TranslateOutput> output) {
                               source->Done(std::move(output));
                               call->Pump();
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
