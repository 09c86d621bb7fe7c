// Row-major float32 matrices: Matrix owns, MatrixView and ConstMatrixView borrow. A ragged batch of
// activations is one matrix [total_tokens, hidden_size] (layers/ragged_batch.h says where each
// sequence begins).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <utility>

#include "engine/base/check.h"

namespace attend {

struct ConstMatrixView {
  const float* data = nullptr;
  int64_t rows = 0, cols = 0;
  int64_t stride = 0;  // elements from one row to the next; >= cols

  const float* row(int64_t r) const { return data + r * stride; }
};

struct MatrixView {
  float* data = nullptr;
  int64_t rows = 0, cols = 0;
  int64_t stride = 0;

  float* row(int64_t r) const { return data + r * stride; }
  operator ConstMatrixView() const {
    return {data, rows, cols, stride};
  }  // NOLINT: a view of const is meant to be implicit
  // `count` rows from `first`.
  MatrixView Rows(int64_t first, int64_t count) const { return {row(first), count, cols, stride}; }
};

// Owning, 64-byte aligned, movable, not copyable. Resize keeps the memory when it is large enough,
// so that a matrix used step after step allocates nothing in steady state.
class Matrix {
 public:
  Matrix() = default;
  Matrix(int64_t rows, int64_t cols) { Resize(rows, cols); }
  // For sizes that come from a file: nothing when memory is short, which is never an error of the
  // program's. What exceeds the machine's memory is refused even where the system would promise it
  // (it would end the process when the pages are touched). Contents are undefined.
  static std::optional<Matrix> TryCreate(int64_t rows, int64_t cols);
  Matrix(Matrix&& other) noexcept { *this = std::move(other); }
  Matrix& operator=(Matrix&& other) noexcept {
    data_ = std::move(other.data_);
    capacity_ = other.capacity_;
    rows_ = other.rows_;
    cols_ = other.cols_;
    other.capacity_ = other.rows_ = other.cols_ = 0;
    return *this;
  }

  // Sets the shape; contents become undefined. Throws std::bad_alloc, and is empty then, when
  // memory is short: the engine loop ends the sequences of that step and goes on.
  void Resize(int64_t rows, int64_t cols) {
    ATTEND_DCHECK(rows >= 0 && cols >= 0, "negative matrix size");
    if (!Allocate(rows * cols)) {
      rows_ = cols_ = 0;
      throw std::bad_alloc();
    }
    rows_ = rows;
    cols_ = cols;
  }
  void SetZero() {
    std::memset(data_.get(), 0, static_cast<size_t>(rows_ * cols_) * sizeof(float));
  }

  int64_t rows() const { return rows_; }
  int64_t cols() const { return cols_; }
  float* data() { return data_.get(); }
  const float* data() const { return data_.get(); }
  float* row(int64_t r) { return data_.get() + r * cols_; }
  const float* row(int64_t r) const { return data_.get() + r * cols_; }
  MatrixView view() { return {data_.get(), rows_, cols_, cols_}; }
  ConstMatrixView view() const { return {data_.get(), rows_, cols_, cols_}; }
  size_t allocated_bytes() const { return static_cast<size_t>(capacity_) * sizeof(float); }

 private:
  struct Free {
    void operator()(float* p) const { std::free(p); }
  };
  // Room for `count` elements; false, and nothing is held any more, when memory is short.
  bool Allocate(int64_t count) {
    if (count <= capacity_) return true;
    const size_t bytes = (static_cast<size_t>(count) * sizeof(float) + 63) / 64 * 64;
    data_.reset(static_cast<float*>(std::aligned_alloc(64, bytes)));
    capacity_ = data_ != nullptr ? count : 0;
    return data_ != nullptr;
  }
  std::unique_ptr<float, Free> data_;
  int64_t capacity_ = 0, rows_ = 0, cols_ = 0;
};

}  // namespace attend
