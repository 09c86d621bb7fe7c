// Tokenize, Detokenize, SplitSentences: answered at once on gRPC's own thread, since all three are
// linear in the text and need no model pass.
#include <grpcpp/grpcpp.h>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "attend/v1/tokenization.grpc.pb.h"
#include "engine/base/error.h"
#include "engine/base/status_macros.h"
#include "server/convert/attention_convert.h"
#include "server/convert/names.h"
#include "server/services/service_factory.h"
#include "server/services/unary_call.h"
#include "server/utf8.h"

namespace attend::server {
namespace {

namespace v1 = attend::v1;
using RawBase = v1::TokenizationService::WithRawCallbackMethod_Tokenize<
    v1::TokenizationService::WithRawCallbackMethod_Detokenize<
        v1::TokenizationService::WithRawCallbackMethod_SplitSentences<
            v1::TokenizationService::Service>>>;

absl::Status CheckText(const std::string& text, const EngineLimits& limits) {
  if (static_cast<int64_t>(text.size()) <= limits.max_text_bytes) return absl::OkStatus();
  ErrorDetail detail;
  detail.reason = "INPUT_TOO_LONG";
  detail.field = "text";
  detail.metadata = {{"bytes", absl::StrCat(text.size())},
                     {"limit", absl::StrCat(limits.max_text_bytes)}};
  return MakeError(absl::StatusCode::kInvalidArgument,
                   absl::StrCat("the text has ", text.size(), " bytes, above the limit of ",
                                limits.max_text_bytes),
                   std::move(detail));
}

// A text of the largest size has no more tokens than bytes.
absl::Status CheckIds(int ids, const EngineLimits& limits) {
  if (ids <= limits.max_text_bytes) return absl::OkStatus();
  ErrorDetail detail;
  detail.reason = "INPUT_TOO_LONG";
  detail.field = "ids";
  detail.metadata = {{"ids", absl::StrCat(ids)}, {"limit", absl::StrCat(limits.max_text_bytes)}};
  return MakeError(
      absl::StatusCode::kInvalidArgument,
      absl::StrCat("there are ", ids, " ids, above the limit of ", limits.max_text_bytes),
      std::move(detail));
}

// A response's size as it grows: one that will be too large is refused before the rest is built.
class ResponseSize {
 public:
  explicit ResponseSize(int64_t limit) : limit_(limit) {}
  absl::Status Add(const google::protobuf::MessageLite& part) {
    bytes_ += static_cast<int64_t>(part.ByteSizeLong()) + 2;  // its tag and length, at least
    return bytes_ <= limit_ ? absl::OkStatus() : ResponseTooLarge(bytes_, limit_);
  }

 private:
  const int64_t limit_;
  int64_t bytes_ = 0;
};

// The form of a BCP-47 code: subtags of 1 to 8 letters and digits. Which languages mean something
// is the splitter's business; it treats unknown ones alike.
absl::Status CheckLanguageCode(const std::string& code) {
  size_t subtag = 0;
  bool well_formed = code.size() <= 35;
  for (const char c : code) {
    if (c == '-' || c == '_') {
      well_formed = well_formed && subtag > 0;
      subtag = 0;
    } else {
      well_formed =
          well_formed && absl::ascii_isalnum(static_cast<unsigned char>(c)) && ++subtag <= 8;
    }
  }
  if (code.empty() || (well_formed && subtag > 0)) return absl::OkStatus();
  return InvalidField("LANGUAGE_CODE_INVALID", "language_code",
                      "not a BCP-47 code such as \"en\" or \"pt-BR\"");
}

class TokenizationServiceImpl final : public RawBase {
 public:
  explicit TokenizationServiceImpl(const ServiceParts& parts) : parts_(parts) {}

