// Times of single operations and of whole passes of the bundled model, one thread unless a name
// says otherwise.
//   ops_bench --benchmark_filter=Dense
//   ops_bench --model=models/en-fr --benchmark_filter=Model
#include <benchmark/benchmark.h>

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "bench/random_matrix.h"
#include "engine/models/model.h"
#include "engine/ops/attention.h"
#include "engine/ops/dense.h"
#include "engine/ops/layer_norm.h"
#include "engine/ops/logits.h"
#include "engine/ops/onednn_dense.h"
#include "engine/ops/op_threads.h"

namespace attend {
namespace {

std::string* const model_path = new std::string(ATTEND_SOURCE_DIR "/models/en-fr");

// inputs, outputs, rows. The weights stay in the cache, as those of a small model do between steps.
void BM_Dense(benchmark::State& state) {
  const int64_t inputs = state.range(0), outputs = state.range(1), rows = state.range(2);
  const PackedDense dense =
      PackedDense::Create(RandomMatrix(outputs, inputs).view(), {}, std::nullopt).value();
  const Matrix in = RandomMatrix(rows, inputs);
  Matrix out(rows, outputs);
  for (auto _ : state) dense.Run(in.view(), out.view());
  state.counters["GFLOPS"] =
      benchmark::Counter(static_cast<double>(2 * rows * inputs * outputs) * 1e-9,
                         benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(BM_Dense)->Apply([](benchmark::internal::Benchmark* b) {
  for (auto [inputs, outputs] : {std::pair<int, int>{192, 192},
                                 {192, 576},
                                 {192, 768},
                                 {768, 192},
                                 {192, 8001},
                                 {512, 512},
                                 {512, 2048}}) {
    for (int rows : {1, 8, 32}) b->Args({inputs, outputs, rows});
  }
});

// Making the kernels of a new shape and packing one matrix: what a load pays.
void BM_DenseCreate(benchmark::State& state) {
  const Matrix weight = RandomMatrix(state.range(1), state.range(0));
  for (auto _ : state)
    benchmark::DoNotOptimize(PackedDense::Create(weight.view(), {}, std::nullopt).value());
}
BENCHMARK(BM_DenseCreate)->Args({192, 192})->Args({192, 8001})->Args({512, 2048});

void BM_LayerNorm(benchmark::State& state) {
  const int64_t rows = state.range(0), cols = state.range(1);
  const Matrix in = RandomMatrix(rows, cols), residual = RandomMatrix(rows, cols),
               weights = RandomMatrix(2, cols);
  Matrix out(rows, cols);
  for (auto _ : state)
    LayerNorm(in.view(), residual.view(), {weights.row(0), weights.row(1), 1e-5f}, out.view());
}
BENCHMARK(BM_LayerNorm)
    ->Args({1, 192})
    ->Args({8, 192})
    ->Args({32, 192})
    ->Args({1, 512})
    ->Args({32, 512});

// rows that each see `keys` keys in pages of 16: one layer of a decode step.
void BM_DecodeAttention(benchmark::State& state) {
  const HeadShape heads = {static_cast<int>(state.range(0)), state.range(1)};
  const int64_t rows = state.range(2), keys = state.range(3), hidden = heads.width();
  const Matrix queries = RandomMatrix(rows, hidden), cache = RandomMatrix(rows * keys, 2 * hidden);
  Matrix out(rows, hidden);
  std::vector<KeyValueRun> runs;
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t t = 0; t < keys; t += 16) {
      const float* row = cache.row(r * keys + t);
      runs.push_back({row, row + hidden, std::min<int64_t>(16, keys - t), 2 * hidden});
    }
  }
  const size_t pages = runs.size() / static_cast<size_t>(rows);
  std::vector<AttentionQuery> batch;
  for (int64_t r = 0; r < rows; ++r) {
    batch.push_back({queries.row(r), {&runs[static_cast<size_t>(r) * pages], pages}, out.row(r)});
  }
  for (auto _ : state) AttendRows(heads, batch);
}
BENCHMARK(BM_DecodeAttention)
    ->Args({6, 32, 1, 8})
    ->Args({6, 32, 1, 32})
    ->Args({6, 32, 8, 32})
    ->Args({8, 64, 1, 32})
    ->Args({8, 64, 8, 64});

void BM_SequenceAttention(benchmark::State& state) {
  const HeadShape heads = {static_cast<int>(state.range(0)), state.range(1)};
  const int64_t tokens = state.range(2), hidden = heads.width();
  const Matrix projected = RandomMatrix(tokens, 3 * hidden);
  Matrix out(tokens, hidden);
  SequenceAttention attention;
  attention.queries = {projected.data(), tokens, hidden, 3 * hidden};
  attention.keys = {projected.data() + hidden, tokens, hidden, 3 * hidden};
  attention.values = {projected.data() + 2 * hidden, tokens, hidden, 3 * hidden};
  attention.out = out.view();
  for (auto _ : state) AttendSequence(heads, attention);
}
BENCHMARK(BM_SequenceAttention)
    ->Args({6, 32, 8})
    ->Args({6, 32, 25})
    ->Args({6, 32, 100})
    ->Args({6, 32, 400})
    ->Args({8, 64, 25})
    ->Args({8, 64, 100});

void BM_LogSumExp(benchmark::State& state) {
  const Matrix row = RandomMatrix(1, state.range(0));
  for (auto _ : state)
    benchmark::DoNotOptimize(LogSumExp({row.data(), static_cast<size_t>(row.cols())}));
}
BENCHMARK(BM_LogSumExp)->Arg(8001)->Arg(60000);

// ---- the whole model ----

const Model& TheModel() {
  static const Model* const model = [] {
    LoadReport report;
    auto loaded = Model::Load(ModelDirectory::Open(*model_path).value(), {}, &report);
    if (!loaded.ok()) {
      std::fprintf(stderr, "%s\n", loaded.status().ToString().c_str());
      std::exit(1);
    }
    return loaded->release();
  }();
  return *model;
}

void BM_ModelLoad(benchmark::State& state) {
  for (auto _ : state) {
    LoadReport report;
    benchmark::DoNotOptimize(
        Model::Load(ModelDirectory::Open(*model_path).value(), {}, &report).value());
  }
}
BENCHMARK(BM_ModelLoad)->Unit(benchmark::kMillisecond);

std::vector<int32_t> RandomIds(int64_t n) {
  std::mt19937 random(5);
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < n; ++i)
    ids.push_back(static_cast<int32_t>(random() %
                                       static_cast<uint32_t>(TheModel().spec().target_vocab_size)));
  return ids;
}

// sequences, tokens each, threads.
void BM_ModelEncode(benchmark::State& state) {
  SetOpThreads(static_cast<int>(state.range(2)));
  RaggedBatch batch;
  for (int64_t i = 0; i < state.range(0); ++i) batch.Add(RandomIds(state.range(1)));
  const auto workspace = MakeWorkspace();
  Matrix hidden;
  for (auto _ : state) TheModel().Encode(batch, {}, workspace.get(), &hidden);
  state.SetItemsProcessed(state.iterations() * batch.total_tokens());
  SetOpThreads(1);
}
BENCHMARK(BM_ModelEncode)
    ->Args({1, 8, 1})
    ->Args({1, 25, 1})
    ->Args({8, 25, 1})
    ->Args({32, 25, 1})
    ->Args({32, 25, 2})
    ->Args({1, 400, 1})
    ->Unit(benchmark::kMicrosecond)
    ->UseRealTime();

// A step of `rows` rows at position 20 over sources of 25 tokens; threads.
void BM_ModelDecodeStep(benchmark::State& state) {
  SetOpThreads(static_cast<int>(state.range(1)));
  const Model& model = TheModel();
  const size_t num_rows = static_cast<size_t>(state.range(0));
  const auto workspace = MakeWorkspace();
  RaggedBatch source;
  source.Add(RandomIds(25));
  Matrix encoded, logits;
  model.Encode(source, {}, workspace.get(), &encoded);
  CrossCache cross;
  model.ProjectCross(encoded.view(), workspace.get(), &cross);
  KvCachePool pool(model.spec().decoder.num_layers, model.spec().decoder.heads().width(), 1 << 30);
  std::vector<SelfCache> start;
  for (size_t r = 0; r < num_rows; ++r) start.emplace_back(&pool);
  std::vector<DecodeRow> rows;
  for (size_t r = 0; r < num_rows; ++r)
    rows.push_back({static_cast<int32_t>(r + 1), &start[r], &cross});
  for (int i = 0; i < 20; ++i) model.DecodeStep(rows, workspace.get(), &logits);
  std::vector<SelfCache> live;
  for (size_t r = 0; r < num_rows; ++r) live.push_back(start[r].Fork());
  for (size_t r = 0; r < num_rows; ++r) rows[r].self = &live[r];
  for (auto _ : state) {
    model.DecodeStep(rows, workspace.get(), &logits);
    for (size_t r = 0; r < num_rows; ++r) live[r] = start[r].Fork();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
  SetOpThreads(1);
}
BENCHMARK(BM_ModelDecodeStep)
    ->Args({1, 1})
    ->Args({4, 1})
    ->Args({8, 1})
    ->Args({32, 1})
    ->Args({64, 1})
    ->Args({32, 2})
    ->Unit(benchmark::kMicrosecond)
    ->UseRealTime();

// Keys and values of one source of 25 tokens.
void BM_ModelProjectCross(benchmark::State& state) {
  const auto workspace = MakeWorkspace();
  RaggedBatch source;
  source.Add(RandomIds(25));
  Matrix encoded;
  TheModel().Encode(source, {}, workspace.get(), &encoded);
  CrossCache cross;
  for (auto _ : state) TheModel().ProjectCross(encoded.view(), workspace.get(), &cross);
}
BENCHMARK(BM_ModelProjectCross)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace attend

int main(int argc, char** argv) {
  constexpr std::string_view kModelFlag = "--model=";
  std::vector<char*> rest;
  for (int i = 0; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument.substr(0, kModelFlag.size()) == kModelFlag) {
      *attend::model_path = std::string(argument.substr(kModelFlag.size()));
    } else {
      rest.push_back(argv[i]);
    }
  }
  int count = static_cast<int>(rest.size());
  benchmark::Initialize(&count, rest.data());
  if (benchmark::ReportUnrecognizedArguments(count, rest.data())) return 1;
  benchmark::AddCustomContext("onednn", attend::OneDnnDescription());
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
