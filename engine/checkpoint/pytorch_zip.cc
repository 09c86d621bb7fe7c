// All members lie in one folder, whose name is whatever the file was called when it was saved.
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/checkpoint/checkpoint_error.h"
#include "engine/checkpoint/pytorch_storages.h"

namespace attend {
namespace {

constexpr std::string_view kPickleName = "/data.pkl";
constexpr uint64_t kMaxByteOrderBytes = 64;

absl::StatusOr<std::string> FindFolder(const ZipMembers& members, std::string_view file) {
  std::string folder;
  for (const auto& [name, range] : members) {
    if (!absl::EndsWith(name, std::string(kPickleName))) continue;
    const std::string candidate = name.substr(0, name.size() - kPickleName.size());
    if (!IsPlainFileName(candidate)) continue;
    if (!folder.empty()) return CorruptTensor({file, ""}, "one data.pkl", "two");
    folder = candidate;
  }
  if (folder.empty()) {
    return CorruptTensor({file, ""}, "a data.pkl, as torch.save writes it", "none");
  }
  return folder;
}

absl::Status CheckByteOrder(const ByteSource& source, const ZipMembers& members,
                            const std::string& folder) {
  const auto found = members.find(folder + "/byteorder");
  if (found == members.end()) return absl::OkStatus();  // torch before 2.1 wrote none
  const ByteRange& range = found->second;
  ATTEND_ASSIGN_OR_RETURN(const std::string order,
                          source.ReadString(range.begin, std::min(range.size, kMaxByteOrderBytes)));
  if (order == "little") return absl::OkStatus();
  return UnsupportedCheckpoint(
      {source.name(), ""},
      absl::StrCat("expected byte order little, found '", Printable(order), "'"));
}

}  // namespace

absl::StatusOr<PytorchStorages> ReadPytorchZip(const ByteSource& source) {
  const std::string& file = source.name();
  ATTEND_ASSIGN_OR_RETURN(const ZipMembers members, ReadZipArchive(source));
  ATTEND_ASSIGN_OR_RETURN(const std::string folder, FindFolder(members, file));
  ATTEND_RETURN_IF_ERROR(CheckByteOrder(source, members, folder));
  const ByteRange range = members.find(absl::StrCat(folder, std::string(kPickleName)))->second;
  if (range.size > kMaxPickleBytes) {
    return CorruptTensor({file, ""},
                         absl::StrCat("a pickle of at most ", kMaxPickleBytes, " bytes"),
                         absl::StrCat(range.size));
  }
  ATTEND_ASSIGN_OR_RETURN(const std::string pickle, source.ReadString(range.begin, range.size));
  PytorchStorages result;
  ATTEND_ASSIGN_OR_RETURN(
      result.tensors,
      ParseStateDict({reinterpret_cast<const uint8_t*>(pickle.data()), pickle.size()}, file));
  const std::string prefix = folder + "/data/";
  for (auto member = members.lower_bound(prefix);
       member != members.end() && absl::StartsWith(member->first, prefix); ++member) {
    result.storages.emplace(member->first.substr(prefix.size()), member->second);
  }
  return result;
}

}  // namespace attend
