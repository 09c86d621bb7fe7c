// Translates the lines of a file descriptor: several calls in flight, output in the order of the
// input.
#pragma once

#include <cstddef>
#include <cstdint>

#include "attend/v1/translation.grpc.pb.h"
#include "client/output.h"
#include "client/progress_bar.h"
#include "client/session.h"
#include "client/translation_printer.h"

namespace attend::client {

struct PipelineOptions {
  attend::v1::TranslationConfig config;
  TranslationFormat format = TranslationFormat::kPlain;
  std::size_t batch_lines = 16;  // per call, at most; long lines make it fewer
  std::size_t calls_in_flight = 4;
  int64_t input_bytes = 0;  // for the progress bar; 0 when unknown
};

// Reads `input_fd` to its end, or until the reader of the output leaves, the server is lost, or
// refuses for a reason that holds for every line (an unknown model). Other failures cost their own
// lines only: each is told on standard error with its line number and leaves an empty line in the
// output. Returns the exit code.
int RunTranslationPipeline(Session* session, const PipelineOptions& options, int input_fd,
                           Output* output, ProgressBar* bar);

}  // namespace attend::client
