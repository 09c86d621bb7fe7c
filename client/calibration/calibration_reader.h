// Examples as a served model reads them: its attention, head by head, through the public API.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "attend/v1/attention.grpc.pb.h"
#include "client/calibration/alignment_calibration.h"
#include "client/calibration/calibration_examples.h"
#include "client/calibration/coreference_calibration.h"
#include "client/connection.h"

namespace attend::client {

// What came of one example: a case, a failed call, or what is wrong with it.
struct ReadOutcome {
  CallResult failure;
  std::string problem;
};

class CalibrationReader {
 public:
  CalibrationReader(Connection* connection, std::string model, attend::v1::AttentionKind kind);

  ReadOutcome Read(const CoreferenceExample& example, CoreferenceCase* out);
  ReadOutcome Read(const AlignmentExample& example, AlignmentCase* out);

  // Those of the model, once something was read; layer by layer.
  const std::vector<attend::v1::HeadRef>& heads() const { return heads_; }

 private:
  // All heads apart, by words.
  ReadOutcome ReadAttention(const std::string& source, const std::string* target, bool drop_special,
                            attend::v1::Attention* out);
  // The words that the server lets answer.
  ReadOutcome ReadPlaces(const CoreferenceExample& example, std::vector<TextSpan>* places);

  Connection* connection_;
  const std::string model_;
  const attend::v1::AttentionKind kind_;
  std::unique_ptr<attend::v1::AttentionService::Stub> stub_;
  std::vector<attend::v1::HeadRef> heads_;
};

}  // namespace attend::client
