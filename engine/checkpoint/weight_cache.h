// Weights in the form in which a model computes with them, kept in a file so that the next start
// need not make them again: named blobs of bytes, mapped as they lie. What the blobs mean is their
// writer's business; everything that they depend on belongs into the key.
//
// The file is mapped, so whoever truncates or rewrites it in place ends the process that uses it
// (SIGBUS), or changes what it computes. Nothing of ours does: a file is replaced by renaming, and
// a removed one lives on as long as it is mapped. That others cannot is what StoredFile::OpenOwn
// asks for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/checkpoint/weight_cache_index.h"

namespace attend {

class StoredFile;
class UnfinishedFile;

// Immutable; may be used from any thread. The spans live as long as it does.
class WeightCacheFile {
 public:
  // Reads and checks the index alone; the blobs are read from the disk ahead of their use, in the
  // background. NOT_FOUND when there is no such file; DATA_LOSS /
  // CHECKPOINT_CORRUPT when it is cut short, longer than it says or its index is damaged;
  // FAILED_PRECONDITION for another key, version or byte order, for what is no regular file and for
  // a file that other users own or may write; RESOURCE_EXHAUSTED when it cannot be mapped.
  static absl::StatusOr<std::shared_ptr<const WeightCacheFile>> Open(const std::string& path,
                                                                     const std::string& key);
  ~WeightCacheFile();
  WeightCacheFile(const WeightCacheFile&) = delete;
  WeightCacheFile& operator=(const WeightCacheFile&) = delete;

  // A blob, at an address that is a multiple of 64; empty when there is none of this name (blobs
  // never are).
  absl::Span<const std::byte> Find(std::string_view name) const;
  // In the order in which they were added.
  std::vector<std::string> names() const;
  const std::string& path() const { return path_; }
  uint64_t bytes() const { return size_; }  // of the whole file

  // Reads every blob and compares checksums; DATA_LOSS / CHECKPOINT_CORRUPT names the first that
  // differs.
  absl::Status Verify() const;

 private:
  WeightCacheFile(const StoredFile& file, const std::byte* map, std::vector<WeightCacheBlob> blobs);
  absl::Span<const std::byte> SpanOf(const WeightCacheBlob& blob) const;

  std::string path_, name_;
  const std::byte* map_;
  uint64_t size_;
  std::vector<WeightCacheBlob> blobs_;
  std::map<std::string_view, size_t, std::less<>> index_of_;  // names are those of blobs_
};

// For one thread. Errors are as in unfinished_file.h; after one, every later call returns it
// again. Without a Commit that succeeds nothing of it stays behind.
class WeightCacheWriter {
 public:
  static absl::StatusOr<std::unique_ptr<WeightCacheWriter>> Create(const std::string& path,
                                                                   const std::string& key);
  ~WeightCacheWriter();
  WeightCacheWriter(const WeightCacheWriter&) = delete;
  WeightCacheWriter& operator=(const WeightCacheWriter&) = delete;

  // Writes the bytes at once. REQUIRES: a new name, at most 4096 bytes long, and at least one byte
  // of content.
  absl::Status Add(std::string_view name, absl::Span<const std::byte> bytes);
  // Brings the file to the disk and gives it its name, in place of one that has it. Once.
  absl::Status Commit();

  const std::string& path() const;
  uint64_t bytes() const;  // written so far

 private:
  WeightCacheWriter(std::unique_ptr<UnfinishedFile> file, std::string key);
  absl::Status Write(std::string_view name, absl::Span<const uint8_t> bytes);
  absl::Status WriteFrame();
  absl::Status PadToAlignment();

  std::unique_ptr<UnfinishedFile> file_;
  std::string key_;
  std::vector<WeightCacheBlob> blobs_;
  absl::Status status_;
};

}  // namespace attend
