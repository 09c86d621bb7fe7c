// A text cut into the parts that are summarised each by itself.
#pragma once

#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/tasks/source_encoder.h"
#include "engine/tasks/text_segments.h"

namespace attend {

// As CutIntoSegments; under kSplit neighbouring segments are then put together again, as many as
// fit, so that parts are of about equal length: a last part of one line would get a summary as long
// as the others'.
absl::StatusOr<std::vector<TextSegment>> CutIntoParts(std::string_view text,
                                                      const SourceEncoder& encoder,
                                                      const SegmentOptions& options,
                                                      std::string_view field);

}  // namespace attend
