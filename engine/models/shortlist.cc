// Lists are short next to the vocabulary: they are put one after the other and sorted.
#include "engine/models/shortlist.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/checkpoint/checkpoint_error.h"
#include "engine/checkpoint/stored_file.h"

namespace attend {

absl::StatusOr<Shortlist> Shortlist::Load(const std::string& path, const ModelSpec& spec) {
  ATTEND_ASSIGN_OR_RETURN(const std::unique_ptr<StoredFile> source, StoredFile::Open(path));
  ATTEND_RETURN_IF_ERROR(source->RefuseLfsPointer());
  ATTEND_ASSIGN_OR_RETURN(ShortlistFile file, ReadShortlist(*source));
  if (file.source_vocab_size != spec.source_vocab_size ||
      file.target_vocab_size != spec.target_vocab_size) {
    return MismatchedTensor(
        {source->name(), "vocabularies"},
        absl::StrCat(spec.source_vocab_size, " and ", spec.target_vocab_size, " tokens"),
        absl::StrCat(file.source_vocab_size, " and ", file.target_vocab_size));
  }
  return Shortlist(std::move(file), spec.share_embeddings);
}

std::vector<int32_t> Shortlist::CandidatesOf(absl::Span<const int32_t> source_ids,
                                             absl::Span<const int32_t> required) const {
  std::vector<int32_t> out = file_.always;
  for (const int32_t id : source_ids) {
    if (!file_.is_known[static_cast<size_t>(id)]) return {};
    const absl::Span<const int32_t> tokens = file_.TokensOf(id);
    out.insert(out.end(), tokens.begin(), tokens.end());
  }
  if (copies_source_) out.insert(out.end(), source_ids.begin(), source_ids.end());
  out.insert(out.end(), required.begin(), required.end());
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

}  // namespace attend
