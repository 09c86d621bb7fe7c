// Times the engine without gRPC on a workload of ids (see workload.h): throughput and latency of
// every combination of batch and beam, or, as `engine_bench probe`, load time and memory.
//   engine_bench --model DIR --workload FILE --batch 1,8,32 --beam 1,4
//   engine_bench probe --model DIR --workload FILE
// One JSON line for each combination.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/engine_run.h"
#include "bench/measurement.h"
#include "bench/workload.h"
#include "engine/base/status_macros.h"
#include "engine/ops/onednn_dense.h"  // OneDnnDescription
#include "engine/ops/simd_level.h"

namespace attend::bench {
namespace {

using Json = nlohmann::ordered_json;

struct Arguments {
  std::string model, workload, json, answers;
  std::vector<size_t> batches = {1, 8, 32};
  std::vector<int> beams = {1};
  EngineSettings engine;
  int reps = 3, extra_reps = 2;
  double noise = 0.15;
  size_t limit = 64;
  std::string order = "sorted", admission = "stream";
  std::string simd;
};

absl::Status Emit(const Json& record, const std::string& path) {
  const std::string line = record.dump();
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
  if (path.empty()) return absl::OkStatus();
  std::ofstream file(path, std::ios::app);
  file << line << "\n";
  if (file.flush()) return absl::OkStatus();
  return absl::InvalidArgumentError(path + ": cannot be written");
}

// What every record begins with.
Json Heading(const Arguments& arguments, const BenchEngine& engine, const char* op) {
  const std::filesystem::path folder = std::filesystem::path(arguments.model + "/").parent_path();
  return {{"engine", "attend"},
          {"op", op},
          {"model", folder.filename().string()},
          {"compute", engine.compute_type()},
          {"shortlist", !engine.settings().shortlist.empty()},
          {"inter", engine.settings().loops},
          {"intra", engine.settings().threads}};
}

void AddMachine(Json* record) {
  (*record)["onednn"] = OneDnnDescription();
  (*record)["cpu"] = CpuName();
  (*record)["load_average"] = Rounded(LoadAverage(), 2);
}

struct TimedRun {
  RunOutcome outcome;
  double foreign = 0;
};

struct Combination {
  RunPlan plan;
  std::vector<TimedRun> runs;

