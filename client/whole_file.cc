// mkstemp makes the new file in the same folder, because a rename does not cross file systems. Its
// mode is what open() would have given, or that of the file replaced.
#include "client/whole_file.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <memory>

#include "client/output.h"

namespace attend::client {
namespace {

std::string WriteThrough(Output output, std::string_view text) {
  output.Write(text);
  output.Flush();
  if (output.reader_left()) return "";
  return output.error();
}

mode_t DefaultMode() {
  const mode_t mask = umask(0);
  umask(mask);
  return 0666 & ~mask;
}

}  // namespace

std::string WriteWholeFile(const std::string& path, std::string_view text) {
  struct stat found = {};
  const bool exists = stat(path.c_str(), &found) == 0;
  if (exists && !S_ISREG(found.st_mode)) return WriteThrough(Output::OpenFile(path), text);
  // A file that could not be written to must not be replaced either.
  if (exists && access(path.c_str(), W_OK) != 0) return std::strerror(errno);
  std::string target = path;
  if (exists) {
    const std::unique_ptr<char, void (*)(void*)> real(realpath(path.c_str(), nullptr), free);
    if (real != nullptr) target = real.get();
  }
  std::string unfinished = target + ".XXXXXX";
  const int fd = mkstemp(unfinished.data());
  if (fd < 0) return std::strerror(errno);
  std::string error = WriteThrough(Output(fd), text);
  if (fchmod(fd, exists ? found.st_mode & 07777 : DefaultMode()) != 0 && error.empty())
    error = std::strerror(errno);
  if (close(fd) != 0 && error.empty()) error = std::strerror(errno);
  if (error.empty() && std::rename(unfinished.c_str(), target.c_str()) != 0)
    error = std::strerror(errno);
  if (!error.empty()) unlink(unfinished.c_str());
  return error;
}

}  // namespace attend::client
