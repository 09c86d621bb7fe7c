// SHA-256, fed piece by piece.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace attend {

class Sha256 {
 public:
  using Digest = std::array<uint8_t, 32>;

  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void Update(const void* bytes, size_t size);
  // Once, at the end. INTERNAL when the library failed here or before.
  absl::StatusOr<Digest> Finish();

 private:
  void* context_;
  bool is_good_;
};

// The first `digits` hexadecimal digits of a digest. REQUIRES: even, at most 64.
std::string HexOf(const Sha256::Digest& digest, size_t digits = 64);

// The first eight bytes of the SHA-256 over `parts` one after the other, lowest first: a checksum.
absl::StatusOr<uint64_t> Checksum(absl::Span<const absl::Span<const uint8_t>> parts);

}  // namespace attend
