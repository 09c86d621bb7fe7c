// Which tokens a translation may be made of, judged by the tokens of its source: those that the
// source's tokens were seen to become, those that any translation may need, and the source's own
// (names are copied). Immutable and safe to share.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/checkpoint/shortlist_file.h"
#include "engine/models/model_spec.h"

namespace attend {

class Shortlist {
 public:
  // FAILED_PRECONDITION / MODEL_FAILED where the file was made for other vocabularies than the
  // model's; ReadShortlist's errors.
  static absl::StatusOr<Shortlist> Load(const std::string& path, const ModelSpec& spec);

  // Tokens of every list, ascending.
  const std::vector<int32_t>& always() const { return file_.always; }
  const ShortlistFile& file() const { return file_; }

  // Ascending, without repetition: what a sequence may write, `required` included. Empty means the
  // whole vocabulary: the source holds a token that was never seen, so nothing is known of what it
  // becomes. REQUIRES: ids of the model's vocabularies.
  std::vector<int32_t> CandidatesOf(absl::Span<const int32_t> source_ids,
                                    absl::Span<const int32_t> required) const;

 private:
  explicit Shortlist(ShortlistFile file, bool copies_source)
      : file_(std::move(file)), copies_source_(copies_source) {}

  ShortlistFile file_;
  bool copies_source_;  // one vocabulary for both sides: equal ids are spelt alike
};

}  // namespace attend
