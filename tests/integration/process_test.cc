// The real program as a service manager sees it: flags, port file, signals, exit codes.
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

#include "attend/v1/translation.grpc.pb.h"
#include "gmock/gmock.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/integration/server_under_test.h"  // HalfRequest, HttpGet
#include "tests/testing/temporary_folder.h"

namespace attend::server {
namespace {

namespace v1 = attend::v1;
using ::testing::HasSubstr;

constexpr char kModel[] = ATTEND_SOURCE_DIR "/tests/golden/marian_tiny/model";

std::string ReadAll(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// The program as a child; its output goes to a file in a folder of its own.
class Program {
 public:
  explicit Program(std::vector<std::string> flags) {
    flags.insert(flags.begin(), ATTEND_BINARY_DIR "/bin/attend-server");
    std::vector<char*> arguments;
    for (std::string& flag : flags) arguments.push_back(flag.data());
    arguments.push_back(nullptr);
    const std::string output = folder_.Path("output"), ports = folder_.Path("ports");
    pid_ = ::fork();
    if (pid_ == 0) {
      const int fd = ::open(output.c_str(), O_CREAT | O_WRONLY | O_TRUNC, 0600);
      ::dup2(fd, 1);
      ::dup2(fd, 2);
      ::setenv("ATTEND_PORT_FILE", ports.c_str(), 1);
      ::setenv("ATTEND_WEIGHT_CACHE", "off", 1);  // nothing is written into the tree
      ::execv(arguments[0], arguments.data());
      ::_exit(127);
    }
  }
  ~Program() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      Wait();
    }
  }

