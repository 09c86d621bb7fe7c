// A bound on bytes that many calls hold together.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"

namespace attend {

class ByteBudget {
 public:
  explicit ByteBudget(int64_t limit)
      : limit_(limit), used_(std::make_shared<std::atomic<int64_t>>(0)) {}

  // Bytes that count until the lease is let go, which may be after the budget's end.
  // RESOURCE_EXHAUSTED / MEMORY_BUDGET with a retry delay when there are not so many left; without
  // one when there never are. Any thread.
  absl::StatusOr<std::shared_ptr<const void>> Take(int64_t bytes);

  int64_t used() const { return used_->load(); }

 private:
  const int64_t limit_;
  const std::shared_ptr<std::atomic<int64_t>> used_;
};

}  // namespace attend
