// GetAttention, StreamAttention, QueryAttention, AlignWords. A stream's slices are converted one at
// a time, as the reader takes them.
#include <grpcpp/grpcpp.h>

#include <mutex>
#include <utility>

#include "attend/v1/attention.grpc.pb.h"
#include "engine/base/error.h"
#include "engine/base/status_macros.h"
#include "server/convert/attention_convert.h"
#include "server/convert/names.h"
#include "server/convert/query_convert.h"
#include "server/convert/status_convert.h"
#include "server/services/service_factory.h"
#include "server/services/stream_call.h"
#include "server/services/unary_call.h"

namespace attend::server {
namespace {

namespace v1 = attend::v1;
using RawBase = v1::AttentionService::WithRawCallbackMethod_GetAttention<
    v1::AttentionService::WithRawCallbackMethod_StreamAttention<
        v1::AttentionService::WithRawCallbackMethod_QueryAttention<
            v1::AttentionService::WithRawCallbackMethod_AlignWords<
                v1::AttentionService::Service>>>>;

// Small enough that a slow reader's progress shows, large enough that their number does not.
constexpr int64_t kSliceBytes = 128 << 10;

// What is needed of the request when the answer comes.
struct Asked {
  std::string source;
  OffsetUnit unit = OffsetUnit::kByte;
  std::string model;
};

// GetAttentionRequest and StreamAttentionRequest have the same fields.
template <typename Request>
absl::StatusOr<AttentionInput> ParseRequest(const Request& request, Asked* asked) {
  AttentionInput input;
  ATTEND_ASSIGN_OR_RETURN(input.model,
                          ParseModelName(request.model(), "model", /*may_be_empty=*/false));
  ATTEND_ASSIGN_OR_RETURN(asked->unit, ParseOffsetUnit(request.offset_unit(), "offset_unit"));
  absl::StatusOr<AttentionSelection> selection = ParseAttentionSelection(request.selection());
  if (!selection.ok()) return WithFieldPrefix(selection.status(), "selection.");
  input.selection = *std::move(selection);
  input.source = request.source();
  if (request.has_target()) input.target = request.target();
  input.source_language = request.source_language_code();
  input.target_language = request.target_language_code();
  asked->source = input.source;
  asked->model = input.model;
  return input;
}

void RecordInput(const AttentionInput& input, RpcScope* scope) {
  CallRecord& record = scope->record();
  record.model = input.model;
  record.items = 1;
  record.input_bytes =
      static_cast<int64_t>(input.source.size() + (input.target ? input.target->size() : 0));
  for (const AttentionKind kind : input.selection.kinds)
    record.attention_kinds.push_back(Name(kind));
}

// Counts an item that was computed and, as far as we know, sent.
void RecordSuccess(const CallUsage& usage, const std::string& model, RpcScope* scope) {
  Metrics& metrics = *scope->parts().metrics;
  metrics.ItemDone(scope->method(), model, scope->elapsed());
  metrics.Usage(model, usage);
}

// Axes, then slices, then the cost.
class AttentionSource final : public StreamSource {
 public:
  AttentionSource(RpcScope* scope, Asked asked) : scope_(scope), asked_(std::move(asked)) {}

  void Done(absl::StatusOr<AttentionOutput> output) {
    const std::lock_guard<std::mutex> lock(mutex_);
    output_ = std::move(output);
    engine_done_ = true;
    scope_->EngineEnded();
    if (!output_.ok()) return;
    scope_->set_usage(output_->usage);
    slices_ = PlanSlices(output_->attention, kSliceBytes);
  }

  void Ending(const absl::Status& status) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!status.ok()) return;
    RecordSuccess(output_->usage, asked_.model, scope_);
    scope_->parts().metrics->AttentionSent(asked_.model, WeightBytes(output_->attention));
  }

  Next Take(std::unique_ptr<google::protobuf::MessageLite>* message,
            absl::Status* status) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!engine_done_) return Next::kNothingYet;
    if (!output_.ok()) {
      *status = output_.status();
      return Next::kEnd;
    }
    const size_t part = next_part_++;
    if (part > slices_.size() + 1) return Next::kEnd;
    auto response = std::make_unique<v1::StreamAttentionResponse>();
    if (part == 0) {
      const OffsetMap source(asked_.source, asked_.unit),
          target(output_->attention.target_text, asked_.unit);
      AxesToProto(output_->attention, OffsetMaps{source, target}, response->mutable_axes());
    } else if (part <= slices_.size()) {
      SliceToProto(output_->attention, slices_[part - 1], response->mutable_slice());
    } else {
      ToProto(output_->usage, scope_->elapsed(), response->mutable_usage());
    }
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
  absl::StatusOr<AttentionOutput> output_ = absl::UnknownError("not done");
  std::vector<SliceRange> slices_;
  size_t next_part_ = 0;
  bool engine_done_ = false;
};

