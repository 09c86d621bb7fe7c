// Where the storages begin is known only when the pickles have been run, and where the next one
// begins only when the size of this one is known. A storage says how many elements it has but not
// of which type: the tensors that lie in it do.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/checkpoint/checkpoint_error.h"
#include "engine/checkpoint/little_endian.h"
#include "engine/checkpoint/pytorch_storages.h"

namespace attend {
namespace {

constexpr int64_t kProtocolVersion = 1001;
constexpr uint64_t kCountBytes = 8;

// The tensor through which a storage is known: gives its type, and a name for errors.
using FirstTensors = std::map<std::string_view, const PickledTensor*>;

absl::StatusOr<FirstTensors> FindFirstTensors(const std::vector<PickledTensor>& tensors,
                                              std::string_view file) {
  FirstTensors first;
  for (const PickledTensor& tensor : tensors) {
    const auto [position, is_new] = first.emplace(tensor.storage, &tensor);
    const PickledTensor& earlier = *position->second;
    if (earlier.type != tensor.type) {
      return CorruptTensor({file, tensor.name},
                           absl::StrCat("a storage of ", Name(earlier.type), ", as tensor '",
                                        Printable(earlier.name), "' has it"),
                           Name(tensor.type));
    }
  }
  return first;
}

class StorageReader {
 public:
  StorageReader(const ByteSource& source, uint64_t position)
      : source_(source), position_(position) {}

  // The storage of this key, which begins at the position.
  absl::StatusOr<ByteRange> Next(const PickledTensor& tensor) {
    const CheckpointPlace place{source_.name(), tensor.name};
    if (source_.size() - position_ < kCountBytes) {
      return ShortRead(place, position_, kCountBytes, source_.size() - position_);
    }
    uint8_t count_bytes[kCountBytes];
    ATTEND_RETURN_IF_ERROR(source_.Read(position_, count_bytes, tensor.name));
    position_ += kCountBytes;
    const uint64_t count = LoadU64(count_bytes), element = ByteSize(tensor.type);
    const uint64_t left = source_.size() - position_;
    if (count > left / element) {
      return CorruptTensor(place,
                           absl::StrCat("a storage of ", static_cast<int64_t>(count),
                                        " elements of ", Name(tensor.type)),
                           absl::StrCat(left, " bytes to the end of the file (truncated?)"));
    }
    const ByteRange range = {position_, count * element};
    position_ += range.size;
    return range;
  }

  absl::Status ExpectEnd() const {
    if (position_ == source_.size()) return absl::OkStatus();
    return CorruptTensor({source_.name(), ""},
                         absl::StrCat("the end of the file at byte ", position_),
                         absl::StrCat(source_.size() - position_, " bytes more"));
  }

 private:
  const ByteSource& source_;
  uint64_t position_;
};

}  // namespace

absl::StatusOr<PytorchStorages> ReadPytorchPickles(const ByteSource& source, uint64_t position) {
  const std::string& file = source.name();
  PytorchStorages result;
  std::vector<std::string> keys;
  {
    // The pickles are a small part of the file; how small is not written anywhere.
    const uint64_t most = std::min<uint64_t>(source.size() - position, kMaxPickleBytes);
    ATTEND_ASSIGN_OR_RETURN(const std::string text, source.ReadString(position, most));
    PickleStream pickles({reinterpret_cast<const uint8_t*>(text.data()), text.size()}, file);
    ATTEND_ASSIGN_OR_RETURN(const int64_t version, pickles.TakeInt());
    if (version != kProtocolVersion) {
      return UnsupportedCheckpoint({file, ""}, absl::StrCat("expected protocol version ",
                                                            kProtocolVersion, ", found ", version));
    }
    ATTEND_ASSIGN_OR_RETURN(const bool is_little_endian, pickles.TakeFlag("little_endian"));
    if (!is_little_endian) {
      return UnsupportedCheckpoint({file, ""}, "expected byte order little, found big");
    }
    ATTEND_ASSIGN_OR_RETURN(result.tensors, pickles.TakeStateDict());
    ATTEND_ASSIGN_OR_RETURN(keys, pickles.TakeStrings());
    position += pickles.position();
  }
  ATTEND_ASSIGN_OR_RETURN(const FirstTensors first, FindFirstTensors(result.tensors, file));
  StorageReader storages(source, position);
  for (const std::string& key : keys) {
    const auto tensor = first.find(key);
    if (tensor == first.end()) {
      return CorruptTensor({file, ""}, "the storages of its tensors",
                           absl::StrCat("storage '", Printable(key), "', in which none lies"));
    }
    ATTEND_ASSIGN_OR_RETURN(const ByteRange range, storages.Next(*tensor->second));
    if (!result.storages.emplace(key, range).second) {
      return CorruptTensor({file, tensor->second->name}, "its storage once",
                           absl::StrCat("storage '", Printable(key), "' twice"));
    }
  }
  ATTEND_RETURN_IF_ERROR(storages.ExpectEnd());
  return result;
}

}  // namespace attend
