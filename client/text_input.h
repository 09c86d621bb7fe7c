// A whole text from a file or standard input.
#pragma once

#include <cstddef>
#include <string>

#include "client/interrupt.h"

namespace attend::client {

// What gRPC takes in one message by default; no server takes a longer text.
inline constexpr std::size_t kMaxTextBytes = 4 << 20;

struct TextInput {
  std::string text;
  std::string problem;  // why there is none: cannot be read, too long, or not UTF-8
};

// Reads to the end; borrows the descriptor. Ctrl-C ends the wait with what was read so far.
TextInput ReadText(int fd, const Interrupt& interrupt);

// The same for a path; "-" is standard input.
TextInput ReadTextFile(const std::string& path, const Interrupt& interrupt);

}  // namespace attend::client