class AttentionServiceImpl final : public RawBase {
 public:
  explicit AttentionServiceImpl(const ServiceParts& parts) : parts_(parts) {}

  grpc::ServerUnaryReactor* GetAttention(grpc::CallbackServerContext* context,
                                         const grpc::ByteBuffer* request,
                                         grpc::ByteBuffer* response) override {
    return StartUnary<v1::GetAttentionRequest>(
        {RpcMethod::kGetAttention, context, request, response}, parts_,
        [this](const v1::GetAttentionRequest& parsed, const std::shared_ptr<UnaryCall>& call) {
          return RunGetAttention(parsed, call);
        });
  }

  grpc::ServerWriteReactor<grpc::ByteBuffer>* StreamAttention(
      grpc::CallbackServerContext* context, const grpc::ByteBuffer* request) override {
    return StartStream<v1::StreamAttentionRequest>(
        RpcMethod::kStreamAttention, context, request, parts_,
        [this](const v1::StreamAttentionRequest& parsed, const std::shared_ptr<StreamCall>& call) {
          return RunStreamAttention(parsed, call);
        });
  }

  grpc::ServerUnaryReactor* QueryAttention(grpc::CallbackServerContext* context,
                                           const grpc::ByteBuffer* request,
                                           grpc::ByteBuffer* response) override {
    return StartUnary<v1::QueryAttentionRequest>(
        {RpcMethod::kQueryAttention, context, request, response}, parts_,
        [this](const v1::QueryAttentionRequest& parsed, const std::shared_ptr<UnaryCall>& call) {
          return RunQueryAttention(parsed, call);
        });
  }

  grpc::ServerUnaryReactor* AlignWords(grpc::CallbackServerContext* context,
                                       const grpc::ByteBuffer* request,
                                       grpc::ByteBuffer* response) override {
    return StartUnary<v1::AlignWordsRequest>(
        {RpcMethod::kAlignWords, context, request, response}, parts_,
        [this](const v1::AlignWordsRequest& parsed, const std::shared_ptr<UnaryCall>& call) {
          return RunAlignWords(parsed, call);
        });
  }

 private:
  absl::Status RunGetAttention(const v1::GetAttentionRequest& request,
                               const std::shared_ptr<UnaryCall>& call) {
    Asked asked;
    ATTEND_ASSIGN_OR_RETURN(AttentionInput input, ParseRequest(request, &asked));
    RecordInput(input, &call->scope());
    parts_.engine->GetAttention(
        std::move(input), call->scope().call_context(),
        [call, asked = std::move(asked)](const absl::StatusOr<AttentionOutput>& output) {
          AnswerGetAttention(output, asked, call.get());
        });
    return absl::OkStatus();
  }

  static void AnswerGetAttention(const absl::StatusOr<AttentionOutput>& output, const Asked& asked,
                                 UnaryCall* call) {
    call->End(RunGuarded([&]() -> absl::Status {
      RpcScope& scope = call->scope();
      scope.EngineEnded();
      if (!output.ok()) return output.status();
      scope.set_usage(output->usage);
      const OffsetMap source(asked.source, asked.unit),
          target(output->attention.target_text, asked.unit);
      v1::GetAttentionResponse response;
      ToProto(output->attention, OffsetMaps{source, target}, response.mutable_attention());
      ToProto(output->usage, scope.elapsed(), response.mutable_usage());
      ATTEND_RETURN_IF_ERROR(call->Fill(response));
      RecordSuccess(output->usage, asked.model, &scope);
      scope.parts().metrics->AttentionSent(asked.model, WeightBytes(output->attention));
      return absl::OkStatus();
    }));
  }

  absl::Status RunStreamAttention(const v1::StreamAttentionRequest& request,
                                  const std::shared_ptr<StreamCall>& call) {
    Asked asked;
    ATTEND_ASSIGN_OR_RETURN(AttentionInput input, ParseRequest(request, &asked));
    input.max_bytes = parts_.engine->options().limits.max_attention_stream_bytes;
    RecordInput(input, &call->scope());
    auto source = std::make_shared<AttentionSource>(&call->scope(), std::move(asked));
    call->Start(source);
    parts_.engine->GetAttention(std::move(input), call->scope().call_context(),
                                [call, source](absl::StatusOr<AttentionOutput> output) {
                                  call->Feed([&] { source->Done(std::move(output)); });
                                });
    return absl::OkStatus();
  }

