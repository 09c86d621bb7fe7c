// Memory that a file asks for is checked against the machine before it is asked of the system:
// Linux promises more than it has, and takes the promise back by killing the process.
#include "engine/tensor/matrix.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <utility>

namespace attend {
namespace {

// What the machine has, or the container where that is less (control groups, version 2).
int64_t MachineBytes() {
  const int64_t pages = ::sysconf(_SC_PHYS_PAGES), page_bytes = ::sysconf(_SC_PAGESIZE);
  const int64_t machine = pages > 0 && page_bytes > 0 ? pages * page_bytes : INT64_MAX;
  std::ifstream limit_file("/sys/fs/cgroup/memory.max");  // a number, or "max"
  int64_t limit = 0;
  return limit_file >> limit && limit > 0 ? std::min(machine, limit) : machine;
}

}  // namespace

std::optional<Matrix> Matrix::TryCreate(int64_t rows, int64_t cols) {
  int64_t count = 0, bytes = 0;
  if (rows < 0 || cols < 0 || __builtin_mul_overflow(rows, cols, &count) ||
      __builtin_mul_overflow(count, int64_t{sizeof(float)}, &bytes)) {
    return std::nullopt;
  }
  static const int64_t most = MachineBytes();
  if (bytes > most) return std::nullopt;
  Matrix matrix;
  if (!matrix.Allocate(count)) return std::nullopt;
  matrix.rows_ = rows;
  matrix.cols_ = cols;
  return matrix;
}

}  // namespace attend
