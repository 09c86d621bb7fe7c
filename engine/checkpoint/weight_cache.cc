// The writer streams: blobs follow a prefix that is filled in at the end, when the index is known.
#include "engine/checkpoint/weight_cache.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/check.h"
#include "engine/base/status_macros.h"
#include "engine/checkpoint/checkpoint_error.h"
#include "engine/checkpoint/digest.h"
#include "engine/checkpoint/stored_file.h"
#include "engine/checkpoint/unfinished_file.h"

namespace attend {
namespace {

absl::Span<const uint8_t> AsUnsigned(absl::Span<const std::byte> bytes) {
  return {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()};
}

absl::Span<const uint8_t> AsUnsigned(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

}  // namespace

absl::StatusOr<std::shared_ptr<const WeightCacheFile>> WeightCacheFile::Open(
    const std::string& path, const std::string& key) {
  ATTEND_ASSIGN_OR_RETURN(const std::unique_ptr<StoredFile> file, StoredFile::OpenOwn(path));
  ATTEND_ASSIGN_OR_RETURN(std::vector<WeightCacheBlob> blobs, ReadWeightCacheIndex(*file, key));
  // Shared: one copy in memory for all processes, which the system may drop and read again.
  void* map = ::mmap(nullptr, file->size(), PROT_READ, MAP_SHARED, file->descriptor(), 0);
  if (map == MAP_FAILED) {
    const absl::Status error =
        absl::ResourceExhaustedError(absl::StrCat("cannot be mapped: ", std::strerror(errno)));
    return FailedAt({file->name(), ""}, error);
  }
  // Only a hint: without it every first touch of a page would wait for the disk.
  ::madvise(map, file->size(), MADV_WILLNEED);
  return std::shared_ptr<const WeightCacheFile>(
      new WeightCacheFile(*file, static_cast<const std::byte*>(map), std::move(blobs)));
}

WeightCacheFile::WeightCacheFile(const StoredFile& file, const std::byte* map,
                                 std::vector<WeightCacheBlob> blobs)
    : path_(file.path()),
      name_(file.name()),
      map_(map),
      size_(file.size()),
      blobs_(std::move(blobs)) {
  for (size_t i = 0; i < blobs_.size(); ++i) index_of_.emplace(blobs_[i].name, i);
}

WeightCacheFile::~WeightCacheFile() { ::munmap(const_cast<std::byte*>(map_), size_); }

absl::Span<const std::byte> WeightCacheFile::SpanOf(const WeightCacheBlob& blob) const {
  return {map_ + blob.offset, static_cast<size_t>(blob.size)};
}

absl::Span<const std::byte> WeightCacheFile::Find(std::string_view name) const {
  const auto found = index_of_.find(name);
  if (found == index_of_.end()) return {};
  return SpanOf(blobs_[found->second]);
}

std::vector<std::string> WeightCacheFile::names() const {
  std::vector<std::string> names;
  for (const WeightCacheBlob& blob : blobs_) names.push_back(blob.name);
  return names;
}

absl::Status WeightCacheFile::Verify() const {
  for (const WeightCacheBlob& blob : blobs_) {
    ATTEND_ASSIGN_OR_RETURN(const uint64_t checksum, Checksum({AsUnsigned(SpanOf(blob))}));
    if (checksum != blob.checksum) {
      return CorruptCheckpoint({name_, blob.name},
                               "its bytes do not have the checksum that the index says");
    }
  }
  return absl::OkStatus();
}

WeightCacheWriter::WeightCacheWriter(std::unique_ptr<UnfinishedFile> file, std::string key)
    : file_(std::move(file)), key_(std::move(key)) {}

WeightCacheWriter::~WeightCacheWriter() = default;

absl::StatusOr<std::unique_ptr<WeightCacheWriter>> WeightCacheWriter::Create(
    const std::string& path, const std::string& key) {
  ATTEND_CHECK(key.size() <= kMaxWeightCacheNameBytes, "a key of a few words");
  ATTEND_ASSIGN_OR_RETURN(std::unique_ptr<UnfinishedFile> file, UnfinishedFile::Create(path));
  const std::string prefix(kWeightCachePrefixBytes, '\0');
  ATTEND_RETURN_IF_ERROR(file->Append(AsUnsigned(prefix)));
  return std::unique_ptr<WeightCacheWriter>(new WeightCacheWriter(std::move(file), key));
}

absl::Status WeightCacheWriter::Add(std::string_view name, absl::Span<const std::byte> bytes) {
  ATTEND_CHECK(!name.empty() && name.size() <= kMaxWeightCacheNameBytes, "a name of a few words");
  ATTEND_CHECK(!bytes.empty(), "an empty blob looks like one that is missing");
  ATTEND_CHECK(std::none_of(blobs_.begin(), blobs_.end(),
                            [name](const WeightCacheBlob& blob) { return blob.name == name; }),
               "a name is added once");
  if (status_.ok()) status_ = Write(name, AsUnsigned(bytes));
  return status_;
}

absl::Status WeightCacheWriter::Write(std::string_view name, absl::Span<const uint8_t> bytes) {
  ATTEND_ASSIGN_OR_RETURN(const uint64_t checksum, Checksum({bytes}));
  ATTEND_RETURN_IF_ERROR(PadToAlignment());
  blobs_.push_back({std::string(name), file_->size(), bytes.size(), checksum});
  return file_->Append(bytes);
}

absl::Status WeightCacheWriter::PadToAlignment() {
  const uint64_t beyond = file_->size() % kWeightCacheAlignment;
  if (beyond == 0) return absl::OkStatus();
  return file_->Append(AsUnsigned(std::string(kWeightCacheAlignment - beyond, '\0')));
}

absl::Status WeightCacheWriter::WriteFrame() {
  ATTEND_RETURN_IF_ERROR(PadToAlignment());
  ATTEND_ASSIGN_OR_RETURN(const WeightCacheFrame frame,
                          FrameWeightCache(key_, blobs_, file_->size()));
  ATTEND_RETURN_IF_ERROR(file_->Append(AsUnsigned(frame.index)));
  return file_->Overwrite(0, AsUnsigned(frame.prefix));
}

absl::Status WeightCacheWriter::Commit() {
  if (status_.ok()) status_ = WriteFrame();
  if (status_.ok()) status_ = file_->Commit();
  return status_;
}

const std::string& WeightCacheWriter::path() const { return file_->path(); }
uint64_t WeightCacheWriter::bytes() const { return file_->size(); }

}  // namespace attend
