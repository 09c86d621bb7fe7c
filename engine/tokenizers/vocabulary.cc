// The upper limit on ids comes from config.json: an id that the model's embedding lacks stays
// outside from the beginning, and a hostile one cannot make the table large.
#include "engine/tokenizers/vocabulary.h"

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/checkpoint/checkpoint_error.h"
#include "engine/text/offset_map.h"  // IsValidUtf8

namespace attend {
namespace {

absl::Status Corrupt(std::string_view file, std::string_view piece, const std::string& what) {
  return CorruptCheckpoint({file, {}}, absl::StrCat("key '", Printable(piece), "': ", what));
}

}  // namespace

absl::StatusOr<Vocabulary> Vocabulary::FromJson(const Json& json, std::string_view file,
                                                int64_t max_size) {
  const auto entries = json.AsIntMap();
  if (!entries.ok()) return CorruptJson(file, entries.status());
  Vocabulary vocabulary;
  vocabulary.ids_.reserve(entries->size());
  for (const auto& [piece, id] : *entries) {
    if (vocabulary.ids_.count(piece) > 0) return Corrupt(file, piece, "occurs twice");
    ATTEND_RETURN_IF_ERROR(vocabulary.Add(piece, id, file, max_size));
  }
  return vocabulary;
}

absl::Status Vocabulary::Add(std::string_view piece, int64_t id, std::string_view file,
                             int64_t max_size) {
  if (id < 0) return Corrupt(file, piece, absl::StrCat("expected an id from 0, found ", id));
  if (!IsValidUtf8(piece)) return Corrupt(file, piece, "not UTF-8");
  if (id >= max_size) {
    left_out_.emplace_back(piece, id);
    return absl::OkStatus();
  }
  const auto same_piece = ids_.find(std::string(piece));
  if (same_piece != ids_.end()) {
    if (same_piece->second == id) return absl::OkStatus();
    return Corrupt(
        file, piece,
        absl::StrCat("has id ", id, " here and ", same_piece->second, " in the vocabulary"));
  }
  if (Has(static_cast<int32_t>(id))) {
    return Corrupt(file, piece,
                   absl::StrCat("id ", id, " is also that of '",
                                Printable(Piece(static_cast<int32_t>(id))), "'"));
  }
  if (id >= size()) pieces_.resize(static_cast<size_t>(id) + 1);
  pieces_[static_cast<size_t>(id)] = {std::string(piece), true};
  ids_.emplace(piece, static_cast<int32_t>(id));
  return absl::OkStatus();
}

std::optional<int32_t> Vocabulary::Find(std::string_view piece) const {
  const auto found = ids_.find(std::string(piece));
  return found == ids_.end() ? std::nullopt : std::optional<int32_t>(found->second);
}

bool Vocabulary::Has(int32_t id) const {
  return id >= 0 && id < size() && pieces_[static_cast<size_t>(id)].is_used;
}

std::string_view Vocabulary::Piece(int32_t id) const {
  return Has(id) ? std::string_view(pieces_[static_cast<size_t>(id)].piece) : std::string_view();
}

}  // namespace attend
