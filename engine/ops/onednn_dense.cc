// oneDNN's inner_product with blocked weights ("brgemm" kernels): 1.3 to 2.5 times its matmul at 2
// to 64 rows with AVX2, equal with AVX-512. Blocks chosen for 4 rows serve all row counts best:
// those for more rows are up to 1.5 times slower at one row with AVX2, those for one row 1.1 times
// slower at 64.
//
// A DenseFamily holds the kernels of one shape (inputs, outputs, activation) for a ladder of row
// counts; layers of equal shape share it. Kernels are made single-threaded; threads share out rows.
#include "engine/ops/onednn_dense.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/base/check.h"
#include "engine/ops/dense_arguments.h"
#include "engine/ops/op_threads.h"
#include "engine/ops/weight_memory.h"
#include "oneapi/dnnl/dnnl.hpp"
#include "oneapi/dnnl/dnnl_debug.h"  // dnnl_cpu_isa2str

namespace attend {
namespace {

using Tag = dnnl::memory::format_tag;
constexpr auto kF32 = dnnl::memory::data_type::f32;

constexpr int64_t kMaxRowsOfLarge = 32, kLarge = int64_t{8} << 20;
constexpr int64_t kPackingRows = 4;  // the weights' blocks are chosen for it
// Dense where decoding lives, so that few calls need two pieces; ends at 64, since above oneDNN may
// block the sum differently. A large shape (a vocabulary) does without the last ones, which would
// make the check below long.
constexpr std::array<int64_t, 18> kLadder = {1,  2,  3,  4,  5,  6,  7,  8,  10,
                                             12, 14, 16, 20, 24, 32, 40, 48, 64};

const dnnl::engine& Cpu() {
  static const dnnl::engine* const cpu = new dnnl::engine(dnnl::engine::kind::cpu, 0);
  return *cpu;
}

dnnl::stream& Stream() {
  thread_local dnnl::stream stream(Cpu());
  return stream;
}

// Scratch memory of kernels, owned here because oneDNN's own belongs to the thread that made the
// kernel.
void* Scratchpad(size_t bytes) {
  thread_local std::vector<char> memory;
  if (memory.size() < bytes + 64) memory.resize(bytes + 64);
  void* aligned = memory.data();
  size_t space = memory.size();
  return std::align(64, bytes, aligned, space);
}

dnnl::post_ops PostOps(std::optional<Activation> activation) {
  dnnl::post_ops ops;
  if (!activation) return ops;
  switch (*activation) {
    case Activation::kRelu:
      ops.append_eltwise(dnnl::algorithm::eltwise_relu, 0.f, 0.f);
      break;
    case Activation::kGelu:
      ops.append_eltwise(dnnl::algorithm::eltwise_gelu_erf, 0.f, 0.f);
      break;
    case Activation::kGeluTanh:
      ops.append_eltwise(dnnl::algorithm::eltwise_gelu_tanh, 0.f, 0.f);
      break;
    case Activation::kSilu:
      ops.append_eltwise(dnnl::algorithm::eltwise_swish, 1.f, 0.f);
      break;
  }
  return ops;
}

// The kernel for one row count.
struct Kernel {
  uint64_t id = 0;  // never used again, unlike an address
  int64_t rows = 0;
  dnnl::memory::desc in, out, scratchpad;
  dnnl::primitive primitive;
};

struct DenseShape {
  int64_t inputs, outputs;
  std::optional<Activation> activation;
};

struct BuiltKernel {
  Kernel kernel;
  dnnl::memory::desc weight;
  std::string name;
};

BuiltKernel Build(const DenseShape& shape, int64_t rows, const dnnl::memory::desc* weight) {
  const dnnl::memory::desc in({rows, shape.inputs}, kF32, Tag::ab);
  const dnnl::memory::desc any({shape.outputs, shape.inputs}, kF32, Tag::any);
  const dnnl::memory::desc bias({shape.outputs}, kF32, Tag::a);
  const dnnl::memory::desc out({rows, shape.outputs}, kF32, Tag::ab);
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  attributes.set_post_ops(PostOps(shape.activation));
  const dnnl::inner_product_forward::primitive_desc description(
      Cpu(), dnnl::prop_kind::forward_inference, in, weight != nullptr ? *weight : any, bias, out,
      attributes);
  static std::atomic<uint64_t> next_id{1};
  return {{next_id++, rows, in, out, description.scratchpad_desc(),
           dnnl::inner_product_forward(description)},
          description.weights_desc(),
          description.impl_info_str()};
}

// oneDNN's handles on a kernel's input and output. Making them costs as much as a small product, so
// each thread keeps those it used; running is then setting two pointers.
struct Binding {
  dnnl::memory in, out, scratchpad;
};

Binding& BindingOf(const Kernel& kernel) {
  constexpr size_t kMostKept = 1024;
  thread_local std::unordered_map<uint64_t, Binding> bindings;
  const auto found = bindings.find(kernel.id);
  if (found != bindings.end()) return found->second;
  if (bindings.size() >= kMostKept) bindings.clear();
  Binding binding = {
      dnnl::memory(kernel.in, Cpu(), nullptr), dnnl::memory(kernel.out, Cpu(), nullptr), {}};
  if (kernel.scratchpad.get_size() > 0)
    binding.scratchpad = dnnl::memory(kernel.scratchpad, Cpu(), nullptr);
  return bindings.emplace(kernel.id, std::move(binding)).first->second;
}

void Execute(const Kernel& kernel, const dnnl::memory& weight, const dnnl::memory& bias,
             const float* in, float* out) {
  Binding& binding = BindingOf(kernel);
  binding.in.set_data_handle(const_cast<float*>(in));
  binding.out.set_data_handle(out);
  std::array<dnnl_exec_arg_t, 5> arguments = {{{DNNL_ARG_SRC, binding.in.get()},
                                               {DNNL_ARG_WEIGHTS, weight.get()},
                                               {DNNL_ARG_BIAS, bias.get()},
                                               {DNNL_ARG_DST, binding.out.get()}}};
  int count = 4;
  if (const size_t bytes = kernel.scratchpad.get_size(); bytes > 0) {
    binding.scratchpad.set_data_handle(Scratchpad(bytes));
    arguments[4] = {DNNL_ARG_SCRATCHPAD, binding.scratchpad.get()};
    count = 5;
  }
  dnnl::error::wrap_c_api(
      dnnl_primitive_execute(kernel.primitive.get(), Stream().get(), count, arguments.data()),
      "running a kernel");
}

// Blocked weights in memory of our own.
struct Weights {
  std::shared_ptr<char> bytes;
  dnnl::memory memory;
};

Weights Reordered(const float* weight, const DenseShape& shape, const dnnl::memory::desc& blocked) {
  dnnl::memory plain({{shape.outputs, shape.inputs}, kF32, Tag::ab}, Cpu(),
                     const_cast<float*>(weight));
  Weights packed;
  packed.bytes = AllocateWeights(static_cast<int64_t>(blocked.get_size()));
  if (packed.bytes == nullptr) throw std::bad_alloc();
  packed.memory = dnnl::memory(blocked, Cpu(), packed.bytes.get());
  dnnl::reorder(plain, packed.memory).execute(Stream(), plain, packed.memory);
  Stream().wait();
  return packed;
}

// Numbers without pattern in [-1, 1): enough to show any difference in the order of a sum.
class Noise {
 public:
  float Next() {
    state_ = state_ * 1664525u + 1013904223u;
    return static_cast<float>(static_cast<int32_t>(state_)) * (1.0f / 2147483648.0f);
  }

