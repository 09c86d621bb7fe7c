// How attend behaves when things go wrong midway: broken streams, wrong answers, Ctrl-C, full
// disks.
#include "tests/client/client_faults.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>

#include "tests/testing/temporary_folder.h"

namespace attend::client {
namespace {

using std::chrono::milliseconds;

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
