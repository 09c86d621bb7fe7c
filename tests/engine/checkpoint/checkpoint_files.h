// Writers of checkpoint files for tests: byte by byte, so that a test can make each byte wrong.
// Nothing of them is shared with the readers under test.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/checkpoint/checkpoint.h"  // StoredTensor

namespace attend {

// The lowest `count` bytes of a number, lowest first.
std::string LittleEndian(uint64_t number, int count);
std::string Floats(const std::vector<float>& values);
absl::Span<const uint8_t> AsBytes(std::string_view text);

// Replaces bytes from `offset`.
std::string WithBytes(std::string text, size_t offset, std::string_view replacement);

struct TensorToWrite {
  std::string name;
  std::string type;
  std::string shape;  // JSON, "[2, 3]"
  std::string bytes;
};

// A safetensors file around a header of any text.
std::string SafetensorsFile(std::string_view header, std::string_view content);
std::string SafetensorsFile(const std::vector<TensorToWrite>& tensors);

struct ZipMemberToWrite {
  std::string name;
  std::string content;
  uint16_t method = 0;
  uint16_t flags = 0;
};

struct ZipToWrite {
  std::vector<ZipMemberToWrite> members;
  bool is_zip64 = false;   // sizes and offsets in extra fields, a zip64 end record
  bool has_end64 = false;  // only the zip64 end record, as torch writes it
  std::string comment;
};

// A zip archive; offsets[i] is that of member i's local header, directory that of the central
// directory.
struct ZipLayout {
  std::string bytes;
  std::vector<size_t> offsets;
  size_t directory = 0, end = 0;
};
ZipLayout WriteZip(const ZipToWrite& zip);

// Builds pickles opcode by opcode, protocol 2.
class PickleWriter {
 public:
  PickleWriter() : text_("\x80\x02") {}

  PickleWriter& Raw(std::string_view bytes);
  PickleWriter& Global(std::string_view module, std::string_view name);
  PickleWriter& String(std::string_view value);
  PickleWriter& Int(int64_t value);
  PickleWriter& Ints(const std::vector<int64_t>& values);  // a tuple
  // A tensor on a storage of `elements` float32 under `key`.
  struct Tensor {
    std::string key = "0";
    int64_t elements = 0, offset = 0;
    std::vector<int64_t> shape, strides;
    std::string storage_type = "FloatStorage";
    bool is_legacy = false;  // a sixth element in the storage's id
  };
  PickleWriter& Rebuild(const Tensor& tensor);
  // A whole state dict of one tensor.
  static std::string StateDict(std::string_view name, const Tensor& tensor);
  std::string Stop() { return text_ + "."; }

 private:
  std::string text_;
};

// torch's archive around a pickle: NAME/data.pkl, NAME/byteorder, NAME/data/0, ...
ZipToWrite TorchArchive(const std::string& pickle, const std::vector<std::string>& storages);

// torch's older form around a pickled state dict: a row of pickles, then the storages of these
// keys.
struct LegacyStorage {
  std::string key;
  int64_t count;  // of its elements, as the file says
  std::string content;
};
std::string LegacyTorchFile(const std::string& state_dict,
                            const std::vector<LegacyStorage>& storages);

std::string ReadWholeFile(const std::string& path);

// The elements of a tensor as they are stored, in row-major order.
absl::StatusOr<std::string> BytesOf(const ByteSource& source, const TensorLayout& layout);
std::string BytesOf(const StoredTensor& stored);

// "CODE reason file tensor" of an error, or "OK": one line to compare.
std::string Describe(const absl::Status& status);

}  // namespace attend
