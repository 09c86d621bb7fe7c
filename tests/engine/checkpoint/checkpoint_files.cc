// Formats are written from their specifications, with no thought for speed.
#include "tests/engine/checkpoint/checkpoint_files.h"

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "engine/base/check.h"
#include "engine/base/error.h"

namespace attend {

std::string LittleEndian(uint64_t number, int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out.push_back(static_cast<char>(number >> (8 * i)));
  return out;
}

std::string Floats(const std::vector<float>& values) {
  std::string out;
  for (float value : values) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof(bits));
    out += LittleEndian(bits, 4);
  }
  return out;
}

absl::Span<const uint8_t> AsBytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

std::string WithBytes(std::string text, size_t offset, std::string_view replacement) {
  ATTEND_CHECK(offset + replacement.size() <= text.size(), "the replacement lies within the text");
  return text.replace(offset, replacement.size(), replacement);
}

std::string SafetensorsFile(std::string_view header, std::string_view content) {
  return LittleEndian(header.size(), 8) + std::string(header) + std::string(content);
}

std::string SafetensorsFile(const std::vector<TensorToWrite>& tensors) {
  std::string header = "{", content;
  for (const TensorToWrite& tensor : tensors) {
    const size_t begin = content.size();
    content += tensor.bytes;
    absl::StrAppend(&header, header.size() > 1 ? "," : "", "\"", tensor.name, "\":{\"dtype\":\"",
                    tensor.type, "\",\"shape\":", tensor.shape, ",\"data_offsets\":[", begin, ",",
                    content.size(), "]}");
  }
  return SafetensorsFile(header + "}", content);
}

ZipLayout WriteZip(const ZipToWrite& zip) {
  ZipLayout layout;
  std::string& out = layout.bytes;
  std::string directory;
  for (const ZipMemberToWrite& member : zip.members) {
    const size_t offset = out.size(), size = member.content.size();
    layout.offsets.push_back(offset);
    const std::string head = LittleEndian(45, 2) + LittleEndian(member.flags, 2) +
                             LittleEndian(member.method, 2) +
                             LittleEndian(0, 8);  // time, date, CRC
    const std::string narrow =
        zip.is_zip64 ? std::string(8, '\xff') : LittleEndian(size, 4) + LittleEndian(size, 4);
    const std::string sizes = LittleEndian(size, 8) + LittleEndian(size, 8);
    const std::string local_extra =
        zip.is_zip64 ? LittleEndian(1, 2) + LittleEndian(16, 2) + sizes : "";
    const std::string extra = zip.is_zip64 ? LittleEndian(0x4246, 2) + LittleEndian(2, 2) + "ZZ" +
                                                 LittleEndian(1, 2) + LittleEndian(24, 2) + sizes +
                                                 LittleEndian(offset, 8)
                                           : "";
    out += "PK\x03\x04" + head + narrow + LittleEndian(member.name.size(), 2) +
           LittleEndian(local_extra.size(), 2) + member.name + local_extra + member.content;
    directory += "PK\x01\x02" + LittleEndian(45, 2) + head + narrow +
                 LittleEndian(member.name.size(), 2) + LittleEndian(extra.size(), 2) +
                 LittleEndian(0, 2) + LittleEndian(0, 2) + LittleEndian(0, 2) + LittleEndian(0, 4) +
                 (zip.is_zip64 ? std::string(4, '\xff') : LittleEndian(offset, 4)) + member.name +
                 extra;
  }
  layout.directory = out.size();
  out += directory;
  const size_t count = zip.members.size();
  if (zip.is_zip64 || zip.has_end64) {
    const size_t end64 = out.size();
    out += "PK\x06\x06" + LittleEndian(44, 8) + LittleEndian(45, 2) + LittleEndian(45, 2) +
           LittleEndian(0, 8) + LittleEndian(count, 8) + LittleEndian(count, 8) +
           LittleEndian(directory.size(), 8) + LittleEndian(layout.directory, 8);
    out += "PK\x06\x07" + LittleEndian(0, 4) + LittleEndian(end64, 8) + LittleEndian(1, 4);
  }
  layout.end = out.size();
  const bool is_saturated = zip.is_zip64;
  out += "PK\x05\x06" + LittleEndian(0, 4) + LittleEndian(is_saturated ? 0xffff : count, 2) +
         LittleEndian(is_saturated ? 0xffff : count, 2) +
         LittleEndian(is_saturated ? 0xffffffff : directory.size(), 4) +
         LittleEndian(is_saturated ? 0xffffffff : layout.directory, 4) +
         LittleEndian(zip.comment.size(), 2) + zip.comment;
  return layout;
}

