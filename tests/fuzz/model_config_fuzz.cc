// Any config.json either is refused, naming file and key, or gives numbers that layers can be made
// of.
#include <cstdint>
#include <string_view>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/layers/relative_bias.h"
#include "engine/models/model_registry.h"

namespace {

using attend::ModelSpec;
using attend::StackSpec;

void CheckStack(const StackSpec& stack) {
  ATTEND_CHECK(stack.num_layers > 0 && stack.hidden_size > 0 && stack.intermediate_size > 0,
               "sizes are positive");
  ATTEND_CHECK(stack.heads().width() > 0 && stack.max_position_embeddings > 0,
               "sizes are positive");
  ATTEND_CHECK(stack.position_offset >= 0, "positions begin within their table");
  if (stack.position_encoding == attend::PositionEncoding::kRelativeBias) {
    for (const auto kind :
         {attend::AttentionKind::kEncoderSelf, attend::AttentionKind::kDecoderSelf}) {
      for (int64_t d = -stack.relative_bias.max_distance; d <= stack.relative_bias.max_distance;
           ++d) {
        const int bucket = RelativeBucket(stack.relative_bias, kind, d);
        ATTEND_CHECK(bucket >= 0 && bucket < stack.relative_bias.num_buckets,
                     "every distance has a bucket");
      }
    }
  }
}

void CheckSpec(const ModelSpec& spec) {
  CheckStack(spec.encoder);
  ATTEND_CHECK(spec.source_vocab_size > 0, "there is a vocabulary");
  if (!spec.has_decoder()) return;
  CheckStack(spec.decoder);
  for (const int32_t id : {spec.pad_token_id, spec.eos_token_id, spec.decoder_start_token_id})
    ATTEND_CHECK(id >= 0 && id < spec.target_vocab_size, "special ids are in the vocabulary");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const auto json = attend::Json::Parse(
      std::string_view(reinterpret_cast<const char*>(bytes), size), "config.json");
  if (!json.ok() || !json->IsObject()) return 0;
  const auto family = attend::FindFamily(*json);
  if (!family.ok()) return 0;
  const auto spec = (*family)->ParseConfig(*json);
  if (spec.ok()) {
    CheckSpec(*spec);
    (*family)->IgnorableWeights(*spec);
  } else {
    ATTEND_CHECK(attend::GetErrorDetail(spec.status()).has_value(), "an error has a reason");
  }
  return 0;
}
