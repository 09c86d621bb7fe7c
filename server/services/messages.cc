// Messages are serialised once, straight into gRPC's buffers.
#include "server/services/messages.h"

#include <grpcpp/support/proto_buffer_reader.h>
#include <grpcpp/support/proto_buffer_writer.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "engine/base/error.h"

namespace attend::server {

absl::Status ParseMessage(const grpc::ByteBuffer& bytes, google::protobuf::MessageLite* message) {
  grpc::ByteBuffer shared = bytes;  // reading moves a cursor in it
  if (bytes.Valid()) {
    grpc::ProtoBufferReader reader(&shared);
    if (reader.status().ok() && message->ParseFromZeroCopyStream(&reader)) return absl::OkStatus();
  }
  return InvalidField("REQUEST_MALFORMED", "",
                      absl::StrCat("the request is not a valid ", message->GetTypeName(),
                                   ": it is not protobuf, or a string in it is not UTF-8"));
}

absl::Status SerializeMessage(const google::protobuf::MessageLite& message, int64_t max_bytes,
                              grpc::ByteBuffer* bytes) {
  const size_t size = message.ByteSizeLong();
  if (size > static_cast<size_t>(max_bytes)) {
    return ResponseTooLarge(static_cast<int64_t>(size), max_bytes);
  }
  bytes->Clear();
  grpc::ProtoBufferWriter writer(bytes, 1 << 20, static_cast<int>(size));
  if (!message.SerializeToZeroCopyStream(&writer))
    return absl::InternalError("a response could not be serialised");
  return absl::OkStatus();
}

absl::Status ResponseTooLarge(int64_t bytes, int64_t max_bytes, const std::string& field) {
  ErrorDetail detail;
  detail.reason = "RESPONSE_TOO_LARGE";
  detail.field = field;
  detail.metadata = {{"bytes", absl::StrCat(bytes)}, {"limit", absl::StrCat(max_bytes)}};
  return MakeError(
      absl::StatusCode::kInvalidArgument,
      absl::StrCat("the response would have ", bytes, " bytes or more, above the limit of ",
                   max_bytes, "; send less at once, or ask for attention with StreamAttention"),
      std::move(detail));
}

}  // namespace attend::server