 private:
  uint32_t state_ = 2463534242u;
};

// All kernels of one shape that give the same bits for the same row, smallest first.
struct DenseFamily {
  DenseShape shape;
  dnnl::memory::desc weight;
  std::string name;
  std::vector<Kernel> kernels;

  // The largest kernel that `rows` fill; the smallest of all when none.
  const Kernel& Choose(int64_t rows) const {
    size_t best = 0;
    while (best + 1 < kernels.size() && kernels[best + 1].rows <= rows) ++best;
    return kernels[best];
  }
};

// Runs every kernel on equal rows and keeps the largest set whose results are the same bits
// everywhere.
void KeepAgreeing(DenseFamily* family) {
  const DenseShape& shape = family->shape;
  Noise noise;
  std::vector<float> weight(static_cast<size_t>(shape.inputs * shape.outputs)),
      bias(static_cast<size_t>(shape.outputs));
  for (float& w : weight) w = noise.Next();
  for (float& b : bias) b = noise.Next();
  const int64_t most = family->kernels.back().rows;
  std::vector<float> in(static_cast<size_t>(most * shape.inputs)),
      out(static_cast<size_t>(most * shape.outputs));
  for (int64_t i = 0; i < shape.inputs; ++i) in[static_cast<size_t>(i)] = noise.Next();
  for (int64_t r = 1; r < most; ++r)
    std::copy_n(in.begin(), shape.inputs, in.begin() + r * shape.inputs);
  const Weights packed = Reordered(weight.data(), shape, family->weight);
  weight = {};
  const dnnl::memory bias_memory({{shape.outputs}, kF32, Tag::a}, Cpu(), bias.data());

  std::map<std::string, std::vector<Kernel>> by_result;  // a row's bytes → kernels
  const size_t row_bytes = static_cast<size_t>(shape.outputs) * sizeof(float);
  for (Kernel& kernel : family->kernels) {
    Execute(kernel, packed.memory, bias_memory, in.data(), out.data());
    bool equal_rows = true;
    for (int64_t r = 1; r < kernel.rows && equal_rows; ++r) {
      equal_rows = std::memcmp(out.data(), out.data() + r * shape.outputs, row_bytes) == 0;
    }
    if (equal_rows) {
      by_result[std::string(reinterpret_cast<const char*>(out.data()), row_bytes)].push_back(
          std::move(kernel));
    }
  }
  family->kernels.clear();
  for (auto& [result, kernels] : by_result) {
    if (kernels.size() > family->kernels.size()) family->kernels = std::move(kernels);
  }
  ATTEND_CHECK(!family->kernels.empty(), "the one-row kernel always agrees with itself");
}

std::shared_ptr<const DenseFamily> MakeFamily(const DenseShape& shape) {
  auto family = std::make_shared<DenseFamily>();
  family->shape = shape;
  BuiltKernel first = Build(shape, kPackingRows, nullptr);
  family->weight = first.weight;
  family->name = first.name;
  for (int64_t rows : kLadder) {
    if (rows > kMaxRowsOfLarge && shape.inputs * shape.outputs > kLarge) break;
    // A kernel that cannot read these blocks is one we do without, as long as one is left.
    try {
      family->kernels.push_back(Build(shape, rows, &family->weight).kernel);
    } catch (const dnnl::error&) {
      if (rows == kPackingRows) throw;
    }
  }
  KeepAgreeing(family.get());
  return family;
}

// Families in use, so that equal layers share one. Entries of unloaded models are swept when a new
// shape comes.
std::shared_ptr<const DenseFamily> FindFamily(const DenseShape& shape) {
  using Key = std::tuple<int64_t, int64_t, int>;
  static std::mutex mutex;
  static auto* const families = new std::map<Key, std::weak_ptr<const DenseFamily>>;
  const Key key{shape.inputs, shape.outputs,
                shape.activation ? static_cast<int>(*shape.activation) : -1};
  const std::lock_guard<std::mutex> lock(mutex);
  if (auto found = families->find(key); found != families->end()) {
    if (auto family = found->second.lock()) return family;
  }
  for (auto it = families->begin(); it != families->end();)
    it = it->second.expired() ? families->erase(it) : ++it;
  auto family = MakeFamily(shape);
  (*families)[key] = family;
  return family;
}

}  // namespace

struct OneDnnDense::Parts {
  std::shared_ptr<const DenseFamily> family;
  std::vector<float> bias;
  Weights weights;
  dnnl::memory bias_memory;

