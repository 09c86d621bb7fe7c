// The "model" of a tokenizer.json: words → pieces of a vocabulary.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/base/span.h"
#include "engine/checkpoint/json.h"
#include "engine/tokenizers/vocabulary.h"

namespace attend {

struct SubwordPiece {
  int32_t id = 0;
  ByteSpan range;  // in the word; of pieces for single bytes the character may be shared
};

// Immutable, safe from any thread. Time is near linear in the length of a word.
class SubwordModel {
 public:
  virtual ~SubwordModel() = default;
  // Adds the pieces of `word`, in order.
  virtual void Cut(std::string_view word, std::vector<SubwordPiece>* pieces) const = 0;
  const Vocabulary& vocabulary() const { return vocabulary_; }

 protected:
  explicit SubwordModel(Vocabulary vocabulary) : vocabulary_(std::move(vocabulary)) {}

 private:
  Vocabulary vocabulary_;
};

// UNIMPLEMENTED for a kind that is not known, DATA_LOSS or INVALID_ARGUMENT for a malformed one.
// Files from before kinds were named are told by what they hold. Pieces whose id is not below
// `max_size` are left out, as vocabulary.h says.
absl::StatusOr<std::unique_ptr<const SubwordModel>> ReadSubwordModel(const Json& json,
                                                                     int64_t max_size);

}  // namespace attend
