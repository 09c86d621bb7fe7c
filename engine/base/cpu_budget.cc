// /proc/self/cgroup says in which group of each hierarchy the process is, /proc/self/mountinfo
// where the hierarchies are mounted and from which group on; together they give a folder. Version 2
// keeps its limit in cpu.max, version 1 in cpu.cfs_quota_us and cpu.cfs_period_us.
#include "engine/base/cpu_budget.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace attend {
namespace {

// Of a file in /proc or /sys; a machine with many mounts has some 100 KiB of them.
constexpr std::streamsize kMostBytes = std::streamsize{1} << 22;

std::optional<std::string> ReadText(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::string text(4096, '\0');
  std::string out;
  while (static_cast<std::streamsize>(out.size()) < kMostBytes &&
         (file.read(text.data(), static_cast<std::streamsize>(text.size())) || file.gcount() > 0)) {
    out.append(text, 0, static_cast<size_t>(file.gcount()));
  }
  if (file.bad() || (out.empty() && !file.eof())) return std::nullopt;
  return out;
}

// The group that the process is in, in one hierarchy.
struct Membership {
  bool version2 = false;
  std::string path;  // "/system.slice/attend.service", as seen from the hierarchy's root
};

// Lines "4:cpu,cpuacct:/path" and, for version 2, "0::/path".
std::vector<Membership> ParseMemberships(absl::string_view text) {
  std::vector<Membership> out;
  for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const std::vector<absl::string_view> fields = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (fields.size() != 3 || fields[2].empty() || fields[2][0] != '/') continue;
    const std::vector<absl::string_view> controllers = absl::StrSplit(fields[1], ',');
    const bool version2 = fields[0] == "0" && fields[1].empty();
    if (version2 || std::find(controllers.begin(), controllers.end(), "cpu") != controllers.end())
      out.push_back({version2, std::string(fields[2])});
  }
  return out;
}

// Where one hierarchy is mounted.
struct Mount {
  bool version2 = false;
  std::string root;  // the group that is seen at `folder`
  std::string folder;
};

// mountinfo writes blanks, tabs, newlines and backslashes as \ooo.
std::string Unescape(absl::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto octal = [&](size_t at) { return text[at] >= '0' && text[at] <= '7'; };
    if (text[i] == '\\' && i + 3 < text.size() && octal(i + 1) && octal(i + 2) && octal(i + 3)) {
      out += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
                               (text[i + 3] - '0'));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

// "36 35 98:0 /root /mount/point options optional... - type source super,options"
std::vector<Mount> ParseMounts(absl::string_view text) {
  std::vector<Mount> out;
  for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const std::vector<absl::string_view> fields = absl::StrSplit(line, ' ');
    const auto dash = std::find(fields.begin(), fields.end(), "-");
    if (dash - fields.begin() < 6 || fields.end() - dash < 4) continue;
    const bool version2 = dash[1] == "cgroup2";
    if (!version2) {
      const std::vector<absl::string_view> options = absl::StrSplit(dash[3], ',');
      if (dash[1] != "cgroup" || std::find(options.begin(), options.end(), "cpu") == options.end())
        continue;
    }
    out.push_back({version2, Unescape(fields[3]), Unescape(fields[4])});
  }
  return out;
}

// The group's path below the mount, "" for the mount itself. A group that the mount does not show
// (a container that sees the host's names) is taken for the mount itself.
std::string PathBelow(const Mount& mount, const std::string& group) {
  absl::string_view rest = group;
  if (mount.root != "/") {
    if (!absl::ConsumePrefix(&rest, mount.root) || !(rest.empty() || rest[0] == '/')) return "";
  }
  const std::vector<std::string> parts = absl::StrSplit(rest, '/', absl::SkipEmpty());
  if (std::find(parts.begin(), parts.end(), "..") != parts.end()) return "";
  return parts.empty() ? "" : absl::StrCat("/", absl::StrJoin(parts, "/"));
}

class QuotaReader {
 public:
  QuotaReader(const std::string& root, CpuBudget* budget) : root_(root), budget_(budget) {}

  // The limits of a group and of all above it.
  void ReadUpwards(const Mount& mount, std::string path) {
    while (true) {
      const std::string folder = absl::StrCat(mount.folder, path);
      mount.version2 ? ReadVersion2(folder) : ReadVersion1(folder);
      if (path.empty()) return;
      path.erase(path.rfind('/'));
    }
  }

