// Puts load on a running attend-server and reports rates, latencies and errors, one JSON line a
// run.
//   serving_bench --address HOST:PORT --workload FILE --rates max,50%,80%     open loop
//   serving_bench closed --address HOST:PORT --workload FILE --callers 1,2,4
//   serving_bench overhead --address HOST:PORT --workload FILE                one call at a time
// A workload is sent as text, the word "w123" for id 123, as the models of make_models.py read it;
// other models get the lines of --texts.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "bench/arrivals.h"
#include "bench/serving_load.h"
#include "bench/serving_report.h"
#include "bench/workload.h"

namespace attend::bench {
namespace {

using Json = nlohmann::ordered_json;

struct Arguments {
  LoadOptions load;
  std::string workload, texts, json;
  std::vector<std::string> rates = {"max", "50%", "80%"};
  std::vector<int> callers = {1, 2, 4, 8, 16, 32};
  double seconds = 10, max_rate = 0;
  uint64_t seed = 7;
  int concurrency = 64, output_tokens = 0, calls = 200, server_pid = 0;
  size_t limit = 0, warm_up = 32;
};

absl::StatusOr<std::vector<ServedText>> ReadTexts(const Arguments& arguments) {
  std::vector<ServedText> texts;
  if (!arguments.workload.empty()) {
    const auto items = ReadWorkload(arguments.workload, arguments.limit);
    if (!items.ok()) return items.status();
    for (const WorkItem& item : *items) {
      const auto add_word = [](std::string* out, int32_t id) { absl::StrAppend(out, "w", id); };
      texts.push_back({absl::StrJoin(item.source, " ", add_word), item.target_tokens});
    }
    return texts;
  }
  std::ifstream file(arguments.texts);
  const size_t limit = arguments.limit;
  for (std::string line; (limit == 0 || texts.size() < limit) && std::getline(file, line);) {
    if (!line.empty()) texts.push_back({line, arguments.output_tokens});
  }
  if (texts.empty()) return absl::NotFoundError(arguments.texts + ": cannot be read, or is empty");
  return texts;
}

// Takes the heading and what a run adds to it.
absl::Status Emit(const Json& record, const std::string& path) {
  std::printf("%s\n", record.dump().c_str());
  std::fflush(stdout);
  if (path.empty()) return absl::OkStatus();
  std::ofstream file(path, std::ios::app);
  file << record.dump() << "\n";
  if (file.flush()) return absl::OkStatus();
  return absl::InvalidArgumentError(path + ": cannot be written");
}

Json Heading(const Arguments& arguments, const ServingLoad& load, const char* op) {
  return {{"engine", "attend"},
          {"op", op},
          {"model", load.model()},
          {"compute", load.compute_type()},
          {"beam", arguments.load.beam}};
}

// "20", "80%" of the highest rate measured (or given), or "max": as many as the server answers.
absl::StatusOr<double> ParseRate(const std::string& rate, double max_rate) {
  const bool is_share = !rate.empty() && rate.back() == '%';
  double value = 0;
  if (!absl::SimpleAtod(is_share ? rate.substr(0, rate.size() - 1) : rate, &value) || value <= 0) {
    return absl::InvalidArgumentError("no rate: " + rate);
  }
  if (!is_share) return value;
  if (max_rate > 0) return value / 100 * max_rate;
  return absl::InvalidArgumentError(rate + " needs max before it, or --max-rate");
}

absl::Status Open(Arguments arguments, ServingLoad* load) {
  for (const std::string& name : arguments.rates) {
    double rate = 0;
    if (name != "max") {
      const auto parsed = ParseRate(name, arguments.max_rate);
      if (!parsed.ok()) return parsed.status();
      rate = *parsed;
    }
    const ServerWatch watch(arguments.server_pid);
    const LoadOutcome outcome =
        rate == 0 ? load->RunClosed(arguments.concurrency, arguments.seconds, 0)
                  : load->RunOpen(PlanPoissonArrivals(rate, arguments.seconds, arguments.seed));
    Json record = Heading(arguments, *load, "online");
    record["rate"] = name;
    record["rate_s"] = rate == 0 ? Json() : Json(Rounded(rate, 3));
    AddCalls(outcome, &record);
    watch.AddTo(&record);
    if (rate == 0 && arguments.max_rate == 0) arguments.max_rate = record["req_s"];
    if (const absl::Status status = Emit(record, arguments.json); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Closed(const Arguments& arguments, ServingLoad* load) {
  for (const int callers : arguments.callers) {
    const ServerWatch watch(arguments.server_pid);
    const LoadOutcome outcome = load->RunClosed(callers, arguments.seconds, 0);
    Json record = Heading(arguments, *load, "closed");
    record["callers"] = callers;
    AddCalls(outcome, &record);
    watch.AddTo(&record);
    if (const absl::Status status = Emit(record, arguments.json); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Overhead(const Arguments& arguments, ServingLoad* load) {
  const ServerWatch watch(arguments.server_pid);
  const LoadOutcome outcome = load->RunWithHealthChecks(static_cast<size_t>(arguments.calls));
  Json record = Heading(arguments, *load, "overhead");
  AddCalls(outcome, &record);
  AddOverhead(outcome, &record);
  watch.AddTo(&record);
  return Emit(record, arguments.json);
}

void AddFlags(CLI::App* app, Arguments* arguments) {
  app->add_option("--address", arguments->load.address, "HOST:PORT of the server")->required();
  app->add_option("--model", arguments->load.model,
                  "resource name; may be left out when the server has one model");
  auto* workload = app->add_option("--workload", arguments->workload, "sentences as ids");
  auto* texts = app->add_option("--texts", arguments->texts, "texts, one a line");
  workload->excludes(texts);
  app->add_option("--output-tokens", arguments->output_tokens,
                  "exact length of the answers to --texts; 0: as the model likes")
      ->check(CLI::Range(0, 512));
  app->add_option("--limit", arguments->limit, "texts that are used, again and again; 0: all");
  app->add_option("--beam", arguments->load.beam, "beams; 1 is greedy")->capture_default_str();
  app->add_option("--seconds", arguments->seconds, "time of each run in which calls are sent")
      ->capture_default_str();
  app->add_option("--warm-up", arguments->warm_up, "calls before the first run")
      ->capture_default_str();
  app->add_option("--connections", arguments->load.connections,
                  "connections that calls are spread over")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app->add_option("--deadline", arguments->load.deadline_seconds, "seconds that a call may take")
      ->capture_default_str();
  app->add_option("--attention-every", arguments->load.attention_every,
                  "every so many calls one asks for cross-attention; 0: none does")
      ->check(CLI::Range(0, 1000000))
      ->capture_default_str();
  app->add_option("--server-pid", arguments->server_pid,
                  "the server's process, where it runs on this machine: its time and memory are "
                  "reported");
  app->add_option("--json", arguments->json, "file that the records are added to");
  app->add_option("--rates", arguments->rates,
                  "calls a second: numbers, max, or shares of the max such as 80%")
      ->delimiter(',');
  app->add_option("--max-rate", arguments->max_rate, "what shares are of, instead of a max run");
  app->add_option("--concurrency", arguments->concurrency, "callers of the max run")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  app->add_option("--seed", arguments->seed, "of the arrivals")->capture_default_str();
}

int Main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("Puts load on a running attend-server.");
  AddFlags(&app, &arguments);
  CLI::App* const closed =
      app.add_subcommand("closed", "callers that each send a call when the last is answered")
          ->fallthrough();
  closed->add_option("--callers", arguments.callers, "how many of them")
      ->delimiter(',')
      ->check(CLI::Range(1, 100000));
  CLI::App* const overhead =
      app.add_subcommand("overhead",
                         "one call at a time: what it takes beyond the engine's steps, and beyond "
                         "the health check that follows each at the same pace")
          ->fallthrough();
  overhead->add_option("--calls", arguments.calls, "how many")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  app.require_subcommand(0, 1);
  CLI11_PARSE(app, argc, argv);
  if (arguments.workload.empty() == arguments.texts.empty()) {
    std::fprintf(stderr, "serving_bench: --workload or --texts is required\n");
    return 2;
  }
  const auto run = [&]() -> absl::Status {
    auto texts = ReadTexts(arguments);
    if (!texts.ok()) return texts.status();
    auto load = ServingLoad::Connect(arguments.load, *std::move(texts));
    if (!load.ok()) return load.status();
    if (arguments.warm_up > 0) (*load)->RunClosed(8, /*seconds=*/60, arguments.warm_up);
    if (closed->parsed()) return Closed(arguments, load->get());
    if (overhead->parsed()) return Overhead(arguments, load->get());
    return Open(arguments, load->get());
  };
  const absl::Status status = run();
  if (status.ok()) return 0;
  std::fprintf(stderr, "serving_bench: %s\n", std::string(status.message()).c_str());
  return 1;
}

}  // namespace
}  // namespace attend::bench

int main(int argc, char** argv) { return attend::bench::Main(argc, argv); }
