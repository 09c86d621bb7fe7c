// A model's description on the wire.
#pragma once

#include <string>
#include <vector>

#include "attend/v1/model.pb.h"
#include "engine/engine.h"

namespace attend::server {

// Its error is told without `hidden_folders` (HideFolders).
void ToProto(const ModelInfo& model, const std::vector<std::string>& hidden_folders,
             attend::v1::Model* out);

}  // namespace attend::server