 private:
  void ReadVersion2(const std::string& folder) {
    const std::string file = folder + "/cpu.max";
    const auto text = Read(file);
    if (!text) return;  // the root has none, nor has a group without this controller
    const std::vector<std::string> words = Words(*text);
    if (words.size() == 2 && words[0] == "max") return;
    if (words.size() != 2) return Note(file, *text, "a quota and a period");
    Take(file, words[0], words[1]);
  }

  void ReadVersion1(const std::string& folder) {
    const std::string file = folder + "/cpu.cfs_quota_us";
    const auto quota = Read(file);
    const auto period = Read(folder + "/cpu.cfs_period_us");
    if (!quota || !period) return;
    const std::vector<std::string> words = Words(*quota);
    if (words.size() == 1 && words[0] == "-1") return;
    Take(file, std::string(absl::StripAsciiWhitespace(*quota)),
         std::string(absl::StripAsciiWhitespace(*period)));
  }

  // Nothing when there is no such file, which is no surprise, or none that can be read, which is.
  std::optional<std::string> Read(const std::string& file) {
    auto text = ReadText(root_ + file);
    std::error_code ignored;
    if (!text && std::filesystem::exists(root_ + file, ignored))
      budget_->notes.push_back(absl::StrCat(file, ": cannot be read"));
    return text;
  }

  static std::vector<std::string> Words(const std::string& text) {
    return absl::StrSplit(text, absl::ByAnyChar(" \t\r\n"), absl::SkipEmpty());
  }

  // Both in microseconds.
  void Take(const std::string& file, const std::string& quota, const std::string& period) {
    int64_t time = 0, of = 0;
    if (!absl::SimpleAtoi(quota, &time) || !absl::SimpleAtoi(period, &of) || time <= 0 || of <= 0)
      return Note(file, absl::StrCat(quota, " of ", period), "two numbers above zero");
    const double cpus = static_cast<double>(time) / static_cast<double>(of);
    if (budget_->quota > 0 && budget_->quota <= cpus) return;
    budget_->quota = cpus;
    budget_->quota_file = file;
  }

  void Note(const std::string& file, const std::string& found, const char* expected) {
    budget_->notes.push_back(absl::StrCat(file, ": expected ", expected, ", found '",
                                          absl::StripAsciiWhitespace(found.substr(0, 80)), "'"));
  }

  const std::string root_;
  CpuBudget* const budget_;
};

// The kernel refuses masks shorter than its own; there is no call that tells its length.
int AffinityCount() {
  for (int cpus = 1024; cpus <= 1 << 20; cpus *= 2) {
    const std::unique_ptr<cpu_set_t, void (*)(cpu_set_t*)> mask(
        CPU_ALLOC(cpus), [](cpu_set_t* set) { CPU_FREE(set); });
    if (mask == nullptr) break;
    const size_t bytes = CPU_ALLOC_SIZE(cpus);
    if (::sched_getaffinity(0, bytes, mask.get()) == 0) return CPU_COUNT_S(bytes, mask.get());
  }
  return static_cast<int>(std::thread::hardware_concurrency());
}

}  // namespace

CpuBudget ReadCpuBudget(int affinity, const std::string& root) {
  CpuBudget budget;
  budget.affinity = std::max(1, affinity);
  const auto groups = ReadText(root + "/proc/self/cgroup");
  const auto mounts = ReadText(root + "/proc/self/mountinfo");
  if (groups && mounts) {
    QuotaReader reader(root, &budget);
    for (const Membership& group : ParseMemberships(*groups)) {
      for (const Mount& mount : ParseMounts(*mounts)) {
        if (mount.version2 == group.version2)
          reader.ReadUpwards(mount, PathBelow(mount, group.path));
      }
    }
  }
  budget.num_cpus = budget.affinity;
  if (budget.quota > 0) {
    budget.num_cpus = static_cast<int>(std::min<double>(budget.affinity, std::ceil(budget.quota)));
  }
  return budget;
}

const CpuBudget& ProcessCpuBudget() {
  static const auto* const budget = new CpuBudget(ReadCpuBudget(AffinityCount(), ""));
  return *budget;
}

std::string DescribeLimits(const CpuBudget& budget) {
  if (budget.quota <= 0) return absl::StrCat("affinity ", budget.affinity, ", no quota");
  const size_t slash = budget.quota_file.rfind('/');
  return absl::StrCat("affinity ", budget.affinity, ", ",
                      budget.quota_file.substr(slash == std::string::npos ? 0 : slash + 1), " ",
                      budget.quota);
}

}  // namespace attend