  bool HasEnough(const Arguments& arguments) const {
    const auto calm = std::count_if(runs.begin(), runs.end(), [&](const TimedRun& run) {
      return run.foreign <= arguments.noise;
    });
    return calm >= arguments.reps;
  }
};

absl::StatusOr<std::vector<Combination>> Combinations(const Arguments& arguments) {
  std::vector<Combination> combinations;
  ATTEND_ASSIGN_OR_RETURN(const WorkOrder order, ParseWorkOrder(arguments.order));
  for (const int beam : arguments.beams) {
    for (const size_t batch : arguments.batches) {
      RunPlan plan;
      plan.beam = beam;
      plan.batch = batch;
      plan.order = batch == 1 ? WorkOrder::kArrival : order;
      plan.admission = arguments.admission == "batch" ? Admission::kBatch : Admission::kStream;
      combinations.push_back({plan, {}});
    }
  }
  return combinations;
}

// Runs that something else disturbed are repeated, so often at most; the calmest count.
absl::Status RunAll(const Arguments& arguments, const std::vector<WorkItem>& items,
                    BenchEngine* engine, std::vector<Combination>* combinations) {
  for (int rep = 0; rep < arguments.reps + arguments.extra_reps; ++rep) {
    for (Combination& combination : *combinations) {
      if (combination.HasEnough(arguments)) continue;
      const ForeignCpuMeter meter;
      ATTEND_ASSIGN_OR_RETURN(RunOutcome outcome, engine->Run(items, combination.plan));
      combination.runs.push_back({std::move(outcome), meter.ForeignCores()});
    }
  }
  for (Combination& combination : *combinations) {
    std::vector<TimedRun>& runs = combination.runs;
    std::stable_sort(runs.begin(), runs.end(),
                     [](const TimedRun& a, const TimedRun& b) { return a.foreign < b.foreign; });
    runs.resize(std::min(runs.size(), static_cast<size_t>(arguments.reps)));
  }
  return absl::OkStatus();
}

Json Describe(const Arguments& arguments, const std::vector<WorkItem>& items,
              const BenchEngine& engine, const Combination& combination) {
  std::vector<double> walls, latencies;
  Json shown_walls = Json::array(), foreign = Json::array();
  for (const TimedRun& run : combination.runs) {
    walls.push_back(run.outcome.wall_seconds);
    shown_walls.push_back(Rounded(run.outcome.wall_seconds, 4));
    foreign.push_back(Rounded(run.foreign, 2));
    latencies.insert(latencies.end(), run.outcome.latencies.begin(), run.outcome.latencies.end());
  }
  const double wall = Percentile(walls, 50);
  const auto target_tokens = static_cast<double>(combination.runs[0].outcome.target_tokens);
  double source_tokens = 0;
  for (const WorkItem& item : items) source_tokens += static_cast<double>(item.source.size() + 1);

  Json record = Heading(arguments, engine, "offline");
  record["beam"] = combination.plan.beam;
  record["batch"] = combination.plan.batch;
  record["order"] = NameOf(combination.plan.order);
  record["admission"] = arguments.admission;
  record["sentences"] = items.size();
  record["tgt_tokens"] = combination.runs[0].outcome.target_tokens;
  record["wall_s"] = Rounded(wall, 4);
  record["walls"] = shown_walls;
  record["sent_s"] = Rounded(static_cast<double>(items.size()) / wall, 2);
  record["tok_s"] = Rounded(target_tokens / wall, 1);
  record["srctgt_tok_s"] = Rounded((source_tokens + target_tokens) / wall, 1);
  record["lat_p50_ms"] = Rounded(Percentile(latencies, 50) * 1e3, 3);
  record["lat_p95_ms"] = Rounded(Percentile(latencies, 95) * 1e3, 3);
  record["foreign"] = foreign;
  record["load_s"] = Rounded(engine.load_seconds(), 4);
  AddMachine(&record);
  return record;
}

// The ids that the first combination chose, to be compared with another engine's.
absl::Status WriteAnswers(const Combination& combination, const std::string& path) {
  std::ofstream file(path);
  for (const auto& answer : combination.runs[0].outcome.answers)
    file << Json(answer).dump() << "\n";
  if (file.flush()) return absl::OkStatus();
  return absl::InvalidArgumentError(path + ": cannot be written");
}

absl::Status Offline(const Arguments& arguments) {
  ATTEND_ASSIGN_OR_RETURN(const std::vector<WorkItem> items,
                          ReadWorkload(arguments.workload, arguments.limit));
  ATTEND_ASSIGN_OR_RETURN(std::vector<Combination> combinations, Combinations(arguments));
  ATTEND_ASSIGN_OR_RETURN(const std::unique_ptr<BenchEngine> engine,
                          BenchEngine::Load(arguments.model, arguments.engine));
  // Pages and kernels of each shape are made the first time; that is no part of any measurement.
  for (const Combination& combination : combinations) {
    const size_t some = std::min(items.size(), combination.plan.batch);
    const std::vector<WorkItem> warm_up(items.begin(), items.begin() + static_cast<long>(some));
    ATTEND_RETURN_IF_ERROR(engine->Run(warm_up, combination.plan).status());
  }
  ATTEND_RETURN_IF_ERROR(RunAll(arguments, items, engine.get(), &combinations));
  for (const Combination& combination : combinations) {
    ATTEND_RETURN_IF_ERROR(Emit(Describe(arguments, items, *engine, combination), arguments.json));
  }
  if (arguments.answers.empty()) return absl::OkStatus();
  return WriteAnswers(combinations[0], arguments.answers);
}

// A process of its own, because the peak of its memory is measured, too.
absl::Status Probe(const Arguments& arguments) {
  ATTEND_ASSIGN_OR_RETURN(const std::vector<WorkItem> items,
                          ReadWorkload(arguments.workload, arguments.limit));
  const double base_mb = ResidentMb();
  const ForeignCpuMeter meter;
  ATTEND_ASSIGN_OR_RETURN(const std::unique_ptr<BenchEngine> engine,
                          BenchEngine::Load(arguments.model, arguments.engine));
  const double loaded_mb = ResidentMb();
  ATTEND_ASSIGN_OR_RETURN(const RunOutcome first, engine->Run({items[0]}, RunPlan()));
  const double since_start = SecondsSinceProcessStart(), foreign = meter.ForeignCores();
  const double first_mb = ResidentMb();
  RunPlan plan;
  plan.batch = 32;
  plan.order = WorkOrder::kSorted;
  ATTEND_RETURN_IF_ERROR(engine->Run(items, plan).status());

  Json record = Heading(arguments, *engine, "probe");
  record["load_s"] = Rounded(engine->load_seconds(), 4);
  record["first_sentence_s"] = Rounded(first.wall_seconds, 4);
  record["start_to_first_answer_s"] = Rounded(since_start, 3);
  record["foreign"] = Rounded(foreign, 2);
  record["weights_mb"] = Rounded(engine->weight_mb(), 1);
  record["base_mb"] = Rounded(base_mb, 1);
  record["rss_loaded_mb"] = Rounded(loaded_mb, 1);
  record["rss_batch1_mb"] = Rounded(first_mb, 1);
  record["rss_batch32_mb"] = Rounded(ResidentMb(), 1);
  record["peak_rss_mb"] = Rounded(PeakResidentMb(), 1);
  AddMachine(&record);
  return Emit(record, arguments.json);
}

int Main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("Times the engine without gRPC.");
  CLI::App* const probe =
      app.add_subcommand("probe", "load time, first answer and memory")->fallthrough();
  app.add_option("--model", arguments.model, "Hugging Face folder")->required();
  app.add_option("--workload", arguments.workload, "sentences as ids, one JSON line each")
      ->required();
  app.add_option("--threads", arguments.engine.threads, "threads of each engine loop")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_option("--compute-type", arguments.engine.compute_type, "int8 or float32")
      ->transform(CLI::CheckedTransformer(std::map<std::string, ComputeType>{
          {"float32", ComputeType::kFloat32}, {"int8", ComputeType::kInt8}}))
      ->default_str("int8");
  app.add_option("--simd", arguments.simd, "no better instruction set than this for our own loops")
      ->check(CLI::IsMember(SimdLevels()));
  app.add_option("--shortlist", arguments.engine.shortlist,
                 "file of attend build-shortlist; none: the whole vocabulary");
  app.add_option("--inter", arguments.engine.loops, "engine loops")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_option("--limit", arguments.limit, "sentences that are used; 0: all")
      ->capture_default_str();
  app.add_option("--json", arguments.json, "file that the records are added to");
  app.add_option("--batch", arguments.batches, "sentences in flight in each loop")
      ->delimiter(',')
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  app.add_option("--beam", arguments.beams, "beams; 1 is greedy")
      ->delimiter(',')
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  app.add_option("--reps", arguments.reps, "runs that count")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--extra-reps", arguments.extra_reps, "further runs in place of disturbed ones")
      ->capture_default_str();
  app.add_option("--noise", arguments.noise, "foreign cores from which on a run is disturbed")
      ->capture_default_str();
  app.add_option("--order", arguments.order, "order of the sentences where a batch holds several")
      ->check(CLI::IsMember({"sorted", "arrival", "same"}))
      ->capture_default_str();
  app.add_option("--admission", arguments.admission,
                 "stream: a sentence that ends makes room for the next; batch: all end first")
      ->check(CLI::IsMember({"stream", "batch"}))
      ->capture_default_str();
  app.add_option("--answers", arguments.answers,
                 "file for the ids of all answers, of the first beam and batch");
  CLI11_PARSE(app, argc, argv);
  if (!arguments.simd.empty()) LimitSimdLevel(arguments.simd);
  const absl::Status status = probe->parsed() ? Probe(arguments) : Offline(arguments);
  if (status.ok()) return 0;
  std::fprintf(stderr, "engine_bench: %s\n", std::string(status.message()).c_str());
  return 1;
}

}  // namespace
}  // namespace attend::bench

int main(int argc, char** argv) { return attend::bench::Main(argc, argv); }