  grpc::ServerUnaryReactor* Tokenize(grpc::CallbackServerContext* context,
                                     const grpc::ByteBuffer* request,
                                     grpc::ByteBuffer* response) override {
    return StartUnary<v1::TokenizeRequest>(
        {RpcMethod::kTokenize, context, request, response}, parts_,
        [this](const v1::TokenizeRequest& parsed,
               const std::shared_ptr<UnaryCall>& call) -> absl::Status {
          ATTEND_ASSIGN_OR_RETURN(const std::string model,
                                  ParseModelName(parsed.model(), "model", false));
          ATTEND_ASSIGN_OR_RETURN(const OffsetUnit unit,
                                  ParseOffsetUnit(parsed.offset_unit(), "offset_unit"));
          call->scope().record() = {model, 1, static_cast<int64_t>(parsed.text().size()), 0, {}};
          ATTEND_RETURN_IF_ERROR(CheckText(parsed.text(), parts_.engine->options().limits));
          ATTEND_ASSIGN_OR_RETURN(
              const std::vector<AttendedToken> tokens,
              parts_.engine->Tokenize(model, parsed.text(), parsed.omit_special()));
          const OffsetMap map(parsed.text(), unit);
          v1::TokenizeResponse reply;
          ResponseSize size(parts_.rpc->max_message_bytes);
          for (const AttendedToken& token : tokens) {
            v1::Token* added = reply.add_tokens();
            ToProto(token, map, added);
            ATTEND_RETURN_IF_ERROR(size.Add(*added));
          }
          call->Reply(reply);
          return absl::OkStatus();
        });
  }

  grpc::ServerUnaryReactor* Detokenize(grpc::CallbackServerContext* context,
                                       const grpc::ByteBuffer* request,
                                       grpc::ByteBuffer* response) override {
    return StartUnary<v1::DetokenizeRequest>(
        {RpcMethod::kDetokenize, context, request, response}, parts_,
        [this](const v1::DetokenizeRequest& parsed,
               const std::shared_ptr<UnaryCall>& call) -> absl::Status {
          ATTEND_ASSIGN_OR_RETURN(const std::string model,
                                  ParseModelName(parsed.model(), "model", false));
          call->scope().record() = {model, 1, 0, 0, {}};
          ATTEND_RETURN_IF_ERROR(CheckIds(parsed.ids_size(), parts_.engine->options().limits));
          std::vector<int32_t> ids;
          ids.reserve(static_cast<size_t>(parsed.ids_size()));
          for (const uint32_t id : parsed.ids()) ids.push_back(ToInt(id));
          ATTEND_ASSIGN_OR_RETURN(std::string text,
                                  parts_.engine->Detokenize(model, ids, parsed.keep_special()));
          v1::DetokenizeResponse reply;
          reply.set_text(ToUtf8(text));  // ids may join to half a character
          call->Reply(reply);
          return absl::OkStatus();
        });
  }

  grpc::ServerUnaryReactor* SplitSentences(grpc::CallbackServerContext* context,
                                           const grpc::ByteBuffer* request,
                                           grpc::ByteBuffer* response) override {
    return StartUnary<v1::SplitSentencesRequest>(
        {RpcMethod::kSplitSentences, context, request, response}, parts_,
        [this](const v1::SplitSentencesRequest& parsed,
               const std::shared_ptr<UnaryCall>& call) -> absl::Status {
          ATTEND_ASSIGN_OR_RETURN(const OffsetUnit unit,
                                  ParseOffsetUnit(parsed.offset_unit(), "offset_unit"));
          call->scope().record() = {"", 1, static_cast<int64_t>(parsed.text().size()), 0, {}};
          ATTEND_RETURN_IF_ERROR(CheckText(parsed.text(), parts_.engine->options().limits));
          ATTEND_RETURN_IF_ERROR(CheckLanguageCode(parsed.language_code()));
          const OffsetMap map(parsed.text(), unit);
          v1::SplitSentencesResponse reply;
          ResponseSize size(parts_.rpc->max_message_bytes);
          for (const ByteSpan span :
               Engine::SplitSentences(parsed.text(), parsed.language_code())) {
            v1::Span* added = reply.add_sentences();
            ToProto(span, map, added);
            ATTEND_RETURN_IF_ERROR(size.Add(*added));
          }
          call->Reply(reply);
          return absl::OkStatus();
        });
  }

 private:
  const ServiceParts parts_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeTokenizationService(const ServiceParts& parts) {
  return std::make_unique<TokenizationServiceImpl>(parts);
}

}  // namespace attend::server
