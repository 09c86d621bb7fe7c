// A file is a pickle or several in a row; the machine runs one at a time.
#include "engine/checkpoint/pickle_reader.h"

#include <utility>

#include "engine/base/status_macros.h"
#include "engine/checkpoint/pickle_machine.h"

namespace attend {
namespace {

// Runs the pickle at *position, moves the position behind it, and asks `result` what it holds.
template <typename Result>
auto RunNext(absl::Span<const uint8_t> bytes, std::string_view file, size_t* position,
             Result result) -> decltype(result(std::declval<const PickleMachine&>())) {
  PickleMachine machine(bytes, *position, file, PickleStorageIds::kOfSix);
  ATTEND_RETURN_IF_ERROR(machine.Run());
  *position = machine.position();
  return result(machine);
}

}  // namespace

absl::StatusOr<std::vector<PickledTensor>> ParseStateDict(absl::Span<const uint8_t> bytes,
                                                          std::string_view file) {
  PickleMachine machine(bytes, 0, file, PickleStorageIds::kOfFive);
  ATTEND_RETURN_IF_ERROR(machine.Run());
  ATTEND_RETURN_IF_ERROR(machine.ExpectEnd());
  return machine.ResultAsTensors();
}

absl::StatusOr<int64_t> PickleStream::TakeInt() {
  return RunNext(bytes_, file_, &position_, [](const auto& run) { return run.ResultAsInt(); });
}

absl::StatusOr<bool> PickleStream::TakeFlag(std::string_view key) {
  return RunNext(bytes_, file_, &position_,
                 [key](const auto& run) { return run.ResultAsFlag(key); });
}

absl::StatusOr<std::vector<std::string>> PickleStream::TakeStrings() {
  return RunNext(bytes_, file_, &position_, [](const auto& run) { return run.ResultAsStrings(); });
}

absl::StatusOr<std::vector<PickledTensor>> PickleStream::TakeStateDict() {
  return RunNext(bytes_, file_, &position_, [](const auto& run) { return run.ResultAsTensors(); });
}

}  // namespace attend
