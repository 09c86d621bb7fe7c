// The text of a query as the model reads it: all of it, or the sentences around the query where it
// is longer than the model's window.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/base/span.h"
#include "engine/tasks/call_environment.h"
#include "engine/tasks/text_axis.h"

namespace attend {

// A span of the caller's: SPAN_INVALID when it is inverted, leaves the text or begins or ends
// inside a character; SPAN_EMPTY when nothing is in it.
absl::Status CheckSpan(std::string_view text, ByteSpan span, std::string_view field);

struct QueryText {
  ByteSpan window;  // of the text: what was read
  TextAxis axis;    // spans count in the whole text
};

// `language` is canonical and chooses the sentence splitter's abbreviations and, of a multilingual
// model, the token; empty for the model's own. A window holds the query's sentences and as many
// whole ones before and after them, in turn, as fit. Errors: EMPTY_INPUT, INPUT_TOO_LONG (too many
// bytes, or the query's own sentences do not fit), LANGUAGE_PAIR_NOT_SERVED; SPAN_EMPTY where the
// query lies between sentences.
absl::StatusOr<QueryText> ReadQueryText(const std::string& text, ByteSpan query,
                                        const std::string& language,
                                        const CallEnvironment& environment);

}  // namespace attend
