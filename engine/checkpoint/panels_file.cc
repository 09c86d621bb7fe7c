// The name tells an operator what a file is and this program which are left over; the key inside
// the file is what is believed.
#include "engine/checkpoint/panels_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <ctime>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "engine/base/check.h"
#include "engine/checkpoint/unfinished_file.h"

namespace attend {
namespace {

constexpr char kEnding[] = ".panels";
constexpr size_t kRevisionDigits = 16;
// A file that nobody has written to for so long is not being written.
constexpr int64_t kAbandonedSeconds = 3600;

void AddReason(const std::string& reason, std::string* why) {
  absl::StrAppend(why, why->empty() ? "" : "; ", reason);
}

bool IsPlainWord(std::string_view text) {
  for (const char c : text) {
    if (!absl::ascii_islower(static_cast<unsigned char>(c)) &&
        !absl::ascii_isdigit(static_cast<unsigned char>(c))) {
      return false;
    }
  }
  return true;
}

bool IsRevision(std::string_view text) {
  return text.size() == kRevisionDigits &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// The id whose FileName is `name`; nullopt for names that are not ours.
std::optional<PanelsId> ParseName(std::string_view name) {
  if (!absl::EndsWith(std::string(name), kEnding)) return std::nullopt;
  name.remove_suffix(sizeof(kEnding) - 1);
  const std::vector<std::string> words = absl::StrSplit(std::string(name), '-');
  if (words.size() != 3 && words.size() != 4) return std::nullopt;
  PanelsId id;
  id.revision = words[0];
  const std::optional<ComputeType> type = ParseComputeType(words[1]);
  if (!IsRevision(id.revision) || !type.has_value()) return std::nullopt;
  if (!absl::SimpleAtoi(words[2], &id.format) || absl::StrCat(id.format) != words[2])
    return std::nullopt;
  id.compute_type = *type;
  if (words.size() == 3) return id;
  id.variant = words[3];
  if (id.variant.empty() || !IsPlainWord(id.variant)) return std::nullopt;
  return id;
}

bool IsAbandoned(const std::string& path) {
  struct stat file = {};
  return ::lstat(path.c_str(), &file) == 0 && S_ISREG(file.st_mode) &&
         file.st_mtim.tv_sec + kAbandonedSeconds < std::time(nullptr);
}

// What cannot be removed stays until the next time.
void RemoveOutdated(const std::string& folder, const PanelsId& current) {
  std::error_code error;
  std::filesystem::directory_iterator entry(folder, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string path = entry->path().string(), name = entry->path().filename().string();
    if (IsOutdated(name, current) || (IsUnfinishedName(name) && IsAbandoned(path)))
      ::unlink(path.c_str());
  }
}

}  // namespace

std::string PanelsId::FileName() const {
  ATTEND_CHECK(IsRevision(revision) && format >= 0 && IsPlainWord(variant), "a name of our form");
  return absl::StrCat(revision, "-", Name(compute_type), "-", format, variant.empty() ? "" : "-",
                      variant, kEnding);
}

std::string PanelsId::Key() const { return FileName(); }

std::shared_ptr<const WeightCacheFile> OpenPanels(const CacheFolder& cache, const PanelsId& id,
                                                  WeightCacheReport* report) {
  for (const std::string& path : cache.Find(id.FileName())) {
    auto file = WeightCacheFile::Open(path, id.Key());
    if (!file.ok()) {
      AddReason(absl::StrCat(path, " is not used: ", std::string(file.status().message())),
                &report->why);
      continue;
    }
    report->use = WeightCacheReport::Use::kRead;
    report->file = path;
    report->bytes = static_cast<int64_t>((*file)->bytes());
    return *std::move(file);
  }
  return nullptr;
}

std::unique_ptr<WeightCacheWriter> StartPanels(const CacheFolder& cache, const PanelsId& id,
                                               WeightCacheReport* report) {
  const absl::StatusOr<std::string> path = cache.PathForWriting(id.FileName());
  if (!path.ok()) {
    AddReason(std::string(path.status().message()), &report->why);
    return nullptr;
  }
  auto writer = WeightCacheWriter::Create(*path, id.Key());
  if (!writer.ok()) {
    AddReason(std::string(writer.status().message()), &report->why);
    return nullptr;
  }
  return *std::move(writer);
}

void FinishPanels(std::unique_ptr<WeightCacheWriter> writer, const PanelsId& id,
                  WeightCacheReport* report) {
  const absl::Status committed = writer->Commit();
  if (!committed.ok()) {
    AddReason(std::string(committed.message()), &report->why);
    return;
  }
  report->use = WeightCacheReport::Use::kWritten;
  report->file = writer->path();
  report->bytes = static_cast<int64_t>(writer->bytes());
  RemoveOutdated(std::filesystem::path(writer->path()).parent_path().string(), id);
}

bool IsOutdated(std::string_view file_name, const PanelsId& current) {
  const std::optional<PanelsId> id = ParseName(file_name);
  if (!id.has_value()) return false;
  return id->revision != current.revision ||
         (id->compute_type == current.compute_type && id->format != current.format);
}

}  // namespace attend
