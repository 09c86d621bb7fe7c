// How this folder says that a file is bad: which reason, and file and tensor as metadata, so that
// an operator reads the cause from the message and a program from the detail.
#pragma once

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

// Text out of a file, made fit for a message: shortened, and everything but printable ASCII
// escaped.
std::string Printable(std::string_view text);

// True for a name that stays inside its folder: not empty, no '/', no NUL, neither "." nor "..".
bool IsPlainFileName(std::string_view name);

}  // namespace attend
