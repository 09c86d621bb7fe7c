// The ids of the pass are those of the axes, so rows and columns fit by construction.
#include "engine/tasks/forced_reading.h"

#include <algorithm>
#include <utility>

namespace attend {
namespace {

// A long sentence of a usual model.
constexpr int64_t kOfTheLoop = int64_t{16} << 20;

std::vector<int32_t> Ids(const TextAxis& axis) {
  std::vector<int32_t> ids;
  ids.reserve(axis.tokens.size());
  for (const AttendedToken& token : axis.tokens) ids.push_back(token.id);
  return ids;
}

}  // namespace

int64_t ForcedReading::FoldBytes(const ResolvedSelection& selection) const {
  return attend::FoldBytes(selection, static_cast<int64_t>(source_.tokens.size()),
                           static_cast<int64_t>(target_.tokens.size()));
}

int64_t ForcedReading::LayerBytes(const ResolvedSelection& selection, const ModelSpec& spec) const {
  int64_t most = 0;
  for (const KindHeads& kind : selection.kinds) {
    const bool is_encoder = kind.kind == AttentionKind::kEncoderSelf;
    const bool is_cross = kind.kind == AttentionKind::kCross;
    const auto rows = static_cast<int64_t>((is_encoder ? source_ : target_).tokens.size());
    const auto columns =
        static_cast<int64_t>((is_encoder || is_cross ? source_ : target_).tokens.size());
    most = std::max(most, StackOf(spec, kind.kind).num_attention_heads * rows * columns);
  }
  return std::max<int64_t>(0, most * static_cast<int64_t>(sizeof(float)) - kOfTheLoop);
}

void ForcedReading::WatchSelection(const ResolvedSelection& selection) {
  selection_ = selection;
  folder_ = std::make_unique<AttentionFolder>(selection, source_, target_);
  fan_out_.Add(folder_.get());
}

void ForcedReading::WatchAlignment(const AttentionPreset& preset, const ModelSpec& spec) {
  aligner_ = std::make_unique<WordAligner>(preset, spec, source_, target_);
  fan_out_.Add(aligner_->observer());
}

std::shared_ptr<GenerationRequest> ForcedReading::MakeRequest(const TaskModel& model) {
  auto request = std::make_shared<GenerationRequest>();
  request->source_ids = Ids(source_);
  request->options = *model.generation;
  request->forced = true;
  request->forced_target = Ids(target_);
  request->observer = &fan_out_;
  return request;
}

AttentionResult ForcedReading::TakeAttention() {
  return MakeResult(selection_, source_, target_, folder_->Finish());
}

}  // namespace attend
