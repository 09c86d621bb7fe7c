// Finds the members of a zip archive that stores them uncompressed, as torch.save does; zip64
// included. Every offset is checked, the central directory is compared with each member's local
// header, and members may not overlap, so that two readers of one archive cannot see different
// contents. Checksums are not verified: torch can be told not to write them.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "engine/checkpoint/byte_source.h"

namespace attend {

// Bytes of a file, all of them within it.
struct ByteRange {
  uint64_t begin = 0, size = 0;
};

using ZipMembers = std::map<std::string, ByteRange, std::less<>>;

// Members by name. Reads headers only. DATA_LOSS for a malformed archive, UNIMPLEMENTED for
// compressed, encrypted or multi-volume ones.
absl::StatusOr<ZipMembers> ReadZipArchive(const ByteSource& source);

}  // namespace attend
