// How this folder says that a file is bad: which reason, and file and tensor as metadata, so that
// an operator reads the cause from the message and a program from the detail.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace attend {

// The file and, where one is to blame, the tensor that an error is about.
struct CheckpointPlace {
  std::string_view file;
  std::string_view tensor;
};

// DATA_LOSS / CHECKPOINT_CORRUPT with metadata file and tensor. The message reads "FILE: tensor
// 'NAME': what".
absl::Status CorruptCheckpoint(const CheckpointPlace& place, std::string_view what);

// UNIMPLEMENTED / CHECKPOINT_UNSUPPORTED: well formed, but in a form that Attend does not read.
absl::Status UnsupportedCheckpoint(const CheckpointPlace& place, std::string_view what);

// The commonest corruption: `wanted` bytes were expected at `offset`, and only `found` are there.
absl::Status ShortRead(const CheckpointPlace& place, uint64_t offset, uint64_t wanted,
                       uint64_t found);

// Two errors that say what was expected and what is there, in the message ("FILE: tensor 'NAME':
// expected …, found …") and as metadata. FAILED_PRECONDITION / MODEL_FAILED: sound, but not what
// the model needs. CorruptTensor: DATA_LOSS / CHECKPOINT_CORRUPT.
absl::Status MismatchedTensor(const CheckpointPlace& place, std::string_view expected,
                              std::string_view found);
absl::Status CorruptTensor(const CheckpointPlace& place, std::string_view expected,
                           std::string_view found);

// NOT_FOUND / TENSOR_MISSING, in the same form.
absl::Status MissingTensor(const CheckpointPlace& place, std::string_view expected);

// RESOURCE_EXHAUSTED / MODEL_FAILED: `bytes` of memory for what stands at a place are not to be
// had.
absl::Status NoMemoryFor(const CheckpointPlace& place, uint64_t bytes);

// Json's INVALID_ARGUMENT about a file of a model folder, as CorruptCheckpoint of that file. Other
// statuses stay as they are.
absl::Status CorruptJson(std::string_view file, const absl::Status& status);

// An error from below, told where it happened: code and message stay, the reason is MODEL_FAILED.
absl::Status FailedAt(const CheckpointPlace& place, const absl::Status& status);

// Text out of a file, made fit for a message: shortened, and everything but printable ASCII
// escaped.
std::string Printable(std::string_view text);

// True for a name that stays inside its folder: not empty, no '/', no NUL, neither "." nor "..".
bool IsPlainFileName(std::string_view name);

}  // namespace attend
