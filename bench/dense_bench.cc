// Linear operations: int8 with every kernel that the processor has, and float32 (ours and
// oneDNN's), on the shapes of the two model sizes; beside them what the memory gives. "hot": the
// same weights again and again; "cold": copies of them in turn, more than the caches of one core
// hold, as in decoding.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bench/random_matrix.h"
#include "engine/ops/dense.h"
#include "engine/ops/int8_dense.h"
#include "engine/ops/onednn_dense.h"
#include "engine/ops/simd_level.h"

namespace attend {
namespace {

constexpr int64_t kColdBytes = int64_t{64} << 20;

struct DenseShape {
  int64_t inputs, outputs;
};
constexpr DenseShape kShapes[] = {{256, 256}, {256, 1024}, {1024, 256}, {256, 8001},
                                  {512, 512}, {512, 2048}, {2048, 512}, {512, 59514}};

// Bytes of weights and operations of one run, as rates.
void Count(benchmark::State& state, int64_t bytes, int64_t operations) {
  const auto rate = [](int64_t n) {
    return benchmark::Counter(static_cast<double>(n) * 1e-9,
                              benchmark::Counter::kIsIterationInvariantRate);
  };
  state.counters["GB/s"] = rate(bytes);
  state.counters["GOPS"] = rate(operations);
}

template <class Dense>
void Run(benchmark::State& state, const std::vector<Dense>& copies, int64_t rows) {
  const Matrix in = RandomMatrix(rows, copies[0].inputs());
  Matrix out(rows, copies[0].outputs());
  size_t next = 0;
  for (auto _ : state) {
    copies[next].Run(in.view(), out.view());
    next = next + 1 < copies.size() ? next + 1 : 0;
  }
  Count(state, copies[0].packed_bytes(), 2 * rows * copies[0].inputs() * copies[0].outputs());
}

size_t NumCopies(bool is_cold, int64_t bytes) {
  return is_cold ? static_cast<size_t>(kColdBytes / bytes + 1) : 1;
}

void Int8(benchmark::State& state, const std::string& level, DenseShape shape, bool is_cold,
          int64_t rows) {
  LimitSimdLevel(level);
  const Matrix weight = RandomMatrix(shape.outputs, shape.inputs);
  std::vector<Int8Dense> copies;
  for (size_t i = 0; i < NumCopies(is_cold, shape.inputs * shape.outputs); ++i)
    copies.emplace_back(Int8Weight::Quantize(weight.view()).value(), absl::Span<const float>(),
                        std::nullopt);
  Run(state, copies, rows);
  LimitSimdLevel("");
}

// Dense: PackedDense, or OneDnnDense that it would use without kernels of ours.
template <class Dense>
void Float32(benchmark::State& state, DenseShape shape, bool is_cold, int64_t rows) {
  const Matrix weight = RandomMatrix(shape.outputs, shape.inputs);
  std::vector<Dense> copies;
  for (size_t i = 0; i < NumCopies(is_cold, 4 * shape.inputs * shape.outputs); ++i)
    copies.push_back(Dense::Create(weight.view(), {}, std::nullopt).value());
  Run(state, copies, rows);
}

// The C library's search for a byte that is not there: nothing but loads.
void Read(benchmark::State& state) {
  const std::vector<char> bytes(static_cast<size_t>(state.range(0)) << 20, 0);
  for (auto _ : state) {
    const void* found = std::memchr(bytes.data(), 1, bytes.size());
    benchmark::DoNotOptimize(found);
  }
  Count(state, static_cast<int64_t>(bytes.size()), 0);
}
BENCHMARK(Read)->Name("BM_ReadMegabytes")->Arg(1)->Arg(4)->Arg(16)->Arg(64)->Arg(256);

// One name for each: BM_Linear/int8-AMX/hot/512x2048/32.
const bool registered = [] {
  // Down to AVX2: what is below is for being right, not for being fast.
  std::vector<std::string> levels = SimdLevels();
  const auto avx2 = std::find(levels.begin(), levels.end(), "AVX2");
  if (avx2 != levels.end()) levels.erase(avx2 + 1, levels.end());
  levels.erase(std::remove(levels.begin(), levels.end(), "AVX3"), levels.end());  // AVX2's kernel
  for (const bool is_cold : {false, true}) {
    for (const DenseShape shape : kShapes) {
      for (const int64_t rows : {1, 2, 4, 8, 16, 32, 128}) {
        const std::string tail =
            absl::StrCat(is_cold ? "/cold/" : "/hot/", shape.inputs, "x", shape.outputs, "/", rows);
        for (const std::string& level : levels) {
          benchmark::RegisterBenchmark(
              absl::StrCat("BM_Linear/int8-", level, tail).c_str(),
              [=](benchmark::State& state) { Int8(state, level, shape, is_cold, rows); });
        }
        benchmark::RegisterBenchmark(
            absl::StrCat("BM_Linear/float32", tail).c_str(),
            [=](benchmark::State& state) { Float32<PackedDense>(state, shape, is_cold, rows); });
        benchmark::RegisterBenchmark(
            absl::StrCat("BM_Linear/float32-onednn", tail).c_str(),
            [=](benchmark::State& state) { Float32<OneDnnDense>(state, shape, is_cold, rows); });
      }
    }
  }
  return true;
}();

}  // namespace
}  // namespace attend
