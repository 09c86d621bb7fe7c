// The calls behind --html: attention of a pair of texts from the server, as one page in a file.
#pragma once

#include <string>

#include "attend/v1/attention.grpc.pb.h"
#include "client/session.h"

namespace attend::client {

struct AttentionReportJob {
  std::string path;                            // "-" is standard output
  attend::v1::StreamAttentionRequest request;  // no kinds: all that the model has
  std::string fold;                            // name of matrices that come folded
  bool wants_alignment_heads = false;  // adds the mean of the preset "alignment" where there is one
  attend::v1::AlignWordsRequest alignment;  // model and texts are filled in
};

inline constexpr const char* kHtmlFlagHelp =
    "Write a page for the browser to FILE (replaced when it is there; - is standard output)";

// The exit code; every failure is told. Writes nothing when anything failed. The page has ribbons
// between the words of both texts where the model has cross attention.
int WriteAttentionReport(Session* session, AttentionReportJob job);

}  // namespace attend::client
