// What kind of text it is, seen from its words alone: decides which signals choose its sentences.
#pragma once

#include <string>
#include <vector>

#include "absl/types/span.h"
#include "engine/tasks/summary/sentence_terms.h"
#include "engine/tasks/summary_types.h"

namespace attend {

// Whether a sentence says what the text is about: "this paper ...", "here we ...", "we propose
// ...". English only.
bool IsCue(absl::Span<const std::string> terms);

// Never kAuto. `terms`: of every sentence.
TextKind GuessTextKind(absl::Span<const std::vector<std::string>> terms,
                       const SentenceTerms& vectors);

}  // namespace attend
