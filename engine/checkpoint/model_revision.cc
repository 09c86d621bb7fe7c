// git's index works the same way. The time of change (ctime) is what makes it safe: no program can
// set it, so a file that was altered and given its old time of modification still shows.
#include "engine/checkpoint/model_revision.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "engine/base/status_macros.h"
#include "engine/checkpoint/digest.h"
#include "engine/checkpoint/little_endian.h"
#include "engine/checkpoint/stored_file.h"
#include "engine/checkpoint/unfinished_file.h"

namespace attend {
namespace {

constexpr char kStampName[] = "revision.stamp";
constexpr char kStampHead[] = "attend-revision-1";
constexpr uint64_t kMaxStampBytes = 256;
// The coarsest time stamps of a file system in use (FAT).
constexpr absl::Duration kGranularity = absl::Seconds(2);

struct FolderState {
  std::string fingerprint;  // 64 hexadecimal digits
  absl::Time newest = absl::InfinitePast();
};

// nullopt when a file cannot be examined.
std::optional<FolderState> StateOf(const ModelDirectory& directory) {
  FolderState state;
  Sha256 sha;
  for (const std::string& name : directory.RevisionFiles()) {
    struct stat file = {};
    if (::stat(directory.PathOf(name).c_str(), &file) != 0) return std::nullopt;
    sha.Update(name.c_str(), name.size() + 1);
    for (const int64_t number :
         {static_cast<int64_t>(file.st_size), static_cast<int64_t>(file.st_mtim.tv_sec),
          static_cast<int64_t>(file.st_mtim.tv_nsec), static_cast<int64_t>(file.st_ctim.tv_sec),
          static_cast<int64_t>(file.st_ctim.tv_nsec), static_cast<int64_t>(file.st_ino),
          static_cast<int64_t>(file.st_dev)}) {
      uint8_t bytes[8];
      StoreU64(static_cast<uint64_t>(number), bytes);
      sha.Update(bytes, sizeof(bytes));
    }
    state.newest = std::max(
        {state.newest, absl::TimeFromTimespec(file.st_mtim), absl::TimeFromTimespec(file.st_ctim)});
  }
  const auto digest = sha.Finish();
  if (!digest.ok()) return std::nullopt;
  state.fingerprint = HexOf(*digest);
  return state;
}

// One line: head, fingerprint, revision, and a digest of these three.
std::string StampOf(const std::string& fingerprint, const std::string& revision) {
  const std::string text = absl::StrCat(kStampHead, " ", fingerprint, " ", revision);
  Sha256 sha;
  sha.Update(text.data(), text.size());
  const auto digest = sha.Finish();
  return digest.ok() ? absl::StrCat(text, " ", HexOf(*digest, 16), "\n") : "";
}

// The revision in a stamp; empty when it is for another state, damaged, or not ours to trust.
std::string RevisionIn(const std::string& path, const std::string& fingerprint) {
  const auto file = StoredFile::OpenOwn(path);
  if (!file.ok() || (*file)->size() > kMaxStampBytes) return "";
  const auto stamp = (*file)->ReadString(0, (*file)->size());
  if (!stamp.ok()) return "";
  const std::vector<std::string> words = absl::StrSplit(*stamp, ' ');
  if (words.size() != 4 || words[1] != fingerprint || words[2].size() != 16) return "";
  return *stamp == StampOf(fingerprint, words[2]) ? words[2] : "";
}

absl::Status WriteStamp(const CacheFolder& cache, const std::string& stamp) {
  ATTEND_ASSIGN_OR_RETURN(const std::string path, cache.PathForWriting(kStampName));
  ATTEND_ASSIGN_OR_RETURN(const std::unique_ptr<UnfinishedFile> file, UnfinishedFile::Create(path));
  ATTEND_RETURN_IF_ERROR(
      file->Append({reinterpret_cast<const uint8_t*>(stamp.data()), stamp.size()}));
  return file->Commit();
}

}  // namespace

absl::StatusOr<ModelRevision> RevisionOf(const ModelDirectory& directory, const CacheFolder& cache,
                                         absl::Time now) {
  ModelRevision revision;
  const std::optional<FolderState> before = cache.is_off() ? std::nullopt : StateOf(directory);
  if (before.has_value()) {
    for (const std::string& path : cache.Find(kStampName)) {
      revision.id = RevisionIn(path, before->fingerprint);
      revision.is_from_stamp = !revision.id.empty();
      if (revision.is_from_stamp) return revision;
    }
  }
  ATTEND_ASSIGN_OR_RETURN(revision.id, directory.ComputeRevision());
  if (!before.has_value() || before->newest + kGranularity > now) return revision;
  const std::optional<FolderState> after = StateOf(directory);
  if (!after.has_value() || after->fingerprint != before->fingerprint) return revision;
  const std::string stamp = StampOf(before->fingerprint, revision.id);
  if (!stamp.empty()) WriteStamp(cache, stamp).IgnoreError();
  return revision;
}

}  // namespace attend
