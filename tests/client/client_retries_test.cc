// What attend tries again, in halves or as it was, and what it gives up: per line, and for all.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <string>

#include "tests/client/client_faults.h"
#include "tests/testing/temporary_folder.h"

namespace attend::client {
namespace {

using std::chrono::milliseconds;

TEST_F(ClientFaults, RetriesWhatTheServerSaysIsWorthIt) {
  server_.translate = [this](grpc::ServerContext*, const auto& request, auto* response) {
    if (server_.num_calls == 1)
      return Refusal(grpc::StatusCode::UNAVAILABLE, "MODEL_LOADING", "still loading", 200);
    if (server_.num_calls == 2)
      return Refusal(grpc::StatusCode::RESOURCE_EXHAUSTED, "QUEUE_FULL", "full", 100);
    return FaultyServer::Capitals(request, response);
  };
  server_.Start();
  const auto start = std::chrono::steady_clock::now();
  const ProgramRun run = Run({"translate", "hello", "-v"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.out, "HELLO\n");
  EXPECT_EQ(server_.num_calls, 3);
  EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds(300));
  EXPECT_TRUE(Contains(run.err, "UNAVAILABLE (MODEL_LOADING): still loading; retry 1 in "))
      << run.err;
  EXPECT_TRUE(Contains(run.err, "QUEUE_FULL): full; retry 2 in 0.1 s")) << run.err;
}

TEST_F(ClientFaults, AFullQueueIsRetriedUntilTheTimeoutAndTheDelayIsShown) {
  server_.translate = [](grpc::ServerContext*, const auto&, auto*) {
    return Refusal(grpc::StatusCode::RESOURCE_EXHAUSTED, "QUEUE_FULL", "the queue is full", 50);
  };
  server_.Start();
  const auto start = std::chrono::steady_clock::now();
  const ProgramRun run = Run({"translate", "hello", "--timeout", "1"});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_GT(server_.num_calls, 4);
  EXPECT_LT(server_.num_calls, 30);
  EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds(500));
  EXPECT_TRUE(Contains(run.err, "RESOURCE_EXHAUSTED (QUEUE_FULL): the queue is full\n")) << run.err;
  EXPECT_TRUE(Contains(run.err, "retry:     in 50 ms\n")) << run.err;
  EXPECT_FALSE(Contains(run.err, "retry 1 in")) << "only with -v: " << run.err;
}

TEST_F(ClientFaults, AnUnavailableServerIsTriedFourTimes) {
  server_.translate = [](grpc::ServerContext*, const auto&, auto*) {
    return Refusal(grpc::StatusCode::UNAVAILABLE, "MODEL_LOADING", "still loading", 10);
  };
  server_.Start();
  EXPECT_EQ(Run({"translate", "hello"}).exit_code, 1);
  EXPECT_EQ(server_.num_calls, 4);
}

TEST_F(ClientFaults, AStreamThatHasNotBegunIsRetried) {
  server_.stream_translate = [this](grpc::ServerContext*, const auto&, auto* writer) {
    if (server_.num_calls < 3)
      return Refusal(grpc::StatusCode::RESOURCE_EXHAUSTED, "QUEUE_FULL", "full", 20);
    attend::v1::StreamTranslateResponse response;
    response.mutable_delta()->set_text("Le");
    writer->Write(response);
    // Retried now, the text would be shown twice.
    return Refusal(grpc::StatusCode::RESOURCE_EXHAUSTED, "QUEUE_FULL", "full", 20);
  };
  server_.Start();
  const ProgramRun run = Run({"translate", "--stream", "x"});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_EQ(run.out, "Le\n");
  EXPECT_EQ(server_.num_calls, 3);
}

TEST_F(ClientFaults, AStreamWithoutAResultHasFailed) {
  server_.stream_translate = [](grpc::ServerContext*, const auto&, auto*) {
    return grpc::Status::OK;
  };
  server_.Start();
  const ProgramRun run = Run({"translate", "--stream", "x"});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_TRUE(Contains(run.err, "ended the stream without a result")) << run.err;
}

TEST_F(ClientFaults, DoesNotRetryWithoutADelayOrBeyondTheTimeout) {
  server_.translate = [](grpc::ServerContext*, const auto& request, auto*) {
    return request.texts(0) == "later"
               ? Refusal(grpc::StatusCode::UNAVAILABLE, "MODEL_LOADING", "slow", 3600000)
               : Refusal(grpc::StatusCode::INTERNAL, "BUG", "broken", 10);
  };
  server_.Start();
  EXPECT_EQ(Run({"translate", "now"}).exit_code, 1);
  EXPECT_EQ(server_.num_calls, 1);
  EXPECT_EQ(Run({"translate", "later", "--timeout", "5"}).exit_code, 1);
  EXPECT_EQ(server_.num_calls, 2);
}

TEST_F(ClientFaults, ADeadlineEndsACallThatHangs) {
  server_.translate = [this](grpc::ServerContext* context, const auto&, auto*) {
    return server_.WaitForCancel(context);
  };
  server_.Start();
  const ProgramRun run = Run({"translate", "hello", "--timeout", "0.3"});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_TRUE(Contains(run.err, "DEADLINE_EXCEEDED")) << run.err;
}

TEST_F(ClientFaults, FailedItemsKeepTheirLines) {
  StartCapitals();
  const ProgramRun run = Run({"translate", "--batch-size", "2"}, "one\nFAIL\n\nbad \xFF\nfive\n");
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_EQ(run.out, "ONE\n\n\n\nFIVE\n");
  EXPECT_TRUE(Contains(run.err, "line 2: INVALID_ARGUMENT (INPUT_TOO_LONG): the text is too long"))
      << run.err;
  EXPECT_TRUE(Contains(run.err, "line 4: not valid UTF-8 at byte 5, not sent")) << run.err;
  EXPECT_TRUE(Contains(run.err, "2 of 5 lines failed")) << run.err;
}

TEST_F(ClientFaults, AFailedCallCostsOnlyItsOwnLines) {
  server_.translate = [](grpc::ServerContext*, const auto& request, auto* response) {
    if (request.texts(0) == "b") return Refusal(grpc::StatusCode::INTERNAL, "BUG", "broken");
    return FaultyServer::Capitals(request, response);
  };
  server_.Start();
  const ProgramRun run = Run({"translate", "--batch-size", "1"}, "a\nb\nc\n");
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_EQ(run.out, "A\n\nC\n");
  EXPECT_TRUE(Contains(run.err, "line 2: INTERNAL (BUG): broken")) << run.err;
}

TEST_F(ClientFaults, ARefusalOfEveryLineIsToldOnce) {
  server_.translate = [](grpc::ServerContext*, const auto&, auto*) {
    return Refusal(grpc::StatusCode::NOT_FOUND, "MODEL_NOT_FOUND", "model \"xx\" is not served");
  };
  server_.Start();
  std::string input;
  for (int i = 0; i < 500; ++i) input += "line\n";
  const ProgramRun run = Run({"translate", "--batch-size", "1", "-m", "xx"}, input);
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_EQ(run.out, "");
  EXPECT_EQ(run.err, "attend: NOT_FOUND (MODEL_NOT_FOUND): model \"xx\" is not served\n");
  EXPECT_LT(server_.num_calls, 50);
}

// What the streamed lines of translate and the pairs of align share: each is a call of its own.
TEST_F(ClientFaults, ARefusalOfEveryLineIsToldOnceWhereLinesAreCalls) {
  server_.stream_translate = [](grpc::ServerContext*, const auto&, auto*) {
    return Refusal(grpc::StatusCode::NOT_FOUND, "MODEL_NOT_FOUND", "not served");
  };
  server_.align_words = [](const auto&, auto*) {
    return Refusal(grpc::StatusCode::NOT_FOUND, "MODEL_NOT_FOUND", "not served");
  };
  server_.Start();
  const ProgramRun streamed = Run({"translate", "--stream"}, "a\nb\nc\n");
  EXPECT_EQ(streamed.exit_code, 1);
  EXPECT_EQ(streamed.out, "");
  EXPECT_EQ(streamed.err, "attend: NOT_FOUND (MODEL_NOT_FOUND): not served\n");
  EXPECT_EQ(server_.num_calls, 1);
  const TemporaryFolder folder;
  const std::string lines = folder.Write("lines", "a\nb\nc\n");
  const ProgramRun aligned = Run({"align", "--source-file", lines, "--target-file", lines});
  EXPECT_EQ(aligned.exit_code, 1);
  EXPECT_EQ(aligned.out, "");
  EXPECT_EQ(aligned.err, "attend: NOT_FOUND (MODEL_NOT_FOUND): not served\n");
}

TEST_F(ClientFaults, ARefusalOfOneTextCostsOneLineWhereLinesAreCalls) {
  server_.stream_translate = [](grpc::ServerContext*, const auto& request, auto* writer) {
    if (request.text() == "b")
      return Refusal(grpc::StatusCode::INVALID_ARGUMENT, "INPUT_TOO_LONG", "too long");
    attend::v1::StreamTranslateResponse response;
    response.mutable_result()->mutable_translation()->set_text(request.text());
    writer->Write(response);
    return grpc::Status::OK;
  };
  server_.align_words = [](const auto& request, auto* response) {
    if (request.source() == "b")
      return Refusal(grpc::StatusCode::INVALID_ARGUMENT, "INPUT_TOO_LONG", "too long");
    response->add_links();
    return grpc::Status::OK;
  };
  server_.Start();
  const ProgramRun streamed = Run({"translate", "--stream"}, "a\nb\nc\n");
  EXPECT_EQ(streamed.exit_code, 1);
  EXPECT_EQ(streamed.out, "a\n\nc\n");
  EXPECT_TRUE(Contains(streamed.err, "line 2: INVALID_ARGUMENT (INPUT_TOO_LONG)")) << streamed.err;
  const ProgramRun json = Run({"translate", "--stream", "--json"}, "b\n");
  EXPECT_EQ(json.out,
            "{\"line\":1,\"source\":\"b\",\"error\":{\"code\":\"INVALID_ARGUMENT\","
            "\"reason\":\"INPUT_TOO_LONG\",\"message\":\"too long\"}}\n");
  const TemporaryFolder folder;
  const std::string lines = folder.Write("lines", "a\nb\nc\n");
  const ProgramRun aligned = Run({"align", "--source-file", lines, "--target-file", lines});
  EXPECT_EQ(aligned.exit_code, 1);
  EXPECT_EQ(aligned.out, "0-0\n\n0-0\n");
  EXPECT_TRUE(Contains(aligned.err, "line 2: INVALID_ARGUMENT (INPUT_TOO_LONG)")) << aligned.err;
}

TEST_F(ClientFaults, ABatchWhoseDeadlinePassedIsSentInHalves) {
  server_.translate = [this](grpc::ServerContext* context, const auto& request, auto* response) {
    for (const std::string& text : request.texts()) {
      if (text == "slow" || request.texts_size() > 2) return server_.WaitForCancel(context);
    }
    return FaultyServer::Capitals(request, response);
  };
  server_.Start();
  const ProgramRun run =
      Run({"translate", "--batch-size", "8", "--timeout", "0.4"}, "a\nb\nc\n\nd\nslow\ne\nf\n");
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_EQ(run.out, "A\nB\nC\n\nD\n\nE\nF\n");
  EXPECT_TRUE(Contains(run.err, "line 6: DEADLINE_EXCEEDED")) << run.err;
  EXPECT_TRUE(Contains(run.err, "1 of 8 lines failed")) << run.err;
}

TEST_F(ClientFaults, ABatchThatTheServerFindsTooBigIsSentInHalves) {
  server_.translate = [](grpc::ServerContext*, const auto& request, auto* response) {
    switch (request.texts_size()) {
      case 5:
        return RefusalOfField(grpc::StatusCode::INVALID_ARGUMENT, "TOO_MANY_ITEMS", "texts");
      case 3:
        return Refusal(grpc::StatusCode::INVALID_ARGUMENT, "RESPONSE_TOO_LARGE", "too large");
      case 2:  // never fits the queue, however often it comes back
        return Refusal(grpc::StatusCode::RESOURCE_EXHAUSTED, "QUEUE_FULL", "full", 50);
      default:
        return FaultyServer::Capitals(request, response);
    }
  };
  server_.Start();
  const ProgramRun run = Run({"translate", "--timeout", "0.3"}, "a\nb\nc\nd\ne\n");
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.out, "A\nB\nC\nD\nE\n");
}

