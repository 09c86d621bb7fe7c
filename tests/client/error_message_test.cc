#include "client/error_message.h"

#include <gtest/gtest.h>

#include "google/rpc/error_details.pb.h"

namespace attend::client {
namespace {

google::rpc::Status BeamTooLarge() {
  google::rpc::Status status;
  status.set_code(3);
  status.set_message("beam_size 64 is above the limit of 8");
  google::rpc::ErrorInfo reason;
  reason.set_reason("BEAM_TOO_LARGE");
  reason.set_domain("attend");
  (*reason.mutable_metadata())["limit"] = "8";
  (*reason.mutable_metadata())["beam_size"] = "64";
  status.add_details()->PackFrom(reason);
  google::rpc::BadRequest bad_request;
  auto* violation = bad_request.add_field_violations();
  violation->set_field("config.decoding.beam_size");
  violation->set_description(status.message());
  status.add_details()->PackFrom(bad_request);
  return status;
}

TEST(DecodeError, ReadsEveryDetail) {
  google::rpc::Status status = BeamTooLarge();
  google::rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_seconds(1);
  retry.mutable_retry_delay()->set_nanos(500000000);
  status.add_details()->PackFrom(retry);
  google::rpc::ResourceInfo resource;
  resource.set_resource_type("model");
  resource.set_resource_name("models/en-fr");
  status.add_details()->PackFrom(resource);
  const CallError error = DecodeError(grpc::Status(grpc::StatusCode::INVALID_ARGUMENT,
                                                   status.message(), status.SerializeAsString()));
  EXPECT_EQ(error.code, grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(error.reason, "BEAM_TOO_LARGE");
  ASSERT_EQ(error.fields.size(), 1u);
  EXPECT_EQ(error.fields[0].first, "config.decoding.beam_size");
  ASSERT_TRUE(error.retry_delay.has_value());
  EXPECT_EQ(error.retry_delay->count(), 1500);
  EXPECT_EQ(error.resource_name, "models/en-fr");
  ASSERT_EQ(error.metadata.size(), 2u);
  EXPECT_EQ(error.metadata[0].first, "beam_size");
}

TEST(FormatError, PutsOneThingOnALine) {
  EXPECT_EQ(FormatError(DecodeError(BeamTooLarge()), Terminal()),
            "INVALID_ARGUMENT (BEAM_TOO_LARGE): beam_size 64 is above the limit of 8\n"
            "  field:     config.decoding.beam_size\n"
            "  beam_size: 64\n"
            "  limit:     8\n");
  EXPECT_EQ(FormatErrorLine(DecodeError(BeamTooLarge())),
            "INVALID_ARGUMENT (BEAM_TOO_LARGE): beam_size 64 is above the limit of 8");
}

TEST(DecodeError, SurvivesMissingAndBrokenDetails) {
  const CallError plain = DecodeError(grpc::Status(grpc::StatusCode::INTERNAL, "oops"));
  EXPECT_EQ(FormatError(plain, Terminal()), "INTERNAL: oops\n");
  const CallError broken =
      DecodeError(grpc::Status(grpc::StatusCode::INTERNAL, "oops", "\xFF\xFFnot a message"));
  EXPECT_EQ(broken.message, "oops");
  EXPECT_EQ(broken.reason, "");
  google::rpc::Status unknown;
  unknown.set_code(999);
  auto* detail = unknown.add_details();
  detail->set_type_url("type.googleapis.com/google.rpc.ErrorInfo");
  detail->set_value("\xFF\xFF");
  EXPECT_EQ(DecodeError(unknown).code, grpc::StatusCode::UNKNOWN);
}

TEST(DecodeError, KeepsRetryDelaysInRange) {
  google::rpc::Status status;
  google::rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_seconds(INT64_MAX);
  retry.mutable_retry_delay()->set_nanos(-5);
  status.add_details()->PackFrom(retry);
  EXPECT_EQ(DecodeError(status).retry_delay->count(), 86400000);
}

TEST(FormatError, ServersCannotDriveTheTerminal) {
  EXPECT_EQ(
      FormatError(DecodeError(grpc::Status(grpc::StatusCode::INTERNAL, "\x1b[2J")), Terminal())
          .find('\x1b'),
      std::string::npos);
}

TEST(FormatError, NamesTheDelay) {
  CallError error;
  error.code = grpc::StatusCode::UNAVAILABLE;
  error.message = "busy";
  error.retry_delay = std::chrono::milliseconds(2500);
  EXPECT_EQ(FormatError(error, Terminal()), "UNAVAILABLE: busy\n  retry:     in 2.5 s\n");
  error.retry_delay = std::chrono::milliseconds(20);
  EXPECT_EQ(FormatError(error, Terminal()), "UNAVAILABLE: busy\n  retry:     in 20 ms\n");
}

}  // namespace
}  // namespace attend::client
