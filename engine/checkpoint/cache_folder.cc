// A shared folder has a sub-folder for each model folder, told apart by the digest of its path:
// removing what is outdated for one model must not touch another's.
#include "engine/checkpoint/cache_folder.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/checkpoint/digest.h"

namespace attend {
namespace {

namespace fs = std::filesystem;

constexpr char kInModelFolder[] = ".attend";
constexpr size_t kMaxBaseName = 64;

// "opus-mt-en-fr-1a2b3c4d5e6f7a8b"; empty when no digest can be had.
std::string SubFolderOf(const std::string& model_folder) {
  std::error_code error;
  fs::path path = fs::weakly_canonical(model_folder, error);
  if (error) path = fs::absolute(model_folder, error).lexically_normal();
  std::string text = path.string();
  while (text.size() > 1 && text.back() == '/') text.pop_back();
  Sha256 sha;
  sha.Update(text.data(), text.size());
  const auto digest = sha.Finish();
  if (!digest.ok()) return "";
  std::string name = text.substr(text.rfind('/') + 1, kMaxBaseName);
  for (char& c : name) {
    const bool is_plain =
        absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.';
    if (!is_plain) c = '_';
  }
  return absl::StrCat(name, "-", HexOf(*digest, 16));
}

// Makes a folder and those above it. The error, or 0.
int MakeFolders(const std::string& path) {
  if (::mkdir(path.c_str(), 0755) == 0 || errno == EEXIST) return 0;
  if (errno != ENOENT) return errno;
  const std::string above = fs::path(path).parent_path().string();
  if (above.empty() || above == path) return ENOENT;
  const int error = MakeFolders(above);
  if (error != 0) return error;
  return ::mkdir(path.c_str(), 0755) == 0 || errno == EEXIST ? 0 : errno;
}

int WhyNotWritable(const std::string& folder) {
  const int error = MakeFolders(folder);
  if (error != 0) return error;
  // eaccess asks for the user that will write; a file in the folder's place is no folder.
  struct stat attributes = {};
  if (::stat(folder.c_str(), &attributes) != 0) return errno;
  if (!S_ISDIR(attributes.st_mode)) return ENOTDIR;
  return ::eaccess(folder.c_str(), W_OK | X_OK) == 0 ? 0 : errno;
}

}  // namespace

CacheFolder::CacheFolder(const CacheChoice& choice, const std::string& model_folder) {
  if (choice.in_model_folder)
    folders_.push_back((fs::path(model_folder) / kInModelFolder).string());
  if (choice.shared_folder.empty()) return;
  const std::string sub_folder = SubFolderOf(model_folder);
  if (!sub_folder.empty())
    folders_.push_back((fs::path(choice.shared_folder) / sub_folder).string());
}

std::vector<std::string> CacheFolder::Find(std::string_view name) const {
  std::vector<std::string> found;
  for (const std::string& folder : folders_) {
    std::string path = absl::StrCat(folder, "/", std::string(name));
    struct stat attributes = {};
    if (::lstat(path.c_str(), &attributes) == 0) found.push_back(std::move(path));
  }
  return found;
}

absl::StatusOr<std::string> CacheFolder::PathForWriting(std::string_view name) const {
  if (is_off()) return absl::FailedPreconditionError("the cache is off");
  std::vector<std::string> reasons;
  for (const std::string& folder : folders_) {
    const int error = WhyNotWritable(folder);
    if (error == 0) return absl::StrCat(folder, "/", std::string(name));
    reasons.push_back(absl::StrCat(folder, ": ", std::strerror(error)));
  }
  return absl::FailedPreconditionError(absl::StrJoin(reasons, "; "));
}

}  // namespace attend