  void RunRows(ConstMatrixView in, MatrixView out) const;
};

OneDnnDense::OneDnnDense(std::unique_ptr<const Parts> parts) : parts_(std::move(parts)) {}
OneDnnDense::OneDnnDense(OneDnnDense&&) noexcept = default;
OneDnnDense& OneDnnDense::operator=(OneDnnDense&&) noexcept = default;
OneDnnDense::~OneDnnDense() = default;

absl::StatusOr<OneDnnDense> OneDnnDense::Create(ConstMatrixView weight,
                                                absl::Span<const float> bias,
                                                std::optional<Activation> activation) {
  CheckDenseArguments(weight, bias);
  OpThreads();  // makes sure that oneDNN plans for one thread
  try {
    const DenseShape shape{weight.cols, weight.rows, activation};
    auto parts = std::make_unique<Parts>();
    parts->family = FindFamily(shape);
    parts->bias.assign(static_cast<size_t>(weight.rows), 0.0f);
    std::copy(bias.begin(), bias.end(), parts->bias.begin());
    parts->weights = Reordered(weight.data, shape, parts->family->weight);
    parts->bias_memory = dnnl::memory({{shape.outputs}, kF32, Tag::a}, Cpu(), parts->bias.data());
    return OneDnnDense(std::move(parts));
  } catch (const dnnl::error& error) {
    const std::string message =
        absl::StrCat("oneDNN cannot make a linear operation of ", weight.cols, " inputs and ",
                     weight.rows, " outputs: ", error.what());
    return error.status == dnnl_out_of_memory ? absl::ResourceExhaustedError(message)
                                              : absl::InternalError(message);
  } catch (const std::bad_alloc&) {
    return NoMemoryForDense(weight);
  }
}

int64_t OneDnnDense::inputs() const { return parts_->family->shape.inputs; }
int64_t OneDnnDense::outputs() const { return parts_->family->shape.outputs; }
int64_t OneDnnDense::packed_bytes() const {
  return static_cast<int64_t>(parts_->family->weight.get_size() +
                              parts_->bias.size() * sizeof(float));
}
int OneDnnDense::num_kernels() const { return static_cast<int>(parts_->family->kernels.size()); }
const char* OneDnnDense::kernel_name() const { return parts_->family->name.c_str(); }

void OneDnnDense::Parts::RunRows(ConstMatrixView in, MatrixView out) const {
  for (int64_t row = 0; row < in.rows;) {
    const int64_t left = in.rows - row;
    const Kernel& kernel = family->Choose(left);
    if (kernel.rows <= left) {
      Execute(kernel, weights.memory, bias_memory, in.row(row), out.row(row));
      row += kernel.rows;
      continue;
    }
    // Fewer rows than the smallest kernel takes: fill up with zeros beside the caller's memory.
    thread_local std::vector<float> padded_in, padded_out;
    padded_in.assign(static_cast<size_t>(kernel.rows * in.cols), 0.0f);
    padded_out.resize(static_cast<size_t>(kernel.rows * out.cols));
    std::copy_n(in.row(row), left * in.cols, padded_in.begin());
    Execute(kernel, weights.memory, bias_memory, padded_in.data(), padded_out.data());
    std::copy_n(padded_out.begin(), left * out.cols, out.row(row));
    row += left;
  }
}

void OneDnnDense::Run(ConstMatrixView in, MatrixView out) const {
  ATTEND_CHECK(in.rows == out.rows && in.cols == inputs() && out.cols == outputs(),
               "shapes of a linear operation");
  ATTEND_CHECK(in.stride == in.cols && out.stride == out.cols, "rows without gaps");
  // A thread is worth waking from about 0.1 ms of work on.
  const int64_t grain = std::max<int64_t>(1, 4'000'000 / (inputs() * outputs()));
  try {
    ParallelFor(in.rows, grain, [&](int64_t begin, int64_t end) {
      parts_->RunRows({in.row(begin), end - begin, in.cols, in.stride},
                      out.Rows(begin, end - begin));
    });
  } catch (const dnnl::error& error) {
    if (error.status == dnnl_out_of_memory) throw std::bad_alloc();
    ATTEND_CHECK(false, "oneDNN failed to run a kernel that it made");
  }
}

const char* OneDnnDescription() {
  static const std::string* const text = [] {
    const dnnl_version_t* version = dnnl_version();
    return new std::string(absl::StrCat(version->major, ".", version->minor, ".", version->patch,
                                        " ", dnnl_cpu_isa2str(dnnl_get_effective_cpu_isa())));
  }();
  return text->c_str();
}

}  // namespace attend
