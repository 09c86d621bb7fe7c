// A model's description on the wire.
#pragma once

#include "attend/v1/model.pb.h"
#include "engine/engine.h"

namespace attend::server {

void ToProto(const ModelInfo& model, attend::v1::Model* out);

}  // namespace attend::server
