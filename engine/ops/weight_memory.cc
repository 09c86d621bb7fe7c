#include "engine/ops/weight_memory.h"

#include <sys/mman.h>

#include <cstdlib>

namespace attend {

std::shared_ptr<char> AllocateWeights(int64_t bytes) {
  constexpr size_t kLargePage = size_t{2} << 20, kCacheLine = 64;
  // Small ones would waste most of a large page.
  const size_t alignment = bytes >= int64_t{kLargePage} / 2 ? kLargePage : kCacheLine;
  const size_t size = (static_cast<size_t>(bytes) + kCacheLine - 1) / kCacheLine * kCacheLine;
  void* memory = nullptr;
  if (posix_memalign(&memory, alignment, size) != 0) return nullptr;
  // A request: without large pages it works as well.
  if (alignment == kLargePage) madvise(memory, size, MADV_HUGEPAGE);
  return {static_cast<char*>(memory), [](char* p) { std::free(p); }};
}

}  // namespace attend
