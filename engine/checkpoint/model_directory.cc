// Lists a folder once, at opening, and never looks anywhere else: names with a path in them do not
// exist here. The revision is a plain streaming digest, so that anybody can check it with a few
// lines of script.
#include "engine/checkpoint/model_directory.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "engine/base/error.h"
#include "engine/base/status_macros.h"
#include "engine/checkpoint/checkpoint_error.h"
#include "engine/checkpoint/digest.h"
#include "engine/checkpoint/little_endian.h"
#include "engine/checkpoint/stored_file.h"

namespace attend {
namespace {

constexpr size_t kMaxFiles = 10000;

absl::Status FolderError(absl::StatusCode code, const std::string& path, std::string_view what) {
  ErrorDetail detail;
  detail.reason = code == absl::StatusCode::kNotFound ? "CHECKPOINT_FILE_MISSING"
                                                      : "CHECKPOINT_FILE_UNREADABLE";
  detail.resource_type = "file";
  detail.resource_name = path;
  detail.metadata.emplace_back("file", path);
  return MakeError(code, absl::StrCat(path, ": ", std::string(what)), std::move(detail));
}

bool DecidesWhatTheModelComputes(std::string_view name) {
  for (const char* ending : {".safetensors", ".bin", ".json", ".spm", ".model", ".txt"}) {
    if (absl::EndsWith(std::string(name), ending)) return true;
  }
  return false;
}

}  // namespace

absl::StatusOr<ModelDirectory> ModelDirectory::Open(const std::string& path) {
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) {
    return FolderError(absl::StatusCode::kNotFound, path, "no such model folder");
  }
  if (!std::filesystem::is_directory(status)) {
    return FolderError(absl::StatusCode::kFailedPrecondition, path, "not a folder");
  }
  ModelDirectory directory;
  directory.path_ = path;
  std::filesystem::directory_iterator entry(path, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    std::error_code ignored;  // a link to nothing is as good as absent
    if (!std::filesystem::is_regular_file(entry->path(), ignored)) continue;
    if (directory.files_.size() >= kMaxFiles) {
      return FolderError(absl::StatusCode::kFailedPrecondition, path,
                         absl::StrCat("holds more than ", kMaxFiles, " files"));
    }
    directory.files_.push_back(entry->path().filename().string());
  }
  if (error) {
    return FolderError(absl::StatusCode::kFailedPrecondition, path,
                       absl::StrCat("cannot be listed: ", error.message()));
  }
  std::sort(directory.files_.begin(), directory.files_.end());
  ATTEND_ASSIGN_OR_RETURN(directory.config_, directory.ReadJson("config.json"));
  ATTEND_RETURN_IF_ERROR(directory.config_.RequireObject());
  return directory;
}

bool ModelDirectory::Has(std::string_view name) const {
  const auto found = std::lower_bound(files_.begin(), files_.end(), name);
  return found != files_.end() && *found == name;
}

std::string ModelDirectory::PathOf(std::string_view name) const {
  return absl::StrCat(path_, absl::EndsWith(path_, "/") ? "" : "/", std::string(name));
}

absl::StatusOr<Json> ModelDirectory::ReadJson(std::string_view name, uint64_t max_bytes) const {
  if (!IsPlainFileName(name) || !Has(name)) {
    return FolderError(absl::StatusCode::kNotFound, path_,
                       absl::StrCat("has no file '", Printable(name), "'"));
  }
  return Json::ReadFile(PathOf(name), max_bytes);
}

std::vector<std::string> ModelDirectory::RevisionFiles() const {
  std::vector<std::string> names;
  std::copy_if(files_.begin(), files_.end(), std::back_inserter(names),
               [](const std::string& name) { return DecidesWhatTheModelComputes(name); });
  return names;
}

absl::StatusOr<std::string> ModelDirectory::ComputeRevision() const {
  Sha256 digest;
  std::vector<uint8_t> chunk(size_t{1} << 20);
  for (const std::string& name : RevisionFiles()) {
    ATTEND_ASSIGN_OR_RETURN(const std::unique_ptr<StoredFile> file, StoredFile::Open(PathOf(name)));
    // Name with its closing NUL, size as eight little-endian bytes, content: no two folders give
    // the same stream.
    digest.Update(name.c_str(), name.size() + 1);
    const uint64_t size = file->size();
    uint8_t size_bytes[8];
    StoreU64(size, size_bytes);
    digest.Update(size_bytes, sizeof(size_bytes));
    for (uint64_t done = 0; done < size;) {
      const absl::Span<uint8_t> part(chunk.data(), std::min<uint64_t>(chunk.size(), size - done));
      ATTEND_RETURN_IF_ERROR(file->Read(done, part));
      digest.Update(part.data(), part.size());
      done += part.size();
    }
  }
  ATTEND_ASSIGN_OR_RETURN(const Sha256::Digest finished, digest.Finish());
  return HexOf(finished, 16);
}

}  // namespace attend
