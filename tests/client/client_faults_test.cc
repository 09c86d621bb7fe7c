// How attend behaves when things go wrong: arguments, unreachable servers, refusals, broken
// streams, Ctrl-C.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>

#include "tests/client/faulty_server.h"
#include "tests/client/program_run.h"
#include "tests/testing/temporary_folder.h"

namespace attend::client {
namespace {

using std::chrono::milliseconds;

class ClientFaults : public ::testing::Test {
 protected:
  ProgramRun Run(std::vector<std::string> arguments, const std::string& input = "") {
    arguments.insert(arguments.end(), {"--address", server_.address()});
    return RunAttend(arguments, {input, {}});
  }

  void StartCapitals() {
    server_.translate = [](grpc::ServerContext*, const auto& request, auto* response) {
      return FaultyServer::Capitals(request, response);
    };
    server_.Start();
  }

  FaultyServer server_;
};

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(ClientArguments, WrongUsageIsExitCode2AndSaysWhat) {
  const auto expect_usage_error = [](const std::vector<std::string>& arguments,
                                     const std::string& part) {
    const ProgramRun run = RunAttend(arguments);
    EXPECT_EQ(run.exit_code, 2) << run.err;
    EXPECT_TRUE(Contains(run.err, part)) << run.err;
    EXPECT_EQ(run.out, "");
  };
  expect_usage_error({}, "Usage: attend");
  expect_usage_error({"translat", "x"}, "no command is called translat");
  expect_usage_error({"translate", "--no-such-flag", "x"}, "--no-such-flag");
  expect_usage_error({"translate", "--beam-size", "-1", "x"}, "--beam-size");
  expect_usage_error({"translate", "--beam-size", "many", "x"}, "--beam-size");
  expect_usage_error({"translate", "--early-stopping", "soon", "x"}, "--early-stopping");
  for (const char* seconds : {"0", "-1", "nan", "inf", "1e999"}) {
    expect_usage_error({"translate", "--timeout", seconds, "x"}, "--timeout");
    if (seconds[0] != '0') {
      expect_usage_error({"models", "--connect-timeout", seconds}, "--connect-timeout");
      expect_usage_error({"probe", "--wait", seconds}, "--wait");
    }
  }
  expect_usage_error({"translate", "--seed", "-1", "x"}, "--seed");
  expect_usage_error({"translate", "--seed", "18446744073709551616", "x"}, "--seed");
  expect_usage_error({"translate", "--temperature", "nan", "x"}, "--temperature");
  expect_usage_error({"translate", "--n-best", "2", "--stream", "x"}, "--n-best");
  expect_usage_error({"translate", "--n-best", "2", "--align", "x"}, "--n-best");
  expect_usage_error({"attention", "x", "--min-weight", "nan"}, "--min-weight");
  expect_usage_error({"attention", "x", "--top-k", "-1"}, "--top-k");
  expect_usage_error({"align", "x", "y", "--min-score", "inf"}, "--min-score");
  expect_usage_error({"translate", "--color", "blue", "x"}, "--color");
  expect_usage_error({"translate", "--json", "--align", "x"}, "--align");
  expect_usage_error({"translate", "--input", "/no/such/file"}, "cannot open /no/such/file");
  expect_usage_error({"translate", "--input", "x.txt", "text"}, "not both");
  expect_usage_error({"translate", "bad\xFF"}, "not valid UTF-8");
  expect_usage_error({"attention"}, "SOURCE");
  expect_usage_error({"attention", "x", "--heads", "1"}, "LAYER:HEAD");
  expect_usage_error({"attention", "x", "--heads", "99999999999:1"}, "LAYER:HEAD");
  expect_usage_error({"attention", "x", "--kind", "sideways"}, "--kind");
  expect_usage_error({"attention", "x", "--heads", "1:0", "--preset", "alignment"}, "--preset");
  expect_usage_error({"align", "only one"}, "SOURCE and TARGET");
  expect_usage_error({"align", "--source-file", "/dev/null"}, "--target-file");
  expect_usage_error({"tokenize"}, "TEXT");
  expect_usage_error({"tokenize", "--ids", "-4"}, "--ids");
  expect_usage_error({"help", "nothing"}, "no command is called nothing");
}

TEST(ClientArguments, HelpAndVersionNeedNoServer) {
  for (const char* command : {"translate", "attention", "align", "models", "tokenize", "probe"}) {
    const ProgramRun help = RunAttend({"help", command});
    EXPECT_EQ(help.exit_code, 0);
    EXPECT_TRUE(Contains(help.out, "Usage: attend " + std::string(command))) << help.out;
    EXPECT_TRUE(Contains(help.out, "Examples:")) << help.out;
    EXPECT_TRUE(Contains(help.out, "--address")) << help.out;
    EXPECT_EQ(RunAttend({command, "--help"}).exit_code, 0);
    EXPECT_TRUE(Contains(RunAttend({"help"}).out, command));
  }
  const ProgramRun version = RunAttend({"--version"});
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_EQ(version.out.rfind("attend ", 0), 0u);
}

TEST(ClientArguments, HelpFitsEightyColumns) {
  for (const char* command :
       {"", "translate", "attention", "align", "models", "tokenize", "probe"}) {
    std::vector<std::string> arguments = {"help"};
    if (*command != '\0') arguments.push_back(command);
    std::istringstream help(RunAttend(arguments).out);
    std::string line, before = "x";
    while (std::getline(help, line)) {
      EXPECT_LE(line.size(), 80u) << command << ": " << line;
      EXPECT_FALSE(line.empty() && before.empty()) << command << ": two empty lines";
      before = line;
    }
  }
  const std::string help = RunAttend({"help", "translate"}).out;
  EXPECT_TRUE(Contains(help, "unix:PATH")) << help;
  EXPECT_TRUE(Contains(help, "ATTEND_DEFAULT_MODEL")) << help;
  EXPECT_TRUE(Contains(help, "(not with --align, --stream)")) << help;
}

TEST(ClientReach, NobodyListeningIsExitCode3AndNamesTheAddress) {
  // Port 1 has no listener on any machine that runs tests.
  const ProgramRun run =
      RunAttend({"translate", "x", "--address", "127.0.0.1:1", "--connect-timeout", "0.3"});
  EXPECT_EQ(run.exit_code, 3);
  EXPECT_TRUE(Contains(run.err, "cannot reach a server at 127.0.0.1:1: Connection refused"))
      << run.err;
  EXPECT_TRUE(Contains(run.err, "ATTEND_ADDRESS")) << run.err;
  const ProgramRun by_environment = RunAttend({"models", "--connect-timeout", "0.3"},
                                              {"", {{"ATTEND_ADDRESS", "unix:/no/such/socket"}}});
  EXPECT_EQ(by_environment.exit_code, 3);
  EXPECT_TRUE(Contains(by_environment.err, "unix:/no/such/socket")) << by_environment.err;
  const ProgramRun lines =
      RunAttend({"translate", "--address", "127.0.0.1:1", "--connect-timeout", "0.3"}, {"a\n", {}});
  EXPECT_EQ(lines.exit_code, 3);
  EXPECT_EQ(lines.out, "");
}

TEST(ClientReach, AWrongAddressEmptiesNoFile) {
  const TemporaryFolder folder;
  const std::string input = folder.Write("in.txt", "hello\n");
  const std::string output = folder.Write("out.txt", "precious");
  EXPECT_EQ(RunAttend({"translate", "-i", input, "-o", output, "-a", "127.0.0.1:1",
                       "--connect-timeout", "0.2"})
                .exit_code,
            3);
  std::stringstream kept;
  kept << std::ifstream(output).rdbuf();
  EXPECT_EQ(kept.str(), "precious");
}

TEST(ClientReach, ProbeSays2WhenNobodyIsThere) {
  const ProgramRun run =
      RunAttend({"probe", "--address", "127.0.0.1:1", "--connect-timeout", "0.2"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_TRUE(Contains(run.err, "cannot reach 127.0.0.1:1")) << run.err;
}

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

TEST_F(ClientFaults, CtrlCCancelsTheCall) {
  server_.translate = [this](grpc::ServerContext* context, const auto&, auto*) {
    return server_.WaitForCancel(context);
  };
  server_.stream_translate = [this](grpc::ServerContext* context, const auto&, auto*) {
    return server_.WaitForCancel(context);
  };
  server_.Start();
  int calls = 0;
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{"translate", "hello"},
                                                    {"translate", "--stream", "hello"},
                                                    {"translate"}}) {
    std::vector<std::string> with_address = arguments;
    with_address.insert(with_address.end(), {"--address", server_.address()});
    RunningProgram program(with_address, {"a line\n", {}}, /*close_input=*/false);
    ++calls;
    for (int i = 0; i < 1000 && server_.num_calls < calls; ++i)
      std::this_thread::sleep_for(milliseconds(10));
    ASSERT_EQ(server_.num_calls, calls);
    kill(program.pid(), SIGINT);
    const ProgramRun run = program.Finish();
    EXPECT_EQ(run.exit_code, 130);
    EXPECT_EQ(run.out, "");
    for (int i = 0; i < 500 && server_.num_cancelled < calls; ++i)
      std::this_thread::sleep_for(milliseconds(10));
    EXPECT_EQ(server_.num_cancelled, calls) << "the server must see the cancel";
  }
}

TEST_F(ClientFaults, CtrlCWhileWaitingForInputEndsAtOnce) {
  StartCapitals();
  RunningProgram program({"translate", "--address", server_.address()}, {"hello\n", {}},
                         /*close_input=*/false);
  EXPECT_EQ(program.ReadLine(), "HELLO\n");
  kill(program.pid(), SIGINT);
  EXPECT_EQ(program.Finish().exit_code, 130);
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

TEST_F(ClientFaults, FewerAnswersThanTextsIsNoticed) {
  server_.translate = [](grpc::ServerContext*, const auto&, auto* response) {
    response->add_outcomes()->mutable_translation()->set_text("only one");
    return grpc::Status::OK;
  };
  server_.Start();
  const ProgramRun run = Run({"translate"}, "a\nb\n");
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_EQ(run.out, "only one\n\n");
  EXPECT_TRUE(Contains(run.err, "line 2: INTERNAL: the server answered fewer items")) << run.err;
}

TEST_F(ClientFaults, OrderIsKeptWhenLaterCallsFinishFirst) {
  server_.translate = [](grpc::ServerContext*, const auto& request, auto* response) {
    const int number = std::stoi(request.texts(0).substr(1));
    std::this_thread::sleep_for(milliseconds(number % 4 == 0 ? 120 : 5));
    return FaultyServer::Capitals(request, response);
  };
  server_.Start();
  std::string input, expected;
  for (int i = 0; i < 40; ++i) {
    input += "x" + std::to_string(i) + "\n";
    expected += "X" + std::to_string(i) + "\n";
  }
  const auto start = std::chrono::steady_clock::now();
  const ProgramRun run = Run({"translate", "--batch-size", "1", "--in-flight", "8"}, input);
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.out, expected);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

TEST_F(ClientFaults, AReaderThatLeavesEndsTheRunQuietly) {
  server_.translate = [](grpc::ServerContext*, const auto& request, auto* response) {
    std::this_thread::sleep_for(milliseconds(20));
    return FaultyServer::Capitals(request, response);
  };
  server_.Start();
  std::string input;
  for (int i = 0; i < 2000; ++i) input += "x" + std::to_string(i) + "\n";
  RunningProgram program({"translate", "--batch-size", "1", "--address", server_.address()},
                         {input, {}});
  EXPECT_EQ(program.ReadLine(), "X0\n");
  program.CloseOutput();
  const ProgramRun run = program.Finish();
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_EQ(run.err, "");
  EXPECT_LT(server_.num_calls, 1900);
}

TEST_F(ClientFaults, APipeShowsEachLineAsItIsTyped) {
  StartCapitals();
  RunningProgram program({"translate", "--address", server_.address()}, {}, /*close_input=*/false);
  program.Write("one\n");
  EXPECT_EQ(program.ReadLine(), "ONE\n");
  program.Write("two\nthree\n");
  EXPECT_EQ(program.ReadLine(), "TWO\n");
  EXPECT_EQ(program.ReadLine(), "THREE\n");
  program.Write("no line end");
  program.CloseInput();
  EXPECT_EQ(program.ReadLine(), "NO LINE END\n");
  EXPECT_EQ(program.Finish().exit_code, 0);
}

TEST_F(ClientFaults, ABrokenStreamKeepsWhatCameAndFails) {
  server_.stream_translate = [](grpc::ServerContext*, const auto&, auto* writer) {
    attend::v1::StreamTranslateResponse response;
    response.mutable_delta()->set_text("Le chat");
    writer->Write(response);
    return Refusal(grpc::StatusCode::INTERNAL, "BUG", "broken in the middle");
  };
  server_.Start();
  const ProgramRun run = Run({"translate", "--stream", "The cat"});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_EQ(run.out, "Le chat\n");
  EXPECT_TRUE(Contains(run.err, "INTERNAL (BUG): broken in the middle")) << run.err;
}

TEST_F(ClientFaults, DeltasAreShownAtOnce) {
  std::atomic<bool> may_end{false};
  server_.stream_translate = [&](grpc::ServerContext*, const auto&, auto* writer) {
    attend::v1::StreamTranslateResponse response;
    response.mutable_delta()->set_text("Le\nchat");
    writer->Write(response);
    for (int i = 0; i < 1000 && !may_end; ++i) std::this_thread::sleep_for(milliseconds(10));
    response.mutable_result()->mutable_translation()->set_text("Le\nchat dort.");
    writer->Write(response);
    return grpc::Status::OK;
  };
  server_.Start();
  RunningProgram program({"translate", "--stream", "x", "--address", server_.address()});
  EXPECT_EQ(program.ReadLine(), "Le\n");
  may_end = true;
  EXPECT_EQ(program.ReadLine(), "chat dort.\n");
  EXPECT_EQ(program.Finish().exit_code, 0);
}

TEST_F(ClientFaults, TooLargeAttentionIsStreamedInstead) {
  server_.get_attention = [](const auto&, auto*) {
    return Refusal(grpc::StatusCode::INVALID_ARGUMENT, "ATTENTION_TOO_LARGE",
                   "use StreamAttention");
  };
  server_.stream_attention = [](auto* writer) {
    attend::v1::StreamAttentionResponse response;
    for (const char* word : {"The", "cat"})
      response.mutable_axes()->add_source_words()->set_text(word);
    for (const char* word : {"Le", "chat"})
      response.mutable_axes()->add_target_words()->set_text(word);
    writer->Write(response);
    for (uint32_t row = 0; row < 2; ++row) {
      auto* slice = response.mutable_slice();
      slice->Clear();
      slice->set_first_row(row);
      slice->mutable_matrix()->set_kind(attend::v1::ATTENTION_KIND_CROSS);
      slice->mutable_matrix()->set_row_count(1);
      slice->mutable_matrix()->set_column_count(2);
      for (const float weight : {0.75f, 0.25f})
        slice->mutable_matrix()->mutable_dense()->add_weights(weight);
      writer->Write(response);
    }
    response.mutable_usage()->set_input_tokens(2);
    writer->Write(response);
    return grpc::Status::OK;
  };
  server_.Start();
  const ProgramRun run = Run({"attention", "The cat", "Le chat"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_TRUE(Contains(run.out,
                       "cross attention, mean over preset alignment\n"
                       "      The  cat\n"
                       "  Le  75█  25▒\n"
                       "chat  75█  25▒\n"))
      << run.out;
  const ProgramRun json = Run({"attention", "The cat", "Le chat", "--json"});
  EXPECT_EQ(json.exit_code, 0) << json.err;
  EXPECT_TRUE(Contains(json.out, "\"rows\":2,\"columns\":2,\"weights\":[[0.75,0.25],[0.75,0.25]]"))
      << json.out;
}

TEST_F(ClientFaults, AMatrixThatLiesAboutItsSizeIsRefused) {
  server_.get_attention = [](const auto&, auto* response) {
    auto* matrix = response->mutable_attention()->add_matrices();
    matrix->set_kind(attend::v1::ATTENTION_KIND_CROSS);
    matrix->set_row_count(4000000000u);
    matrix->set_column_count(4000000000u);
    matrix->mutable_dense()->add_weights(1);
    return grpc::Status::OK;
  };
  server_.Start();
  const ProgramRun run = Run({"attention", "x"});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_TRUE(Contains(run.err, "contradict")) << run.err;
}

TEST_F(ClientFaults, SeveralModelsAskForAChoice) {
  server_.models = {"models/en-fr", "models/en-de"};
  server_.Start();
  const ProgramRun run = Run({"attention", "x"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_TRUE(Contains(run.err, "models/en-fr, models/en-de")) << run.err;
}

TEST_F(ClientFaults, ProbeOfAServerWithoutHealthIsNotServing) {
  server_.Start();
  EXPECT_EQ(Run({"probe"}).exit_code, 1);
}

TEST_F(ClientFaults, ProgressIsShownOnATerminalOnly) {
  StartCapitals();
  const TemporaryFolder folder;
  const std::string input = folder.Write("lines.txt", "one\ntwo\n");
  const std::string output = folder.Path("lines.out");
  const std::vector<std::string> arguments = {
      "translate", "-i", input, "-o", output, "--address", server_.address()};
  const ProgramRun on_terminal = RunAttendOnTerminal(arguments);
  EXPECT_EQ(on_terminal.exit_code, 0) << on_terminal.out;
  EXPECT_TRUE(Contains(on_terminal.out, "2 lines")) << on_terminal.out;
  std::stringstream written;
  written << std::ifstream(output).rdbuf();
  EXPECT_EQ(written.str(), "ONE\nTWO\n");
  const ProgramRun in_pipe = RunAttend(arguments);
  EXPECT_EQ(in_pipe.exit_code, 0);
  EXPECT_EQ(in_pipe.err, "");
}

TEST_F(ClientFaults, TheInputFileIsNeverOverwritten) {
  StartCapitals();
  const TemporaryFolder folder;
  const std::string path = folder.Write("same.txt", "precious\n");
  EXPECT_EQ(Run({"translate", "-i", path, "-o", path}).exit_code, 2);
  std::stringstream kept;
  kept << std::ifstream(path).rdbuf();
  EXPECT_EQ(kept.str(), "precious\n");
}

TEST_F(ClientFaults, ADashIsStandardOutput) {
  StartCapitals();
  const ProgramRun run = Run({"translate", "-i", "-", "-o", "-"}, "one\n");
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.out, "ONE\n");
}

TEST_F(ClientFaults, ClosedStandardDescriptorsAreNotMistakenForSockets) {
  StartCapitals();
  const auto run_without = [this](const std::vector<int>& descriptors,
                                  std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--address", server_.address()});
    return RunAttend(arguments, {"", {}, descriptors});
  };
  const ProgramRun no_input = run_without({0}, {"translate"});
  EXPECT_EQ(no_input.exit_code, 2);
  EXPECT_TRUE(Contains(no_input.err, "cannot read the input: it is closed")) << no_input.err;
  const ProgramRun no_output = run_without({1}, {"translate", "hello"});
  EXPECT_EQ(no_output.exit_code, 1);
  EXPECT_TRUE(Contains(no_output.err, "cannot write the output: Bad file descriptor"))
      << no_output.err;
  const ProgramRun no_errors = run_without({2}, {"translate", "hello"});
  EXPECT_EQ(no_errors.exit_code, 0);
  EXPECT_EQ(no_errors.out, "HELLO\n");
  EXPECT_EQ(run_without({0, 1, 2}, {"translate", "hello"}).exit_code, 1);
}

TEST_F(ClientFaults, ProbeLooksOnceMoreAtTheEndOfItsWait) {
  server_.Start();  // answers, but has no health service
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(Run({"probe", "--wait", "0.3"}).exit_code, 1);
  EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds(300));
}

TEST_F(ClientFaults, TheModelOfTheEnvironmentIsUsedUnlessAFlagNamesOne) {
  std::string model;
  server_.translate = [&](grpc::ServerContext*, const auto& request, auto* response) {
    model = request.config().model();
    return FaultyServer::Capitals(request, response);
  };
  server_.Start();
  const RunSettings settings{"", {{"ATTEND_DEFAULT_MODEL", "en-de"}}};
  EXPECT_EQ(RunAttend({"translate", "x", "-a", server_.address()}, settings).exit_code, 0);
  EXPECT_EQ(model, "models/en-de");
  EXPECT_EQ(
      RunAttend({"translate", "x", "-m", "en-fr", "-a", server_.address()}, settings).exit_code, 0);
  EXPECT_EQ(model, "models/en-fr");
}

TEST_F(ClientFaults, AFullDiskIsTold) {
  StartCapitals();
  const TemporaryFolder folder;
  const std::string input = folder.Write("in.txt", "one\n");
  const ProgramRun run = Run({"translate", "-i", input, "-o", "/dev/full"});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_TRUE(Contains(run.err, "cannot write the output: No space left on device")) << run.err;
}

}  // namespace
}  // namespace attend::client
