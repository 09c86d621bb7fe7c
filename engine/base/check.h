// Checks of invariants: a failed one is a bug of ours, never a caller's doing, and ends the
// process. Anything that a file, a caller or the network can cause is an absl::Status instead
// (base/error.h).
#pragma once

namespace attend {

// Prints file, line and message to standard error and aborts.
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition,
                              const char* message);

}  // namespace attend

#define ATTEND_CHECK(condition, message)                              \
  do {                                                                \
    if (!(condition)) {                                               \
      ::attend::CheckFailed(__FILE__, __LINE__, #condition, message); \
    }                                                                 \
  } while (false)

#ifdef NDEBUG
#define ATTEND_DCHECK(condition, message) \
  do {                                    \
  } while (false && (condition))
#else
#define ATTEND_DCHECK(condition, message) ATTEND_CHECK(condition, message)
#endif
