// What one round of the engine loop does, decided before anything runs. A plain value: tests
// compare it, logs print it.
#pragma once

#include <cstdint>
#include <ostream>
#include <vector>

#include "engine/scheduler/engine_observer.h"  // CancelCause

namespace attend {

using SequenceId = uint64_t;  // rising in order of arrival; never used twice

// A sequence that nobody wants any more, or may want any longer.
struct PlannedDrop {
  SequenceId id = 0;
  CancelCause cause = CancelCause::kClient;
  bool was_running = false;

  friend bool operator==(const PlannedDrop& a, const PlannedDrop& b) {
    return a.id == b.id && a.cause == b.cause && a.was_running == b.was_running;
  }
};

// In this order: drop, forced, encode, decode. `decode` holds the sequences just encoded, too.
struct StepPlan {
  std::vector<PlannedDrop> drop;
  std::vector<SequenceId> forced;  // one forced pass, all packed
  std::vector<SequenceId> encode;  // one encoder pass, all packed
  std::vector<SequenceId> decode;  // one decode step with all their rows

  bool runs_nothing() const { return forced.empty() && encode.empty() && decode.empty(); }

  friend bool operator==(const StepPlan& a, const StepPlan& b) {
    return a.drop == b.drop && a.forced == b.forced && a.encode == b.encode && a.decode == b.decode;
  }
};

// "drop [3 client] forced [] encode [7 8] decode [1 2 7 8]"
std::ostream& operator<<(std::ostream& out, const StepPlan& plan);

}  // namespace attend
