// Bytes that are read by position: a file on disk (stored_file.h), or memory. The readers of
// formats copy what they need out of it and never look at a mapping: a mapped file that another
// process truncates kills the process that touches it (SIGBUS), a read of it comes back short.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace attend {

class ByteSource {
 public:
  virtual ~ByteSource() = default;

  // Plain file name, as errors say it.
  virtual const std::string& name() const = 0;
  virtual uint64_t size() const = 0;
  // Fills `out` with the bytes from `offset`. DATA_LOSS / CHECKPOINT_CORRUPT, naming the file and
  // `tensor` where it is not empty, when they are not there (any more) or cannot be read.
  virtual absl::Status Read(uint64_t offset, absl::Span<uint8_t> out,
                            std::string_view tensor = {}) const = 0;

  // The same as a string. REQUIRES: `count` was bounded by the caller.
  absl::StatusOr<std::string> ReadString(uint64_t offset, uint64_t count) const;
};

// Memory that its owner keeps.
class MemorySource : public ByteSource {
 public:
  MemorySource(absl::Span<const uint8_t> bytes, std::string name)
      : bytes_(bytes), name_(std::move(name)) {}

  const std::string& name() const override { return name_; }
  uint64_t size() const override { return bytes_.size(); }
  absl::Status Read(uint64_t offset, absl::Span<uint8_t> out,
                    std::string_view tensor = {}) const override;

 private:
  absl::Span<const uint8_t> bytes_;
  std::string name_;
};

}  // namespace attend
