// A file that is there whole or not at all.
#pragma once

#include <string>
#include <string_view>

namespace attend::client {

// Writes beside the file first and renames then: readers see the old file or the new one, and a
// disk that fills up leaves the old one. Overwrites. A path that is no regular file (a pipe,
// /dev/stdout) is written to as it is; a symbolic link stays, and what it names is replaced.
// Returns why it failed, empty when it did not.
std::string WriteWholeFile(const std::string& path, std::string_view text);

}  // namespace attend::client
