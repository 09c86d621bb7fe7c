#include "server/convert/status_convert.h"

#include "engine/base/error.h"
#include "google/rpc/error_details.pb.h"
#include "gtest/gtest.h"

namespace attend::server {
namespace {

template <typename Detail>
std::optional<Detail> DetailOf(const google::rpc::Status& status) {
  Detail detail;
  for (const auto& any : status.details()) {
    if (any.UnpackTo(&detail)) return detail;
  }
  return std::nullopt;
}

TEST(StatusConvertTest, InvalidArgumentNamesItsField) {
  const absl::Status status = InvalidField("EMPTY_INPUT", "source", "the text is blank");
  const google::rpc::Status proto = ToRpcStatus(status);
  EXPECT_EQ(proto.code(), 3);
  EXPECT_EQ(proto.message(), "the text is blank");
  EXPECT_EQ(DetailOf<google::rpc::ErrorInfo>(proto)->reason(), "EMPTY_INPUT");
  EXPECT_EQ(DetailOf<google::rpc::ErrorInfo>(proto)->domain(), "attend");
  EXPECT_EQ(DetailOf<google::rpc::BadRequest>(proto)->field_violations(0).field(), "source");
  EXPECT_FALSE(DetailOf<google::rpc::RetryInfo>(proto));
}

TEST(StatusConvertTest, EveryKindHasItsDetail) {
  ErrorDetail detail;
  detail.reason = "MODEL_NOT_FOUND";
  detail.resource_type = "attend.v1.Model";
  detail.resource_name = "models/x";
  const auto missing = ToRpcStatus(MakeError(absl::StatusCode::kNotFound, "none", detail));
  EXPECT_EQ(DetailOf<google::rpc::ResourceInfo>(missing)->resource_name(), "models/x");
  detail.reason = "MODEL_FAILED";
  const auto failed =
      ToRpcStatus(MakeError(absl::StatusCode::kFailedPrecondition, "broken", detail));
  EXPECT_EQ(DetailOf<google::rpc::PreconditionFailure>(failed)->violations(0).type(),
            "MODEL_FAILED");
  detail.reason = "QUEUE_FULL";
  detail.retry_after = absl::Milliseconds(1500);
  const auto full = ToRpcStatus(MakeError(absl::StatusCode::kResourceExhausted, "full", detail));
  EXPECT_EQ(DetailOf<google::rpc::RetryInfo>(full)->retry_delay().seconds(), 1);
  EXPECT_EQ(DetailOf<google::rpc::RetryInfo>(full)->retry_delay().nanos(), 500000000);
}

TEST(StatusConvertTest, PlainStatusesGetAReasonFromTheirCode) {
  EXPECT_EQ(ReasonOf(absl::InternalError("x")), "BUG");
  EXPECT_EQ(ReasonOf(absl::UnknownError("x")), "BUG");
  EXPECT_EQ(ReasonOf(absl::DeadlineExceededError("x")), "DEADLINE_EXCEEDED");
  EXPECT_EQ(ReasonOf(absl::CancelledError("x")), "");
  EXPECT_EQ(ToRpcStatus(absl::CancelledError("x")).details_size(), 0);
  EXPECT_EQ(DetailOf<google::rpc::ErrorInfo>(ToRpcStatus(absl::InternalError("x"), "id-1"))
                ->metadata()
                .at("request_id"),
            "id-1");
}

TEST(StatusConvertTest, OutcomesAreNeverEmpty) {
  EXPECT_EQ(OutcomeOf(absl::OkStatus()), "ok");
  EXPECT_EQ(OutcomeOf(absl::CancelledError("x")), "CANCELLED");
  EXPECT_EQ(OutcomeOf(InvalidField("EMPTY_INPUT", "f", "m")), "EMPTY_INPUT");
}

TEST(StatusConvertTest, BytesThatAreNoUtf8AreReplacedEverywhere) {
  ErrorDetail detail;
  detail.reason = "MODEL_NOT_FOUND";
  detail.metadata = {{"key\xFF", "value\xFF"}};
  detail.resource_type = "type\xFF";
  detail.resource_name = "name\xFF";
  for (const auto code : {absl::StatusCode::kNotFound, absl::StatusCode::kFailedPrecondition}) {
    const grpc::Status status = ToGrpcStatus(MakeError(code, "message \xFF", detail));
    EXPECT_EQ(status.error_message(), "message \xEF\xBF\xBD");
    google::rpc::Status proto;  // parsing refuses ill-formed strings
    ASSERT_TRUE(proto.ParseFromString(status.error_details()));
    google::rpc::ErrorInfo error_info;
    ASSERT_TRUE(proto.details(0).UnpackTo(&error_info));
    EXPECT_EQ(error_info.metadata().at("key\xEF\xBF\xBD"), "value\xEF\xBF\xBD");
    google::rpc::ResourceInfo resource;
    google::rpc::PreconditionFailure failure;
    EXPECT_TRUE(proto.details(1).UnpackTo(&resource) || proto.details(1).UnpackTo(&failure));
  }
}

TEST(StatusConvertTest, FoldersAreHidden) {
  const std::vector<std::string> folders = {"/srv/models/en", "/srv/models/en-fr/", "relative"};
  const auto hidden = [&](const std::string& message) {
    return std::string(HideFolders(absl::InternalError(message), folders).message());
  };
  EXPECT_EQ(hidden("/srv/models/en/config.json: not JSON"), "config.json: not JSON");
  EXPECT_EQ(hidden("/srv/models/en-fr/a.json, /srv/models/en/b"), "a.json, b");
  EXPECT_EQ(hidden("/srv/models/en-fr: no such model folder"),
            "the model's folder: no such model folder");
  EXPECT_EQ(hidden("relative words and models/en stay"), "relative words and models/en stay");
  ErrorDetail detail;
  detail.reason = "CHECKPOINT_CORRUPT";
  detail.metadata = {{"file", "/srv/models/en/x"}};
  detail.resource_name = "/srv/models/en/x";
  detail.retry_after = absl::Seconds(2);
  const auto got =
      GetErrorDetail(HideFolders(MakeError(absl::StatusCode::kNotFound, "m", detail), folders));
  ASSERT_TRUE(got);
  EXPECT_EQ(got->metadata[0].second, "x");
  EXPECT_EQ(got->resource_name, "x");
  EXPECT_EQ(got->retry_after, absl::Seconds(2));
}

TEST(StatusConvertTest, FitsIntoTrailersWhateverItHolds) {
  ErrorDetail detail;
  detail.reason = "INPUT_TOO_LONG";
  detail.field = std::string(5000, 'f');
  for (int i = 0; i < 100; ++i)
    detail.metadata.emplace_back("key" + std::to_string(i), std::string(9000, 'v'));
  std::string message;
  for (int i = 0; i < 4000; ++i) message += "é";
  const grpc::Status status =
      ToGrpcStatus(MakeError(absl::StatusCode::kInvalidArgument, message, detail));
  // The message travels percent-encoded, three bytes for one.
  EXPECT_LT(status.error_details().size() * 4 / 3 + status.error_message().size() * 3, 8192u);
  google::rpc::Status proto;
  EXPECT_TRUE(proto.ParseFromString(status.error_details()));
  EXPECT_EQ(proto.message(), status.error_message());
  EXPECT_TRUE(ToGrpcStatus(absl::OkStatus()).ok());
}

}  // namespace
}  // namespace attend::server
