// Paths of the server's disk are not told to callers; everything else of ModelInfo is. What was
// read from the disk may hold any bytes.
#include "server/convert/model_convert.h"

#include <algorithm>

#include "absl/time/time.h"
#include "server/convert/attention_convert.h"
#include "server/convert/names.h"
#include "server/convert/status_convert.h"
#include "server/utf8.h"

namespace attend::server {
namespace {

namespace v1 = attend::v1;

v1::ModelState StateToProto(ModelState state) {
  switch (state) {
    case ModelState::kLoading:
      return v1::MODEL_STATE_LOADING;
    case ModelState::kServing:
      return v1::MODEL_STATE_SERVING;
    case ModelState::kDraining:
      return v1::MODEL_STATE_DRAINING;
    case ModelState::kFailed:
      return v1::MODEL_STATE_FAILED;
  }
  return v1::MODEL_STATE_UNSPECIFIED;
}

}  // namespace

void ToProto(const ModelInfo& model, const std::vector<std::string>& hidden_folders,
             v1::Model* out) {
  out->set_name(ModelResourceName(model.name));
  out->set_revision(ToUtf8(model.revision));
  out->set_architecture(ToUtf8(model.spec.architecture));
  for (const ModelCapability capability : model.spec.capabilities) {
    switch (capability) {
      case ModelCapability::kTranslation:
        out->add_tasks(v1::MODEL_TASK_TRANSLATION);
        break;
      case ModelCapability::kAttention:
        out->add_tasks(v1::MODEL_TASK_ATTENTION);
        break;
      case ModelCapability::kSummarization:
        out->add_tasks(v1::MODEL_TASK_SUMMARIZATION);
        break;
      case ModelCapability::kEmbedding:
        break;  // no service offers them by themselves; they are what sentences are scored by
    }
  }
  // Every encoder that reads text can weigh sentences.
  if (model.spec.encoder.num_layers > 0) out->add_tasks(v1::MODEL_TASK_SENTENCE_SCORING);
  out->set_state(StateToProto(model.state));
  if (!model.error.ok())
    *out->mutable_error() = ToRpcStatus(HideFolders(model.error, hidden_folders));
  for (const LanguagePair& served : model.language_pairs) {
    v1::LanguagePair* pair = out->add_language_pairs();
    pair->set_source_language_code(ToUtf8(served.source));
    pair->set_target_language_code(ToUtf8(served.target));
  }
  for (const std::string& code : model.language_codes) out->add_language_codes(ToUtf8(code));
  out->set_encoder_layer_count(static_cast<uint32_t>(model.spec.encoder.num_layers));
  out->set_decoder_layer_count(static_cast<uint32_t>(model.spec.decoder.num_layers));
  out->set_head_count(static_cast<uint32_t>(
      std::max(model.spec.encoder.num_attention_heads, model.spec.decoder.num_attention_heads)));
  out->set_max_input_tokens(static_cast<uint32_t>(std::max<int64_t>(0, model.max_input_tokens)));
  out->set_max_output_tokens(static_cast<uint32_t>(std::max<int64_t>(0, model.max_output_tokens)));
  out->set_compute_type(model.compute_type);
  out->set_weight_bytes(model.load.weight_bytes);
  out->set_source_vocabulary_size(static_cast<uint32_t>(model.spec.source_vocab_size));
  out->set_target_vocabulary_size(static_cast<uint32_t>(model.spec.target_vocab_size));
  out->set_uses_shortlist(!model.load.shortlist.file.empty());
  for (const AttentionPreset& preset : model.presets) ToProto(preset, out->add_attention_presets());
  if (model.state == ModelState::kServing || model.state == ModelState::kDraining) {
    const int64_t nanoseconds = absl::ToUnixNanos(model.load_time);
    out->mutable_load_time()->set_seconds(nanoseconds / 1000000000);
    out->mutable_load_time()->set_nanos(static_cast<int32_t>(nanoseconds % 1000000000));
  }
}

}  // namespace attend::server
