// What two requests must have in common to get the same answer, bit for bit, from the same model:
// everything that the search sees, as bytes. The model itself is not in it: whoever keeps keys
// keeps them for one loaded model.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "engine/scheduler/generation_request.h"

namespace attend {

// nullopt for what must be computed for itself alone: forced passes, whose result is what their
// observer saw, and sampling with a seed that was drawn for the call.
std::optional<std::string> ResponseKey(const GenerationRequest& request);

// Salted by Abseil, so that nobody can choose texts whose keys all fall into one bucket.
struct ResponseKeyHash {
  size_t operator()(std::string_view key) const;
};

}  // namespace attend
