// One sequence's forced pass: what watches it, and what comes of it. Serves GetAttention,
// AlignWords, QueryAttention and the attention and word links of a translation alike.
#pragma once

#include <memory>
#include <vector>

#include "engine/scheduler/generation_request.h"
#include "engine/tasks/attention_fold.h"
#include "engine/tasks/attention_selection.h"
#include "engine/tasks/call_environment.h"
#include "engine/tasks/text_axis.h"
#include "engine/tasks/word_alignment.h"

namespace attend {

class ForcedReading {
 public:
  // The target axis is empty for a pass through the encoder alone.
  ForcedReading(TextAxis source, TextAxis target)
      : source_(std::move(source)), target_(std::move(target)) {}

  // Bytes that folding the selection takes while the pass runs, on top of the answer.
  int64_t FoldBytes(const ResolvedSelection& selection) const;

  // Bytes that the weights of one layer take while it is watched, all its heads before any is
  // chosen, as far as they are more than what a loop may well have for itself.
  int64_t LayerBytes(const ResolvedSelection& selection, const ModelSpec& spec) const;

  // What to watch; before MakeRequest.
  void WatchSelection(const ResolvedSelection& selection);
  void WatchAlignment(const AttentionPreset& preset, const ModelSpec& spec);
  void Watch(AttentionObserver* observer) {
    fan_out_.Add(observer);
  }  // borrowed until the pass ends

  // The request observes into this object, which must outlive it.
  std::shared_ptr<GenerationRequest> MakeRequest(const TaskModel& model);

  // After the pass, once each.
  AttentionResult TakeAttention();
  std::vector<WordLink> TakeLinks() { return aligner_->Finish(); }

  const TextAxis& source() const { return source_; }
  const TextAxis& target() const { return target_; }

 private:
  TextAxis source_, target_;
  ResolvedSelection selection_;
  std::unique_ptr<AttentionFolder> folder_;
  std::unique_ptr<WordAligner> aligner_;
  AttentionFanOut fan_out_;
};

}  // namespace attend
