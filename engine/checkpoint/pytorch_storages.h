// The two forms of torch.save's files, down to what they have in common: a pickle that describes
// tensors as windows on storages, and the storages' bytes.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/checkpoint/byte_source.h"
#include "engine/checkpoint/pickle_reader.h"  // PickledTensor
#include "engine/checkpoint/zip_archive.h"    // ByteRange

namespace attend {

struct PytorchStorages {
  std::vector<PickledTensor> tensors;
  std::map<std::string, ByteRange, std::less<>> storages;  // by key; within the file
};

// torch >= 1.6: a zip archive of NAME/data.pkl and one member NAME/data/KEY a storage.
absl::StatusOr<PytorchStorages> ReadPytorchZip(const ByteSource& source);

// torch 0.1.10 to 1.5, and later ones told so: five pickles (magic number, protocol version,
// system, state dict, storage keys), then each storage in the order of the keys, as its number of
// elements in eight bytes and the elements.
inline constexpr std::string_view kPytorchMagic(
    "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15);  // the whole first pickle
// Reads from behind the magic number, at `position`.
absl::StatusOr<PytorchStorages> ReadPytorchPickles(const ByteSource& source, uint64_t position);

}  // namespace attend
