// Bytes of the wire ↔ messages. The services are registered with raw methods, so that a request
// that cannot be parsed (not protobuf, or a string that is not UTF-8) gets an answer that says so;
// gRPC's own answer would be a bare UNIMPLEMENTED.
#pragma once

#include <google/protobuf/message_lite.h>
#include <grpcpp/support/byte_buffer.h>

#include <exception>
#include <new>
#include <stdexcept>
#include <string>

#include "absl/status/status.h"
#include "engine/base/call_errors.h"

namespace attend::server {

// INVALID_ARGUMENT / REQUEST_MALFORMED.
absl::Status ParseMessage(const grpc::ByteBuffer& bytes, google::protobuf::MessageLite* message);

// INVALID_ARGUMENT / RESPONSE_TOO_LARGE above `max_bytes`, which unconfigured clients would refuse
// anyway.
absl::Status SerializeMessage(const google::protobuf::MessageLite& message, int64_t max_bytes,
                              grpc::ByteBuffer* bytes);

// INVALID_ARGUMENT / RESPONSE_TOO_LARGE: for who finds it before there is a message. `bytes` is
// what there is at least; `field`, when not empty, is the part of the request to blame.
absl::Status ResponseTooLarge(int64_t bytes, int64_t max_bytes, const std::string& field = "");

// Runs `body`, which returns a status; what it throws (a library, or an exhausted memory) becomes
// INTERNAL or RESOURCE_EXHAUSTED. Every callback of gRPC and of the engine goes through this:
// an exception that leaves one would end the process, and with it everybody's calls.
template <typename Body>
absl::Status RunGuarded(Body&& body) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return OutOfMemory();
  } catch (const std::length_error&) {  // more than a string or vector can ever hold
    return OutOfMemory();
  } catch (const std::exception& error) {
    return absl::InternalError(error.what());
  } catch (...) {
    return absl::InternalError("unknown exception");
  }
}

}  // namespace attend::server