TEST_F(ClientFaults, ARefusedFlagEndsTheRunEvenInTheMiddleOfABatch) {
  server_.translate = [this](grpc::ServerContext* context, const auto& request, auto* response) {
    if (request.texts_size() > 2) return server_.WaitForCancel(context);
    if (request.texts(0) == "c")
      return RefusalOfField(grpc::StatusCode::INVALID_ARGUMENT, "BEAM_TOO_LARGE",
                            "config.decoding.beam_size");
    return FaultyServer::Capitals(request, response);
  };
  server_.Start();
  const ProgramRun run = Run({"translate", "--timeout", "0.4"}, "a\nb\nc\nd\n");
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_EQ(run.out, "A\nB\n");
  EXPECT_TRUE(Contains(run.err, "stopped at line 3")) << run.err;
  EXPECT_TRUE(Contains(run.err, "BEAM_TOO_LARGE")) << run.err;
}

TEST_F(ClientFaults, BatchesOfLongLinesAreSmaller) {
  std::atomic<std::size_t> most_bytes{0}, most_texts{0};
  server_.translate = [&](grpc::ServerContext*, const auto& request, auto* response) {
    std::size_t num_bytes = 0;
    for (const std::string& text : request.texts()) num_bytes += text.size();
    most_bytes = std::max<std::size_t>(most_bytes, num_bytes);
    most_texts = std::max<std::size_t>(most_texts, request.texts_size());
    return FaultyServer::Capitals(request, response);
  };
  server_.Start();
  std::string input, expected;
  for (int i = 0; i < 8; ++i) {
    input += std::string(6000, static_cast<char>('a' + i)) + "\n";
    expected += std::string(6000, static_cast<char>('A' + i)) + "\n";
  }
  const ProgramRun run = Run({"translate", "--in-flight", "1"}, input);
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.out, expected);
  EXPECT_LE(most_bytes, std::size_t{16 << 10});
  EXPECT_EQ(most_texts, 2u);
}

}  // namespace
}  // namespace attend::client
