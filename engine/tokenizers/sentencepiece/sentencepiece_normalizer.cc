// The table is a double array (darts-clone's layout) of the strings to rewrite, followed by the
// replacements, each ended by a NUL. It comes out of a file and is walked with every index checked,
// so a broken one rewrites nonsense, no more.
#include "engine/tokenizers/sentencepiece/sentencepiece_normalizer.h"

#include <algorithm>
#include <utility>

#include "engine/checkpoint/checkpoint_error.h"
#include "engine/text/offset_map.h"  // IsValidUtf8

namespace attend {
namespace {

constexpr uint32_t kMaxRuleBytes = 256;  // of a string to rewrite; real tables stay below 40
constexpr uint32_t kMaxReplacementBytes = 256;

constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";

// Fields of a double array's unit.
bool HasLeaf(uint32_t unit) { return ((unit >> 8) & 1) != 0; }
uint32_t LeafValue(uint32_t unit) { return unit & 0x7FFFFFFFu; }
uint32_t Label(uint32_t unit) { return unit & 0x800000FFu; }
uint32_t Offset(uint32_t unit) { return (unit >> 10) << ((unit & (1u << 9)) >> 6); }

uint32_t ReadLittleEndian(std::string_view bytes, size_t at) {
  uint32_t value = 0;
  for (int i = 0; i < 4; ++i)
    value |= static_cast<uint32_t>(static_cast<uint8_t>(bytes[at + i])) << (8 * i);
  return value;
}

// Bytes of the well-formed character that `text` begins with, 0 when it begins with none.
uint32_t CharacterSize(std::string_view text) {
  const auto lead = static_cast<uint8_t>(text[0]);
  if (lead < 0x80) return 1;
  const uint32_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  return text.size() >= size && IsValidUtf8(text.substr(0, size)) ? size : 0;
}

}  // namespace

absl::Status SentencePieceNormalizer::Init(NormalizerSpec spec, ByteTrie verbatim,
                                           std::string_view origin) {
  spec_ = std::move(spec);
  verbatim_ = std::move(verbatim);
  units_ = replacements_ = {};
  const std::string_view table = spec_.precompiled_charsmap;
  if (table.empty()) return absl::OkStatus();
  const uint32_t size = table.size() < 4 ? 0 : ReadLittleEndian(table, 0);
  if (size < 4 || size % 4 != 0 || size > table.size() - 4) {
    return CorruptCheckpoint({origin, {}},
                             "normalizer_spec.precompiled_charsmap is cut short or no table");
  }
  units_ = table.substr(4, size);
  replacements_ = table.substr(4 + size);
  if (replacements_.empty() || replacements_.back() != '\0') {
    return CorruptCheckpoint({origin, {}},
                             "normalizer_spec.precompiled_charsmap does not end with a NUL");
  }
  return absl::OkStatus();
}

uint32_t SentencePieceNormalizer::Unit(uint32_t index) const {
  // A unit with the top bit set has a label that no byte equals.
  if (index >= units_.size() / 4) return 0x80000000u;
  return ReadLittleEndian(units_, size_t{index} * 4);
}

SentencePieceNormalizer::Rewritten SentencePieceNormalizer::LookUpPrefix(
    std::string_view text) const {
  Rewritten longest = {{}, 0};
  if (units_.empty()) return longest;
  uint32_t node = Offset(Unit(0));
  const auto limit = static_cast<uint32_t>(std::min<size_t>(text.size(), kMaxRuleBytes));
  for (uint32_t i = 0; i < limit; ++i) {
    const auto byte = static_cast<uint8_t>(text[i]);
    node ^= byte;
    const uint32_t unit = Unit(node);
    if (Label(unit) != byte) break;
    node ^= Offset(unit);
    if (!HasLeaf(unit)) continue;
    const uint32_t value = LeafValue(Unit(node));
    if (value >= replacements_.size()) continue;
    // One byte more than may be, so that a NUL far away costs nothing.
    const std::string_view rest = replacements_.substr(value, kMaxReplacementBytes + 1);
    const size_t end = rest.find('\0');
    if (end == std::string_view::npos || !IsValidUtf8(rest.substr(0, end))) continue;
    const std::string_view replacement = rest.substr(0, end);
    longest = {replacement, i + 1};
  }
  return longest;
}

SentencePieceNormalizer::Rewritten SentencePieceNormalizer::RewritePrefix(
    std::string_view text) const {
  if (const uint32_t verbatim = verbatim_.LongestPrefix(text); verbatim > 0) {
    return {text.substr(0, verbatim), verbatim};
  }
  if (const Rewritten rule = LookUpPrefix(text); rule.consumed > 0) return rule;
  const uint32_t size = CharacterSize(text);
  if (size == 0) return {kReplacementCharacter, 1};
  return {text.substr(0, size), size};
}

NormalizedText SentencePieceNormalizer::Normalize(std::string_view text) const {
  NormalizedText out;
  const auto size = static_cast<uint32_t>(text.size());
  const std::string_view space = spec_.escape_whitespaces ? kSpaceSymbol : std::string_view(" ");
  const auto append = [&out](std::string_view bytes, uint32_t begin, uint32_t end) {
    out.text.append(bytes);
    out.begins.resize(out.text.size(), begin);
    out.ends.resize(out.text.size(), end);
  };

  uint32_t at = 0;
  while (spec_.remove_extra_whitespaces && at < size) {
    const Rewritten next = RewritePrefix(text.substr(at));
    if (next.text != " ") break;
    at += next.consumed;
  }
  if (at == size) return out;
  if (spec_.add_dummy_prefix && !spec_.treat_whitespace_as_suffix) append(space, at, at);

  bool after_space = spec_.remove_extra_whitespaces;
  while (at < size) {
    Rewritten next = RewritePrefix(text.substr(at));
    const uint32_t end = at + next.consumed;
    while (after_space && !next.text.empty() && next.text.front() == ' ')
      next.text.remove_prefix(1);
    for (const char& byte : next.text)
      append(byte == ' ' ? space : std::string_view(&byte, 1), at, end);
    if (!next.text.empty()) after_space = spec_.remove_extra_whitespaces && next.text.back() == ' ';
    at = end;
  }
  uint32_t last = size;
  if (spec_.remove_extra_whitespaces) {
    size_t kept = out.text.size();
    while (kept >= space.size() &&
           out.text.compare(kept - space.size(), space.size(), space) == 0) {
      kept -= space.size();
      last = out.begins[kept];
    }
    out.text.resize(kept);
    out.begins.resize(kept);
    out.ends.resize(kept);
  }
  if (spec_.add_dummy_prefix && spec_.treat_whitespace_as_suffix) append(space, last, last);
  return out;
}

}  // namespace attend
