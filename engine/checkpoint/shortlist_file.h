// A lexical shortlist as it lies on disk (docs/model_folders.md has the format): for each source
// token the target tokens that it was seen to become. Made by `attend build-shortlist`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/checkpoint/byte_source.h"

namespace attend {

// Its name in a model folder.
inline constexpr char kShortlistFileName[] = "lexical.shortlist";

struct ShortlistFile {
  std::string model, revision;  // that it was made with, "en-fr"
  int64_t source_vocab_size = 0, target_vocab_size = 0;
  std::vector<int32_t> always;  // ascending
  // The list of source token i is tokens[begins[i] .. begins[i + 1]), ascending.
  std::vector<uint32_t> begins;
  std::vector<int32_t> tokens;
  std::vector<bool> is_known;  // by source token: seen when the file was made

  absl::Span<const int32_t> TokensOf(int64_t source_token) const {
    const auto i = static_cast<size_t>(source_token);
    return absl::MakeConstSpan(tokens).subspan(begins[i], begins[i + 1] - begins[i]);
  }
};

// Whole and checked: every id lies in its vocabulary, every list ascends. DATA_LOSS /
// CHECKPOINT_CORRUPT for anything else, CHECKPOINT_UNSUPPORTED for another version of the format.
absl::StatusOr<ShortlistFile> ReadShortlist(const ByteSource& source);

}  // namespace attend
