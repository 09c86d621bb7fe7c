// vocab.json: pieces and their ids, both ways. Immutable after load.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/checkpoint/json.h"

namespace attend {

class Vocabulary {
 public:
  // An object of piece → id, ids unique and not negative. Holes are allowed. Pieces whose id is not
  // below `max_size` are left out: the model has no embedding for them. DATA_LOSS naming `file` and
  // piece.
  static absl::StatusOr<Vocabulary> FromJson(const Json& json, std::string_view file,
                                             int64_t max_size);

  // Adds a piece under an id of its own; a piece that is there already must have that id. Leaves
  // out what FromJson leaves out.
  absl::Status Add(std::string_view piece, int64_t id, std::string_view file, int64_t max_size);

  std::optional<int32_t> Find(std::string_view piece) const;
  // Empty for holes and out of range.
  std::string_view Piece(int32_t id) const;
  bool Has(int32_t id) const;
  // Pieces that were left out, with their ids.
  const std::vector<std::pair<std::string, int64_t>>& left_out() const { return left_out_; }
  // One more than the largest id.
  int64_t size() const { return static_cast<int64_t>(pieces_.size()); }

 private:
  struct Entry {
    std::string piece;
    bool is_used = false;
  };
  std::vector<Entry> pieces_;  // by id
  std::unordered_map<std::string, int32_t> ids_;
  std::vector<std::pair<std::string, int64_t>> left_out_;
};

}  // namespace attend
