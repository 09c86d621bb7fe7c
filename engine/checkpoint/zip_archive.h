// Finds the members of a zip archive that stores them uncompressed, as torch.save does; zip64
// included. Every offset is checked, the central directory is compared with each member's local
// header, and members may not overlap, so that two readers of one archive cannot see different
// contents. Checksums are not verified: torch can be told not to write them.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace attend {

using ZipMembers = std::map<std::string, absl::Span<const uint8_t>, std::less<>>;

// Members by name; the spans point into `bytes`. DATA_LOSS for a malformed archive, UNIMPLEMENTED
// for compressed, encrypted or multi-volume ones. `file` stands in every error.
absl::StatusOr<ZipMembers> ReadZipArchive(absl::Span<const uint8_t> bytes, std::string_view file);

}  // namespace attend
