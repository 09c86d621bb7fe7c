// Uses are counted for each token. A slot that nobody uses is filled by the next token that needs
// one; when such holes become many, or nobody is left, the rest moves together.
#include "engine/layers/output_subset.h"

#include <algorithm>

#include "engine/base/check.h"

namespace attend {
namespace {

// Free slots are computed like the others: so many are borne.
constexpr size_t kMostFreeSlots = 256;

}  // namespace

OutputSubset::OutputSubset(const Int8Dense* projection, absl::Span<const int32_t> pinned)
    : packed_(projection),
      num_pinned_(static_cast<int64_t>(pinned.size())),
      slot_of_(static_cast<size_t>(projection->outputs()), -1) {
  Add(pinned);
}

void OutputSubset::Put(int32_t token) {
  int32_t slot;
  if (free_.empty()) {
    slot = static_cast<int32_t>(token_of_.size());
    token_of_.push_back(token);
    uses_.push_back(0);
  } else {
    slot = free_.back();
    free_.pop_back();
    token_of_[static_cast<size_t>(slot)] = token;
  }
  packed_.Place(slot, token);
  slot_of_[static_cast<size_t>(token)] = slot;
}

void OutputSubset::Add(absl::Span<const int32_t> tokens) {
  // All memory first, so that want of it changes nothing.
  const auto num_new =
      static_cast<size_t>(std::count_if(tokens.begin(), tokens.end(), [this](int32_t token) {
        return slot_of_[static_cast<size_t>(token)] < 0;
      }));
  const size_t slots = token_of_.size() + num_new - std::min(num_new, free_.size());
  token_of_.reserve(slots);
  uses_.reserve(slots);
  free_.reserve(slots);
  packed_.Resize(static_cast<int64_t>(slots));
  for (const int32_t token : tokens) {
    if (slot_of_[static_cast<size_t>(token)] < 0) Put(token);
    ++uses_[static_cast<size_t>(slot_of_[static_cast<size_t>(token)])];
  }
}

void OutputSubset::Remove(absl::Span<const int32_t> tokens) {
  for (const int32_t token : tokens) {
    const int32_t slot = slot_of_[static_cast<size_t>(token)];
    ATTEND_CHECK(slot >= 0 && uses_[static_cast<size_t>(slot)] > 0, "a token leaves twice");
    if (--uses_[static_cast<size_t>(slot)] > 0) continue;
    slot_of_[static_cast<size_t>(token)] = -1;
    free_.push_back(slot);
  }
  const size_t used = token_of_.size() - free_.size();
  const bool only_pinned = static_cast<int64_t>(used) == num_pinned_;
  if (!free_.empty() && (only_pinned || free_.size() > std::max(kMostFreeSlots, used / 2)))
    Compact();
}

void OutputSubset::Compact() {
  size_t next = 0;
  for (size_t slot = 0; slot < token_of_.size(); ++slot) {
    if (uses_[slot] == 0) continue;
    if (next != slot) {
      token_of_[next] = token_of_[slot];
      uses_[next] = uses_[slot];
      slot_of_[static_cast<size_t>(token_of_[next])] = static_cast<int32_t>(next);
      packed_.Place(static_cast<int64_t>(next), token_of_[next]);
    }
    ++next;
  }
  token_of_.resize(next);
  uses_.resize(next);
  free_.clear();
  packed_.Resize(static_cast<int64_t>(next));
  ++layout_;
}

void OutputSubset::SlotsOf(absl::Span<const int32_t> tokens, std::vector<int32_t>* slots) const {
  slots->clear();
  for (const int32_t token : tokens) {
    slots->push_back(slot_of_[static_cast<size_t>(token)]);
    ATTEND_DCHECK(slots->back() >= 0, "a token that is not there");
  }
}

void OutputSubset::Run(ConstMatrixView hidden, Matrix* logits) const {
  logits->Resize(hidden.rows, slots());
  packed_.Run(hidden, logits->view());
}

}  // namespace attend
