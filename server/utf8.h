// Text that may hold anything (a file's, a path's, a vocabulary's) made fit for protobuf, JSON and
// Prometheus, which take UTF-8 only.
#pragma once

#include <string>
#include <string_view>

namespace attend::server {

bool IsUtf8(std::string_view text);

// The text with U+FFFD for each ill-formed sequence (its longest well-formed beginning, or one
// byte: what the Unicode standard recommends and browsers do). Surrogates and overlong forms are
// ill-formed.
std::string ToUtf8(std::string_view text);

}  // namespace attend::server