PickleWriter& PickleWriter::Raw(std::string_view bytes) {
  text_ += bytes;
  return *this;
}

PickleWriter& PickleWriter::Global(std::string_view module, std::string_view name) {
  absl::StrAppend(&text_, "c", std::string(module), "\n", std::string(name), "\n");
  return *this;
}

PickleWriter& PickleWriter::String(std::string_view value) {
  text_ += "X" + LittleEndian(value.size(), 4) + std::string(value);
  return *this;
}

PickleWriter& PickleWriter::Int(int64_t value) {
  text_ += "\x8a\x08" + LittleEndian(static_cast<uint64_t>(value), 8);
  return *this;
}

PickleWriter& PickleWriter::Ints(const std::vector<int64_t>& values) {
  text_ += "(";
  for (int64_t value : values) Int(value);
  text_ += "t";
  return *this;
}

PickleWriter& PickleWriter::Rebuild(const Tensor& tensor) {
  Global("torch._utils", "_rebuild_tensor_v2")
      .Raw("((")
      .String("storage")
      .Global("torch", tensor.storage_type);
  String(tensor.key).String("cpu").Int(tensor.elements);
  Raw(tensor.is_legacy ? "NtQ" : "tQ").Int(tensor.offset);
  Ints(tensor.shape)
      .Ints(tensor.strides)
      .Raw("\x89")
      .Global("collections", "OrderedDict")
      .Raw(")RtR");
  return *this;
}

std::string PickleWriter::StateDict(std::string_view name, const Tensor& tensor) {
  return PickleWriter().Raw("}").String(name).Rebuild(tensor).Raw("s").Stop();
}

ZipToWrite TorchArchive(const std::string& pickle, const std::vector<std::string>& storages) {
  ZipToWrite zip;
  zip.has_end64 = true;
  zip.members.push_back({"archive/data.pkl", pickle, 0, 0});
  zip.members.push_back({"archive/byteorder", "little", 0, 0});
  for (size_t i = 0; i < storages.size(); ++i) {
    zip.members.push_back({absl::StrCat("archive/data/", i), storages[i], 0, 0});
  }
  zip.members.push_back({"archive/version", "3\n", 0, 0});
  return zip;
}

std::string LegacyTorchFile(const std::string& state_dict,
                            const std::vector<LegacyStorage>& storages) {
  const std::string magic("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15);
  PickleWriter version, system, keys;
  version.Int(1001);
  system.Raw("}q\x01(").String("protocol_version").Int(1001);
  system.String("little_endian").Raw("\x88").String("type_sizes").Raw("}(").String("int").Int(4);
  system.Raw("uu");
  keys.Raw("](");
  for (const LegacyStorage& storage : storages) keys.String(storage.key);
  keys.Raw("e");
  std::string file = magic + version.Stop() + system.Stop() + state_dict + keys.Stop();
  for (const LegacyStorage& storage : storages) {
    file += LittleEndian(static_cast<uint64_t>(storage.count), 8) + storage.content;
  }
  return file;
}

absl::StatusOr<std::string> BytesOf(const ByteSource& source, const TensorLayout& layout) {
  std::string out;
  const absl::Status read =
      ReadElements(source, layout, "", [&out](absl::Span<const uint8_t> bytes) {
        out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      });
  if (!read.ok()) return read;
  return out;
}

std::string BytesOf(const StoredTensor& stored) {
  auto bytes = BytesOf(*stored.source, stored.layout);
  ATTEND_CHECK(bytes.ok(), "a stored tensor can be read");
  return *std::move(bytes);
}

std::string ReadWholeFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  ATTEND_CHECK(file.good(), "the fixture exists");
  std::ostringstream content;
  content << file.rdbuf();
  return content.str();
}

std::string Describe(const absl::Status& status) {
  std::string out = absl::StatusCodeToString(status.code());
  const auto detail = GetErrorDetail(status);
  if (!detail) return out;
  absl::StrAppend(&out, " ", detail->reason);
  for (const auto& [key, value] : detail->metadata) {
    if (key == "file" || key == "tensor") absl::StrAppend(&out, " ", value);
  }
  return out;
}

}  // namespace attend