  absl::Status RunQueryAttention(const v1::QueryAttentionRequest& request,
                                 const std::shared_ptr<UnaryCall>& call) {
    ATTEND_ASSIGN_OR_RETURN(const OffsetUnit unit,
                            ParseOffsetUnit(request.offset_unit(), "offset_unit"));
    ATTEND_ASSIGN_OR_RETURN(QueryAttentionInput input,
                            ParseQuery(request, unit, parts_.engine->options().limits));
    CallRecord& record = call->scope().record();
    record.model = input.model;
    record.items = 1;
    record.input_bytes = static_cast<int64_t>(input.source.size());
    record.attention_kinds.push_back("query");
    Asked asked{input.source, unit, input.model};
    parts_.engine->QueryAttention(
        std::move(input), call->scope().call_context(),
        [call, asked = std::move(asked)](const absl::StatusOr<QueryAttentionOutput>& output) {
          AnswerQueryAttention(output, asked, call.get());
        });
    return absl::OkStatus();
  }

  static void AnswerQueryAttention(const absl::StatusOr<QueryAttentionOutput>& output,
                                   const Asked& asked, UnaryCall* call) {
    call->End(RunGuarded([&]() -> absl::Status {
      RpcScope& scope = call->scope();
      scope.EngineEnded();
      if (!output.ok()) return output.status();
      scope.set_usage(output->usage);
      v1::QueryAttentionResponse response;
      ToProto(*output, OffsetMap(asked.source, asked.unit), &response);
      ToProto(output->usage, scope.elapsed(), response.mutable_usage());
      ATTEND_RETURN_IF_ERROR(call->Fill(response));
      RecordSuccess(output->usage, output->model, &scope);
      return absl::OkStatus();
    }));
  }

  absl::Status RunAlignWords(const v1::AlignWordsRequest& request,
                             const std::shared_ptr<UnaryCall>& call) {
    AlignInput input;
    ATTEND_ASSIGN_OR_RETURN(input.model,
                            ParseModelName(request.model(), "model", /*may_be_empty=*/false));
    ATTEND_ASSIGN_OR_RETURN(const OffsetUnit unit,
                            ParseOffsetUnit(request.offset_unit(), "offset_unit"));
    input.source = request.source();
    input.target = request.target();
    input.source_language = request.source_language_code();
    input.target_language = request.target_language_code();
    input.min_score = request.min_score();
    CallRecord& record = call->scope().record();
    record.model = input.model;
    record.items = 1;
    record.input_bytes = static_cast<int64_t>(input.source.size() + input.target.size());
    record.attention_kinds.push_back("align");
    Asked source{input.source, unit, input.model};
    std::string target = input.target;
    parts_.engine->AlignWords(std::move(input), call->scope().call_context(),
                              [call, source = std::move(source), target = std::move(target)](
                                  const absl::StatusOr<AlignOutput>& output) {
                                AnswerAlignWords(output, source, target, call.get());
                              });
    return absl::OkStatus();
  }

  static void AnswerAlignWords(const absl::StatusOr<AlignOutput>& output, const Asked& asked,
                               const std::string& target, UnaryCall* call) {
    call->End(RunGuarded([&]() -> absl::Status {
      RpcScope& scope = call->scope();
      scope.EngineEnded();
      if (!output.ok()) return output.status();
      scope.set_usage(output->usage);
      const OffsetMap source_map(asked.source, asked.unit), target_map(target, asked.unit);
      v1::AlignWordsResponse response;
      for (const AttendedWord& word : output->source_words)
        ToProto(word, source_map, response.add_source_words());
      for (const AttendedWord& word : output->target_words)
        ToProto(word, target_map, response.add_target_words());
      for (const WordLink& link : output->links) ToProto(link, response.add_links());
      ToProto(output->usage, scope.elapsed(), response.mutable_usage());
      ATTEND_RETURN_IF_ERROR(call->Fill(response));
      RecordSuccess(output->usage, asked.model, &scope);
      return absl::OkStatus();
    }));
  }

  const ServiceParts parts_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeAttentionService(const ServiceParts& parts) {
  return std::make_unique<AttentionServiceImpl>(parts);
}

}  // namespace attend::server
