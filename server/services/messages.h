// Bytes of the wire ↔ messages. The services are registered with raw methods, so that a request
// that cannot be parsed (not protobuf, or a string that is not UTF-8) gets an answer that says so;
// gRPC's own answer would be a bare UNIMPLEMENTED.
#pragma once

#include <google/protobuf/message_lite.h>
#include <grpcpp/support/byte_buffer.h>

#include "absl/status/status.h"

namespace attend::server {

// INVALID_ARGUMENT / REQUEST_MALFORMED.
absl::Status ParseMessage(const grpc::ByteBuffer& bytes, google::protobuf::MessageLite* message);

// INVALID_ARGUMENT / RESPONSE_TOO_LARGE above `max_bytes`, which unconfigured clients would refuse
// anyway.
absl::Status SerializeMessage(const google::protobuf::MessageLite& message, int64_t max_bytes,
                              grpc::ByteBuffer* bytes);

// Runs `body`; an exception (of a library, or of an exhausted memory) becomes INTERNAL or
// RESOURCE_EXHAUSTED.
template <typename Body>
absl::Status RunGuarded(Body&& body);

}  // namespace attend::server

#include <exception>
#include <new>

namespace attend::server {

template <typename Body>
absl::Status RunGuarded(Body&& body) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("out of memory");
  } catch (const std::exception& error) {
    return absl::InternalError(error.what());
  }
}

}  // namespace attend::server
