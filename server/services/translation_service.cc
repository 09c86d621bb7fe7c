// Translate and StreamTranslate: parse, hand to the engine, convert what comes back. Texts that a
// slow reader has not taken yet are joined into one delta, so a stream never holds more than its
// own text.
#include <grpcpp/grpcpp.h>

#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "attend/v1/translation.grpc.pb.h"
#include "engine/base/call_errors.h"
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

// Room that a response needs beside its outcomes, around each of them, and for an error in place of
// one.
constexpr int64_t kUsageBytes = 256, kFieldBytes = 8, kErrorBytes = 1024;

// What is needed of the request when the answer comes.
struct Asked {
  std::vector<std::string> texts;
  OffsetUnit unit = OffsetUnit::kByte;
};

absl::StatusOr<TranslateInput> ParseConfig(const v1::TranslationConfig& config, Asked* asked,
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

void RecordTexts(const Asked& asked, CallRecord* record) {
  record->items = static_cast<int64_t>(asked.texts.size());
  for (const std::string& text : asked.texts)
    record->input_bytes += static_cast<int64_t>(text.size());
}

// Before anything is copied: a message of 4 MiB has room for a million texts.
absl::Status CheckCount(int texts, int limit) {
  return texts <= limit ? absl::OkStatus() : TooManyTexts(texts, limit);
}

void EngineEnded(const absl::StatusOr<TranslateOutput>& output, RpcScope* scope) {
  scope->EngineEnded();
  if (!output.ok()) return;
  scope->record().model = output->model;
  scope->set_usage(output->usage);
}

// Counts the items of an answer by what became of each; `outcomes` are those of the output, or what
// replaced them.
void RecordOutput(const TranslateOutput& output, const std::vector<absl::Status>& outcomes,
                  RpcScope* scope) {
  Metrics& metrics = *scope->parts().metrics;
  metrics.Usage(output.model, output.usage);
  int64_t attention_bytes = 0;
  for (size_t i = 0; i < outcomes.size(); ++i) {
    if (!outcomes[i].ok()) {
      const std::string reason = OutcomeOf(outcomes[i]);
      metrics.ItemsFailed(scope->method(), output.model, reason, 1);
      scope->PartFailed(reason);
      continue;
    }
    const Translation& translation = output.outcomes[i].translation;
    metrics.ItemTranslated(scope->method(), output.model, translation);
    for (const AttentionResult& attention : translation.attentions)
      attention_bytes += WeightBytes(attention);
  }
  if (attention_bytes > 0) metrics.AttentionSent(output.model, attention_bytes);
  scope->ItemsCounted();
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
    EngineEnded(output_, scope_);
  }

  void Ending(const absl::Status& status) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (status.ok()) RecordOutput(*output_, {status}, scope_);
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
    Asked asked;
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

  // Outcomes join the response while it fits; a text whose outcome does not gets an error, and the
  // others keep theirs.
  static void AnswerTranslate(const absl::StatusOr<TranslateOutput>& output, const Asked& asked,
                              UnaryCall* call) {
    call->End(RunGuarded([&]() -> absl::Status {
      RpcScope& scope = call->scope();
      EngineEnded(output, &scope);
      if (!output.ok()) return output.status();
      const int64_t limit = scope.parts().rpc->max_message_bytes;
      const size_t count = output->outcomes.size();
      int64_t used = kUsageBytes;
      std::vector<absl::Status> statuses;
      v1::TranslateResponse response;
      for (size_t i = 0; i < count; ++i) {
        v1::TranslateOutcome* outcome = response.add_outcomes();
        absl::Status status = output->outcomes[i].status;
        ToProto(output->outcomes[i], ContextOf(*output, asked, i), outcome);
        const auto bytes = static_cast<int64_t>(outcome->ByteSizeLong()) + kFieldBytes;
        const auto reserved = static_cast<int64_t>(count - i - 1) * kErrorBytes;
        if (status.ok() && used + bytes + reserved > limit) {
          status = ResponseTooLarge(used + bytes, limit, absl::StrCat("texts[", i, "]"));
          *outcome->mutable_error() = ToRpcStatus(status);
        }
        used += static_cast<int64_t>(outcome->ByteSizeLong()) + kFieldBytes;
        statuses.push_back(std::move(status));
      }
      ToProto(output->usage, scope.elapsed(), response.mutable_usage());
      ATTEND_RETURN_IF_ERROR(call->Fill(response));
      RecordOutput(*output, statuses, &scope);
      return absl::OkStatus();
    }));
  }

  absl::Status RunStreamTranslate(const v1::StreamTranslateRequest& request,
                                  const std::shared_ptr<StreamCall>& call) {
    CallRecord& record = call->scope().record();
    Asked asked;
    ATTEND_ASSIGN_OR_RETURN(TranslateInput input, ParseConfig(request.config(), &asked, &record));
    asked.texts.push_back(request.text());
    input.texts = asked.texts;
    RecordTexts(asked, &record);
    auto source = std::make_shared<TranslationSource>(&call->scope(), std::move(asked));
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
