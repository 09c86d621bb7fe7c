// Response cache and merged duplicates as clients see them: the same answer, less work, and nobody
// hurt by what becomes of another.
#include <chrono>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "tests/integration/server_under_test.h"

namespace attend::server {
namespace {

namespace v1 = attend::v1;

constexpr char kTwoSentences[] = "The cat sat on the mat. My brother reads the question.";

ServerOptions Sharing(int64_t cache_bytes, bool merge) {
  ServerOptions options = TinyOptions();
  options.sharing.cache_bytes = cache_bytes;
  options.sharing.merge_duplicates = merge;
  return options;
}

v1::TranslateResponse Call(const ServerUnderTest& server, const v1::TranslateRequest& request) {
  grpc::ClientContext context;
  v1::TranslateResponse response;
  const grpc::Status status = server.translation->Translate(&context, request, &response);
  EXPECT_TRUE(status.ok()) << Summary(status) << " " << status.error_message();
  EXPECT_EQ(response.outcomes_size(), request.texts_size());
  return response;
}

double Value(const ServerUnderTest& server, const std::string& name) {
  return server.MetricValue(name, {{"model", "tiny"}});
}

std::map<std::string, std::string> Outcome(const std::string& outcome) {
  return {{"model", "tiny"}, {"outcome", outcome}};
}

double Lookups(const ServerUnderTest& server, const std::string& outcome) {
  return server.MetricValue("attend_response_lookups_total", Outcome(outcome));
}

// Everything that is not about this very call.
std::string OutcomesOf(const v1::TranslateResponse& response) {
  std::string out;
  for (const v1::TranslateOutcome& outcome : response.outcomes())
    out += outcome.SerializeAsString();
  return out;
}

v1::TranslateRequest FullRequest() {
  v1::TranslateRequest request = TranslateOf({kTwoSentences, "Yes."});
  v1::TranslationConfig& config = *request.mutable_config();
  config.mutable_decoding()->set_beam_size(4);
  config.mutable_decoding()->set_hypothesis_count(3);
  config.set_include_tokens(true);
  config.set_include_word_links(true);
  config.mutable_attention()->add_kinds(v1::ATTENTION_KIND_CROSS);
  return request;
}

TEST(ResponseCacheTest, IsOffByDefaultAndSoIsMerging) {
  ServerUnderTest server;
  for (int i = 0; i < 2; ++i) {
    const v1::TranslateResponse response = Call(server, TranslateOf({"Yes.", "Yes."}));
    EXPECT_EQ(response.usage().cached_segments(), 0u);
    EXPECT_EQ(response.usage().merged_segments(), 0u);
  }
  for (const char* outcome : {"hit", "merged", "miss"})
    EXPECT_EQ(Lookups(server, outcome), 0) << outcome;
  EXPECT_EQ(Value(server, "attend_response_cache_entries"), 0);
  EXPECT_EQ(Value(server, "attend_response_cache_capacity_bytes"), 0);
}

TEST(ResponseCacheTest, TheSecondAnswerIsTheFirstAndCostsNothing) {
  ServerUnderTest plain, server(Sharing(1 << 20, false));
  const v1::TranslateResponse expected = Call(plain, FullRequest());
  const v1::TranslateResponse first = Call(server, FullRequest());
  EXPECT_EQ(first.usage().cached_segments(), 0u);
  EXPECT_EQ(OutcomesOf(first), OutcomesOf(expected));
  const auto encoded = [&] {
    return server.MetricValue("attend_batch_items_sum", {{"model", "tiny"}, {"phase", "encode"}});
  };
  const double steps = Value(server, "attend_decode_steps_total"), sentences = encoded();
  const v1::TranslateResponse second = Call(server, FullRequest());
  EXPECT_EQ(OutcomesOf(second), OutcomesOf(expected));
  EXPECT_EQ(second.usage().cached_segments(), 3u);
  EXPECT_EQ(second.usage().merged_segments(), 0u);
  EXPECT_EQ(second.usage().input_tokens(), first.usage().input_tokens());
  EXPECT_EQ(second.usage().output_tokens(), first.usage().output_tokens());
  EXPECT_EQ(second.usage().decode_duration().nanos(), 0);
  EXPECT_EQ(Value(server, "attend_decode_steps_total"), steps);
  EXPECT_EQ(encoded(), sentences) << "only the passes for attention ran";
  EXPECT_EQ(Lookups(server, "hit"), 3);
  EXPECT_EQ(Lookups(server, "miss"), 3);
  EXPECT_EQ(Value(server, "attend_response_cache_entries"), 3);
  EXPECT_GT(Value(server, "attend_response_cache_bytes"), 0);
  EXPECT_EQ(Value(server, "attend_response_cache_capacity_bytes"), 1 << 20);
}

TEST(ResponseCacheTest, SentencesAreFoundInOtherTextsAndCalls) {
  ServerUnderTest server(Sharing(1 << 20, false));
  Call(server, TranslateOf({kTwoSentences}));
  const v1::TranslateResponse response =
      Call(server, TranslateOf({"Yes. The cat sat on the mat.  ", "The cat sat on the mat."}));
  EXPECT_EQ(response.usage().cached_segments(), 2u);
  EXPECT_EQ(Lookups(server, "miss"), 3);
  ServerUnderTest plain;
  EXPECT_EQ(OutcomesOf(response),
            OutcomesOf(Call(plain, TranslateOf({"Yes. The cat sat on the mat.  ",
                                                "The cat sat on the mat."}))));
}

TEST(ResponseCacheTest, OtherOptionsAreOtherQuestions) {
  ServerUnderTest server(Sharing(1 << 20, false)), plain;
  v1::TranslateRequest request = TranslateOf({"The cat sat on the mat."});
  Call(server, request);
  const auto expect_miss = [&](const char* what, const v1::TranslateRequest& changed) {
    const v1::TranslateResponse response = Call(server, changed);
    EXPECT_EQ(response.usage().cached_segments(), 0u) << what;
    EXPECT_EQ(OutcomesOf(response), OutcomesOf(Call(plain, changed))) << what;
    EXPECT_EQ(Call(server, changed).usage().cached_segments(), 1u) << what;
  };
  const auto with = [&](auto&& change) {
    v1::TranslateRequest changed = request;
    change(changed.mutable_config());
    return changed;
  };
  using Config = v1::TranslationConfig*;
  expect_miss("beams", with([](Config c) { c->mutable_decoding()->set_beam_size(3); }));
  expect_miss("hypotheses", with([](Config c) {
                c->mutable_decoding()->set_beam_size(3);
                c->mutable_decoding()->set_hypothesis_count(2);
              }));
  expect_miss("most", with([](Config c) { c->mutable_decoding()->set_max_output_tokens(5); }));
  expect_miss("least", with([](Config c) { c->mutable_decoding()->set_min_output_tokens(9); }));
  expect_miss("prefix", with([](Config c) { c->mutable_decoding()->set_target_prefix("Le"); }));
  expect_miss("seed",
              with([](Config c) { c->mutable_decoding()->mutable_sampling()->set_seed(1); }));
  expect_miss("other seed",
              with([](Config c) { c->mutable_decoding()->mutable_sampling()->set_seed(2); }));
  v1::TranslateRequest other = TranslateOf({"The cat sat on the mat!"});
  expect_miss("text", other);
}

TEST(ResponseCacheTest, SamplingWithoutASeedIsNeverShared) {
  ServerUnderTest server(Sharing(1 << 20, true));
  v1::TranslateRequest request = TranslateOf({kTwoSentences, kTwoSentences});
  request.mutable_config()->mutable_decoding()->mutable_sampling()->set_temperature(2);
  for (int i = 0; i < 3; ++i) {
    const v1::TranslateResponse response = Call(server, request);
    EXPECT_EQ(response.usage().cached_segments() + response.usage().merged_segments(), 0u);
  }
  EXPECT_EQ(Value(server, "attend_response_cache_entries"), 0);
}

TEST(ResponseCacheTest, StreamsAreAnsweredToo) {
  ServerUnderTest server(Sharing(1 << 20, true));
  const v1::TranslateResponse unary = Call(server, TranslateOf({kTwoSentences}));
  for (int i = 0; i < 2; ++i) {
    v1::StreamTranslateRequest request;
    *request.mutable_config() = TranslateOf({}).config();
    request.set_text(kTwoSentences);
    grpc::ClientContext context;
    auto reader = server.translation->StreamTranslate(&context, request);
    std::string deltas;
    v1::StreamTranslateResult result;
    for (v1::StreamTranslateResponse response; reader->Read(&response);) {
      deltas += response.delta().text();
      if (response.has_result()) result = response.result();
    }
    EXPECT_TRUE(reader->Finish().ok());
    EXPECT_EQ(deltas, unary.outcomes(0).translation().text());
    EXPECT_EQ(result.translation().SerializeAsString(),
              unary.outcomes(0).translation().SerializeAsString());
    EXPECT_EQ(result.usage().cached_segments(), 2u);
  }
}

TEST(ResponseCacheTest, StaysWithinItsBytes) {
  ServerUnderTest server(Sharing(16 << 10, false));
  for (int i = 0; i < 100; ++i) {
    Call(server, TranslateOf({"The cat sat on the mat " + std::to_string(i) + "."}));
    ASSERT_LE(Value(server, "attend_response_cache_bytes"), 16 << 10);
  }
  const double entries = Value(server, "attend_response_cache_entries");
  EXPECT_GT(entries, 0);
  EXPECT_EQ(Value(server, "attend_response_cache_evictions_total"), 100 - entries);
}

// ---- Duplicates. ----

// Work that lasts; every sentence another.
v1::TranslateRequest LongRequest() {
  std::string text;
  for (int i = 0; i < 150; ++i)
    text += "The cat sat on mat " + std::to_string(i) + " and my brother reads the question. ";
  v1::TranslateRequest request = TranslateOf({text});
  v1::DecodingOptions& decoding = *request.mutable_config()->mutable_decoding();
  decoding.set_beam_size(8);
  decoding.set_min_output_tokens(60);
  decoding.set_max_output_tokens(100);
  return request;
}

TEST(MergeDuplicatesTest, EqualSentencesOfACallAreComputedOnce) {
  ServerUnderTest plain, server(Sharing(0, true));
  const v1::TranslateRequest request =
      TranslateOf(std::vector<std::string>(20, "The cat sat on the mat."));
  const v1::TranslateResponse response = Call(server, request);
  EXPECT_EQ(OutcomesOf(response), OutcomesOf(Call(plain, request)));
  // How many had come before the first was done is for the machine to say; all are accounted for.
  EXPECT_EQ(Lookups(server, "merged"), response.usage().merged_segments());
  EXPECT_EQ(Lookups(server, "miss"), 20 - Lookups(server, "merged"));
  EXPECT_EQ(Lookups(server, "hit"), 0);
}

void WaitForLookup(const ServerUnderTest& server, const std::string& outcome) {
  for (int i = 0; i < 5000 && Lookups(server, outcome) == 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
}

void ExpectIdle(const ServerUnderTest& server) {
  for (const char* gauge :
       {"attend_active_sequences", "attend_queue_items", "attend_kv_cache_bytes"})
    EXPECT_TRUE(server.WaitForMetric(gauge, {{"model", "tiny"}}, 0)) << gauge;
  EXPECT_TRUE(server.WaitForMetric("attend_requests_in_flight", {{"method", "Translate"}}, 0));
}

// A call in a thread of its own.
struct Caller {
  explicit Caller(const ServerUnderTest* server)
      : thread([this, server] {
          status = server->translation->Translate(&context, LongRequest(), &response);
        }) {}
  grpc::ClientContext context;
  v1::TranslateResponse response;
  grpc::Status status;
  std::thread thread;
};

TEST(MergeDuplicatesTest, AClientThatGoesAwayDoesNotHurtTheOther) {
  ServerUnderTest plain, server(Sharing(0, true));
  const std::string expected = OutcomesOf(Call(plain, LongRequest()));
  Caller leader(&server);
  WaitForLookup(server, "miss");
  Caller follower(&server);
  WaitForLookup(server, "merged");
  leader.context.TryCancel();
  leader.thread.join();
  follower.thread.join();
  EXPECT_EQ(leader.status.error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(follower.status.ok()) << Summary(follower.status);
  EXPECT_EQ(OutcomesOf(follower.response), expected);
  EXPECT_GT(follower.response.usage().merged_segments(), 0u);
  ExpectIdle(server);
}

TEST(MergeDuplicatesTest, WhatNobodyWantsAnyMoreStops) {
  ServerUnderTest server(Sharing(0, true));
  Caller leader(&server);
  WaitForLookup(server, "miss");
  Caller follower(&server);
  WaitForLookup(server, "merged");
  for (Caller* caller : {&leader, &follower}) caller->context.TryCancel();
  for (Caller* caller : {&leader, &follower}) {
    caller->thread.join();
    EXPECT_EQ(caller->status.error_code(), grpc::StatusCode::CANCELLED);
  }
  ExpectIdle(server);
  double cancelled = 0;
  for (const char* stage : {"queued", "encode", "decode"}) {
    cancelled += server.MetricValue("attend_cancelled_total",
                                    {{"model", "tiny"}, {"cause", "client"}, {"stage", stage}});
  }
  EXPECT_GT(cancelled, 0);
}

// As in cancel_test: later deadlines are tried until one falls into the work.
TEST(MergeDuplicatesTest, OneWhoseTimeIsOverDoesNotHurtTheOther) {
  ServerUnderTest plain, server(Sharing(0, true));
  const std::string expected = OutcomesOf(Call(plain, LongRequest()));
  double merged = 0;
  for (int milliseconds = 50; milliseconds < 30000 && merged == 0; milliseconds *= 2) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::milliseconds(milliseconds));
    v1::TranslateResponse unused;
    grpc::Status late;
    std::thread leader(
        [&] { late = server.translation->Translate(&context, LongRequest(), &unused); });
    const v1::TranslateResponse response = Call(server, LongRequest());
    leader.join();
    EXPECT_EQ(OutcomesOf(response), expected);
    if (late.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED)
      merged = Lookups(server, "merged");
  }
  EXPECT_GT(merged, 0);
  ExpectIdle(server);
}

}  // namespace
}  // namespace attend::server
