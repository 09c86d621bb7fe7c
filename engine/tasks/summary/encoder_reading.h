// One text on its way through the encoder: its windows, what watches them, and the signals that
// come of it. Windows may be computed at the same time by several loops: each writes to its own
// place.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "engine/scheduler/generation_request.h"
#include "engine/tasks/call_environment.h"
#include "engine/tasks/summary/sentence_attention.h"
#include "engine/tasks/summary/sentence_scores.h"
#include "engine/tasks/summary/sentence_windows.h"
#include "engine/tensor/matrix.h"

namespace attend {

struct EncoderReadingOptions {
  bool embeddings = false;  // of the sentences
  bool attention = false;   // between them, in the last layer
};

class EncoderReading {
 public:
  EncoderReading(std::vector<SentenceWindow> windows, int num_sentences, const ModelSpec& spec,
                 const EncoderReadingOptions& options);

  // Bytes that are held until the reading is let go.
  int64_t bytes() const;
  size_t num_windows() const { return windows_.size(); }
  int64_t num_tokens() const;
  // Requests observe into this object, which must outlive them.
  std::vector<std::shared_ptr<GenerationRequest>> MakeRequests(const TaskModel& model);

  // When all passes are over.
  EncoderSignals Signals() const;
  AttentionMatrix Attention() const;

 private:
  void Pool(size_t window, ConstMatrixView encoded);
  std::vector<double> EmbeddingCentrality() const;
  std::vector<double> AttentionReceived() const;

  const std::vector<SentenceWindow> windows_;
  const int num_sentences_;
  const EncoderReadingOptions options_;
  const int64_t hidden_size_;
  std::vector<Matrix> pooled_;                              // by window: [parts, hidden], summed
  std::vector<std::unique_ptr<WindowAttention>> watchers_;  // by window
};

}  // namespace attend