  void Signal(int signal) const { ::kill(pid_, signal); }
  // Exit code, or -signal; -1000 when it does not end within half a minute.
  int Wait() {
    for (int i = 0; i < 3000; ++i) {
      int status = 0;
      if (::waitpid(pid_, &status, WNOHANG) == pid_) {
        pid_ = 0;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return -1000;
  }
  std::string output() const { return ReadAll(folder_.Path("output")); }
  // "127.0.0.1:PORT" once the port file is there.
  std::string address() const {
    for (int i = 0; i < 1000; ++i) {
      const std::string ports = ReadAll(folder_.Path("ports"));
      if (ports.rfind("grpc=", 0) == 0) return "127.0.0.1:" + ports.substr(5, ports.find('\n') - 5);
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return "";
  }
  int metrics_port() const {
    address();  // both ports are written at once
    const std::string ports = ReadAll(folder_.Path("ports"));
    const size_t at = ports.find("metrics=");
    return at == std::string::npos ? 0 : std::atoi(ports.c_str() + at + 8);
  }
  std::unique_ptr<v1::TranslationService::Stub> Stub() const {
    return v1::TranslationService::NewStub(
        grpc::CreateChannel(address(), grpc::InsecureChannelCredentials()));
  }

 private:
  const TemporaryFolder folder_;
  pid_t pid_ = 0;
};

std::vector<std::string> Flags(std::vector<std::string> more = {}) {
  std::vector<std::string> flags = {"--listen", "127.0.0.1:0", "--metrics-address", "127.0.0.1:0"};
  flags.insert(flags.end(), more.begin(), more.end());
  return flags;
}

grpc::Status Translate(v1::TranslationService::Stub* stub, int sentences,
                       v1::TranslateResponse* response) {
  v1::TranslateRequest request;
  request.add_texts();
  for (int i = 0; i < sentences; ++i) request.mutable_texts(0)->append("The cat sat on the mat. ");
  if (sentences > 1) {
    request.mutable_config()->mutable_decoding()->set_beam_size(8);
    request.mutable_config()->mutable_decoding()->set_min_output_tokens(60);
  }
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
  return stub->Translate(&context, request, response);
}

// Until the model serves.
void WaitUntilServing(v1::TranslationService::Stub* stub) {
  v1::TranslateResponse response;
  for (int i = 0; i < 1000; ++i) {
    if (Translate(stub, 1, &response).ok()) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  FAIL() << "the server never served";
}

TEST(ProcessTest, SigtermLetsRunningCallsEndAndExitsWithZero) {
  Program program(Flags({"--model", std::string("tiny=") + kModel, "--log-format", "json"}));
  auto stub = program.Stub();
  WaitUntilServing(stub.get());
  std::thread caller([&] {
    v1::TranslateResponse response;
    const grpc::Status status = Translate(stub.get(), 100, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
  });
  // Not before the call has arrived.
  const std::string in_flight = "attend_requests_in_flight{method=\"Translate\"} 1\n";
  int status = 0;
  for (int i = 0; i < 3000; ++i) {
    if (HttpGet(program.metrics_port(), "/metrics", &status).find(in_flight) != std::string::npos)
      break;
  }
  program.Signal(SIGTERM);
  caller.join();
  EXPECT_EQ(program.Wait(), 0);
}

// gRPC and the HTTP server would wait some ten seconds for these to go by themselves.
TEST(ProcessTest, NobodysIdleConnectionKeepsItFromEnding) {
  Program program(Flags({"--model", std::string("tiny=") + kModel, "--log-format", "json",
                         "--drain-timeout", "100ms"}));
  auto stub = program.Stub();
  WaitUntilServing(stub.get());
  auto health = grpc::health::v1::Health::NewStub(
      grpc::CreateChannel(program.address(), grpc::InsecureChannelCredentials()));
  grpc::ClientContext watch_context, stream_context;
  auto watch = health->Watch(&watch_context, grpc::health::v1::HealthCheckRequest());
  grpc::health::v1::HealthCheckResponse state;
  ASSERT_TRUE(watch->Read(&state));
  auto narrow = NarrowAttentionStub(program.address());
  auto unread = narrow->StreamAttention(&stream_context, LargeAttentionStream());
  v1::StreamAttentionResponse part;
  ASSERT_TRUE(unread->Read(&part));
  const HalfRequest silent(program.metrics_port());
  program.Signal(SIGTERM);
  for (int i = 0; i < 30000 && program.output().find("\"drained\"") == std::string::npos; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  const auto drained = std::chrono::steady_clock::now();
  EXPECT_EQ(program.Wait(), 0);
  EXPECT_LT(std::chrono::steady_clock::now() - drained, std::chrono::seconds(8));
}

TEST(ProcessTest, WithoutAnyModelTheLastLineSaysWhy) {
  Program program(
      Flags({"--model", "broken=/nonexistent", "--log-format", "json", "--drain-delay", "60s"}));
  EXPECT_EQ(program.Wait(), 1);
  const std::string output = program.output();
  const std::string last = output.substr(output.rfind('{'));
  EXPECT_THAT(last, HasSubstr("no model could be loaded"));
  EXPECT_THAT(last, HasSubstr("/nonexistent: no such model folder"));
}

TEST(ProcessTest, AStrayArgumentIsNoModel) {
  Program program(Flags({"--model", std::string("tiny=") + kModel, "stray"}));
  EXPECT_EQ(program.Wait(), 2);
  EXPECT_THAT(program.output(), HasSubstr("'stray' stands alone"));
}

// The record of the log whose message is `message`; null when there is none.
nlohmann::json Record(const std::string& output, const std::string& message) {
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    const auto record = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (record.is_object() && record.value("message", "") == message) return record;
  }
  return nullptr;
}

// What the server says of its threads when it starts with `flags` on at most one CPU.
nlohmann::json ThreadsOnOneCpu(const std::vector<std::string>& flags) {
  cpu_set_t before, one;
  EXPECT_EQ(::sched_getaffinity(0, sizeof(before), &before), 0);
  int cpu = 0;
  while (!CPU_ISSET(cpu, &before)) ++cpu;
  CPU_ZERO(&one);
  CPU_SET(cpu, &one);
  EXPECT_EQ(::sched_setaffinity(0, sizeof(one), &one), 0);
  Program program(Flags(flags));  // inherits the mask
  EXPECT_EQ(::sched_setaffinity(0, sizeof(before), &before), 0);
  WaitUntilServing(program.Stub().get());
  program.Signal(SIGTERM);
  EXPECT_EQ(program.Wait(), 0);
  return Record(program.output(), "threads of a model");
}

TEST(ProcessTest, ThreadsFollowTheCpusThatItMayUse) {
  const std::vector<std::string> flags = {"--model", std::string("tiny=") + kModel, "--log-format",
                                          "json"};
  const nlohmann::json chosen = ThreadsOnOneCpu(flags);
  ASSERT_TRUE(chosen.is_object());
  EXPECT_EQ(chosen["model"], "tiny");
  EXPECT_EQ(chosen["usable_cpus"], "1");
  EXPECT_THAT(chosen["limits"].get<std::string>(), HasSubstr("affinity 1"));
  EXPECT_EQ(chosen["engines"], "1");
  EXPECT_EQ(chosen["threads"], "1");
  std::vector<std::string> more = flags;
  more.insert(more.end(), {"--engines", "2", "--threads", "3"});
  const nlohmann::json asked = ThreadsOnOneCpu(more);
  ASSERT_TRUE(asked.is_object());
  EXPECT_EQ(asked["usable_cpus"], "1");
  EXPECT_EQ(asked["engines"], "2");
  EXPECT_EQ(asked["threads"], "3");
}

TEST(ProcessTest, SigintWorksTheSameAndTheLogIsJson) {
  Program program(Flags({"--model", std::string("tiny=") + kModel, "--log-format", "json"}));
  auto stub = program.Stub();
  WaitUntilServing(stub.get());
  program.Signal(SIGINT);
  EXPECT_EQ(program.Wait(), 0);
  std::istringstream lines(program.output());
  int calls = 0;
  for (std::string line; std::getline(lines, line);) {
    const nlohmann::json record = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    ASSERT_TRUE(record.is_object()) << line;
    EXPECT_TRUE(record.contains("time") && record.contains("level") && record.contains("message"))
        << line;
    if (record["message"] == "call") ++calls;
    EXPECT_EQ(line.find("The cat"), std::string::npos) << "texts of callers are not logged";
  }
  EXPECT_GT(calls, 0);
}

// The record of a start that says how the model was loaded.
nlohmann::json LoadRecord(const std::vector<std::string>& flags) {
  Program program(Flags(flags));
  auto stub = program.Stub();
  WaitUntilServing(stub.get());
  program.Signal(SIGTERM);
  EXPECT_EQ(program.Wait(), 0);
  std::istringstream lines(program.output());
  for (std::string line; std::getline(lines, line);) {
    nlohmann::json record = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (record.is_object() && record["message"] == "model serves") return record;
  }
  ADD_FAILURE() << program.output();
  return {};
}

// The tiny model's files are older than the two seconds that a stamp asks for.
TEST(ProcessTest, TheNextStartNeedsNeitherTheRevisionAnewNorTheWeights) {
  const TemporaryFolder cache;
  const std::vector<std::string> flags = {"--model",        std::string("tiny=") + kModel,
                                          "--log-format",   "json",
                                          "--weight-cache", cache.Path("attend")};
  const nlohmann::json first = LoadRecord(flags), second = LoadRecord(flags);
  EXPECT_EQ(first["revision_from"], "files");
  EXPECT_EQ(second["revision_from"], "stamp");
  EXPECT_EQ(first["revision"], second["revision"]);
  EXPECT_EQ(first["compute_type"], "int8");
  EXPECT_EQ(first["weight_cache"], "written");
  EXPECT_EQ(second["weight_cache"], "read");
  EXPECT_EQ(first["weight_cache_file"], second["weight_cache_file"]);
  const nlohmann::json off =
      LoadRecord({"--model", std::string("tiny=") + kModel, "--log-format", "json"});
  EXPECT_EQ(off["revision_from"], "files");
  EXPECT_EQ(off["revision"], first["revision"]);
}

// A folder that cannot be made is no reason not to serve.
TEST(ProcessTest, ACacheThatCannotBeWrittenIsDoneWithout) {
  const TemporaryFolder folder;
  folder.Write("file", "in the way");
  const nlohmann::json record =
      LoadRecord({"--model", std::string("tiny=") + kModel, "--log-format", "json",
                  "--weight-cache", folder.Path("file/cache")});
  EXPECT_EQ(record["revision_from"], "files");
  EXPECT_EQ(record["weight_cache"], "none");
  EXPECT_NE(record["weight_cache_note"], "");
}

TEST(ProcessTest, Float32WeightsAreNotKept) {
  const TemporaryFolder cache;
  const nlohmann::json record =
      LoadRecord({"--model", std::string("tiny=") + kModel + ",compute-type=float32",
                  "--log-format", "json", "--weight-cache", cache.Path("attend")});
  EXPECT_EQ(record["compute_type"], "float32");
  EXPECT_EQ(record["weight_cache"], "none");
  EXPECT_EQ(record["weight_cache_note"], "float32 weights are not kept");
}

TEST(ProcessTest, ASecondSignalEndsAtOnce) {
  Program program(Flags({"--model", std::string("tiny=") + kModel, "--drain-delay", "60s"}));
  auto stub = program.Stub();
  WaitUntilServing(stub.get());
  program.Signal(SIGTERM);
  // The second only when the first was seen: two that wait together are one.
  for (int i = 0; i < 3000 && program.output().find("draining") == std::string::npos; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  program.Signal(SIGTERM);
  EXPECT_EQ(program.Wait(), 1);
}

TEST(ProcessTest, OneGoodModelIsEnoughAndNoneIsNot) {
  Program one(Flags({"--model", std::string("tiny=") + kModel, "--model", "broken=/nonexistent"}));
  auto stub = one.Stub();
  WaitUntilServing(stub.get());
  one.Signal(SIGTERM);
  EXPECT_EQ(one.Wait(), 0);

  Program none(Flags({"--model", "broken=/nonexistent", "--log-format", "text"}));
  EXPECT_EQ(none.Wait(), 1);
}

TEST(ProcessTest, WrongFlagsEndWithTwoAndSayWhy) {
  Program nothing({});
  EXPECT_EQ(nothing.Wait(), 2);
  EXPECT_THAT(nothing.output(), HasSubstr("--models-dir"));
  Program wrong(Flags({"--model", kModel, "--queue-tokens", "-5"}));
  EXPECT_EQ(wrong.Wait(), 2);
  EXPECT_THAT(wrong.output(), HasSubstr("queue-tokens"));
  Program version({"--version"});
  EXPECT_EQ(version.Wait(), 0);
  EXPECT_THAT(version.output(), HasSubstr("attend-server 0."));
  Program help({"--help"});
  EXPECT_EQ(help.Wait(), 0);
  EXPECT_THAT(help.output(), HasSubstr("ATTEND_KV_CACHE_MB"));
}

}  // namespace
}  // namespace attend::server
