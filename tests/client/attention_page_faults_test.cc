// --html against a server that misbehaves: a page is written whole or not at all.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

#include "tests/client/client_faults.h"
#include "tests/testing/temporary_folder.h"

namespace attend::client {
namespace {

// Axes of two words each way, then one row of a head that begins at `first_row`.
void WriteOneRow(uint32_t first_row,
                 grpc::ServerWriter<attend::v1::StreamAttentionResponse>* writer) {
  attend::v1::StreamAttentionResponse response;
  for (const char* word : {"The", "cat"})
    response.mutable_axes()->add_source_words()->set_text(word);
  response.mutable_axes()->add_target_words()->set_text("Le");
  response.mutable_axes()->set_target_text("Le");
  writer->Write(response);
  auto* slice = response.mutable_slice();
  slice->set_first_row(first_row);
  slice->mutable_matrix()->set_kind(attend::v1::ATTENTION_KIND_CROSS);
  slice->mutable_matrix()->mutable_head();
  slice->mutable_matrix()->set_row_count(1);
  slice->mutable_matrix()->set_column_count(2);
  for (const float weight : {0.75f, 0.25f})
    slice->mutable_matrix()->mutable_dense()->add_weights(weight);
  writer->Write(response);
}

TEST_F(ClientFaults, APageIsWrittenWithoutThePresetThatTheModelLacks) {
  int num_streams = 0;
  server_.stream_attention = [&](auto* writer) {
    if (++num_streams == 2)
      return Refusal(grpc::StatusCode::INVALID_ARGUMENT, "PRESET_NOT_FOUND", "no such preset");
    WriteOneRow(0, writer);
    return grpc::Status::OK;
  };
  server_.align_words = [](const auto&, auto*) { return grpc::Status::OK; };
  server_.Start();
  const ProgramRun run = Run({"attention", "The cat", "--html", "-"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(num_streams, 2);
  EXPECT_TRUE(Contains(run.out, "\"name\":\"layer 0, head 0\"")) << run.err;
}

TEST_F(ClientFaults, APageThatCannotBeWholeIsNotWritten) {
  const TemporaryFolder folder;
  const std::string path = folder.Write("page.html", "old");
  uint32_t first_row = 3;
  server_.stream_attention = [&](auto* writer) {
    WriteOneRow(first_row, writer);
    return grpc::Status::OK;
  };
  server_.align_words = [](const auto&, auto*) {
    return Refusal(grpc::StatusCode::INVALID_ARGUMENT, "INPUT_TOO_LONG", "too long");
  };
  server_.Start();
  const ProgramRun slices = Run({"attention", "The cat", "--html", path});
  EXPECT_EQ(slices.exit_code, 1);
  EXPECT_TRUE(Contains(slices.err, "slices do not fit together")) << slices.err;
  first_row = 0;
  const ProgramRun links = Run({"attention", "The cat", "--html", path});
  EXPECT_EQ(links.exit_code, 1);
  EXPECT_TRUE(Contains(links.err, "INPUT_TOO_LONG")) << links.err;
  std::stringstream page;
  page << std::ifstream(path).rdbuf();
  EXPECT_EQ(page.str(), "old");
}

}  // namespace
}  // namespace attend::client
