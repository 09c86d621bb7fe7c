// The table comes out of a file and is walked with every index checked, so a broken one rewrites
// nonsense, no more.
#include "engine/tokenizers/hf/precompiled_normalizer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "engine/base/status_macros.h"
#include "engine/text/offset_map.h"  // IsValidUtf8
#include "engine/tokenizers/hf/json_place.h"
#include "engine/tokenizers/hf/unicode_forms.h"

namespace attend {
namespace {

constexpr size_t kMaxClusterBytes = 6;  // longer clusters are looked up by character only
constexpr size_t kMaxReplacementBytes = 256;

uint32_t Offset(uint32_t unit) { return (unit >> 10) << ((unit & (1u << 9)) >> 6); }

uint32_t ReadLittleEndian(std::string_view bytes, size_t at) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i)
    value |= static_cast<uint32_t>(static_cast<uint8_t>(bytes[at + i])) << (8 * i);
  return value;
}

// What stands in for some characters of the old text.
class ChangeList {
 public:
  void Keep(char32_t c) { changes_.push_back({c, 0}); }

  void Replace(size_t old_count, std::string_view content) {
    const std::u32string characters = CodePointsOf(content);
    const size_t kept = std::min(old_count, characters.size());
    for (size_t i = 0; i < characters.size(); ++i)
      changes_.push_back({characters[i], i < kept ? 0 : 1});
    const auto removed = static_cast<int32_t>(old_count - kept);
    if (removed == 0) return;
    if (!changes_.empty()) {
      changes_.back().change -= removed;
    } else {
      removed_in_front_ += removed;
    }
  }

  std::vector<CharacterChange> Finish() && { return std::move(changes_); }
  int32_t removed_in_front() const { return removed_in_front_; }

 private:
  std::vector<CharacterChange> changes_;
  int32_t removed_in_front_ = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<const HfNormalizer>> PrecompiledNormalizer::Read(const Json& json) {
  auto normalizer = std::make_unique<PrecompiledNormalizer>();
  if (!json.Has("precompiled_charsmap")) return normalizer;
  ATTEND_ASSIGN_OR_RETURN(const Json value, json.Get("precompiled_charsmap"));
  ATTEND_ASSIGN_OR_RETURN(const std::string encoded, value.AsString());
  std::string table;
  if (!absl::Base64Unescape(encoded, &table)) return CorruptValue(value, "not base64");
  if (table.empty()) return normalizer;
  const uint32_t size = table.size() < 4 ? 0 : ReadLittleEndian(table, 0);
  if (size < 4 || size % 4 != 0 || size > table.size() - 4) {
    return CorruptValue(value, "cut short or no table");
  }
  for (uint32_t at = 0; at < size; at += 4) {
    normalizer->units_.push_back(ReadLittleEndian(table, 4 + size_t{at}));
  }
  normalizer->replacements_ = table.substr(4 + size_t{size});
  return normalizer;
}

std::optional<std::string_view> PrecompiledNormalizer::LookUp(std::string_view text) const {
  if (units_.empty()) return std::nullopt;
  const auto unit_at = [this](uint32_t index) {
    // A unit with the top bit set has a label that no byte equals.
    return index < units_.size() ? units_[index] : 0x80000000u;
  };
  uint32_t node = Offset(unit_at(0));
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    if (byte == 0) break;
    node ^= byte;
    const uint32_t unit = unit_at(node);
    if ((unit & 0x800000FFu) != byte) break;
    node ^= Offset(unit);
    if (((unit >> 8) & 1) == 0) continue;
    const uint32_t value = unit_at(node) & 0x7FFFFFFFu;
    if (value >= replacements_.size()) return std::nullopt;
    const std::string_view rest =
        std::string_view(replacements_).substr(value, kMaxReplacementBytes + 1);
    const std::string_view found = rest.substr(0, rest.find('\0'));
    if (found.size() > kMaxReplacementBytes || !IsValidUtf8(found)) return std::nullopt;
    return found;
  }
  return std::nullopt;
}

void PrecompiledNormalizer::Normalize(AlignedText* text) const {
  const std::string_view all = text->text();
  ChangeList changes;
  bool is_modified = false;
  uint32_t begin = 0;
  for (const uint32_t end : GraphemeEnds(all)) {
    const std::string_view cluster = all.substr(begin, end - begin);
    begin = end;
    const std::u32string characters = CodePointsOf(cluster);
    if (cluster.size() < kMaxClusterBytes) {
      if (const auto found = LookUp(cluster)) {
        changes.Replace(characters.size(), *found);
        is_modified = true;
        continue;
      }
    }
    for (const char32_t c : characters) {
      std::string spelt;
      AppendUtf8(c, &spelt);
      const auto found = LookUp(spelt);
      if (found) {
        changes.Replace(1, *found);
        is_modified = true;
      } else {
        changes.Keep(c);
      }
    }
  }
  if (!is_modified) return;
  // What goes before the first character: `tokenizers` forgets it, so that its text still begins
  // where the original does (which Metaspace asks for) and every offset is too small. Here the
  // first character takes it along: the same begin, and offsets that are right.
  const auto removed = static_cast<size_t>(changes.removed_in_front());
  text->Transform(std::move(changes).Finish(), removed);
  if (removed > 0) text->ExtendFirstToBegin();
}

}  // namespace attend
