// From alignment messages to alignments that can be shown.
#pragma once

#include <string>

#include "attend/v1/attention.pb.h"
#include "client/alignment_view.h"

namespace attend::client {

// Spans of the response count bytes.
Alignment ToAlignment(const std::string& source, const std::string& target,
                      const attend::v1::AlignWordsResponse& response);

}  // namespace attend::client
