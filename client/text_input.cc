// Waits in poll, not in read, so that Ctrl-C is seen while nobody types.
#include "client/text_input.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "client/text_width.h"

namespace attend::client {

TextInput ReadText(int fd, const Interrupt& interrupt) {
  TextInput input;
  std::array<char, 1 << 16> chunk;
  while (!interrupt.raised()) {
    pollfd wait[2] = {{interrupt.fd(), POLLIN, 0}, {fd, POLLIN, 0}};
    poll(wait, 2, -1);
    if (wait[1].revents == 0) continue;
    const ssize_t size = read(fd, chunk.data(), chunk.size());
    if (size == 0) break;
    if (size < 0) {
      if (errno == EINTR || errno == EAGAIN) continue;
      input.problem = std::string("cannot read the input: ") + std::strerror(errno);
      return input;
    }
    input.text.append(chunk.data(), static_cast<std::size_t>(size));
    if (input.text.size() > kMaxTextBytes) {
      input.problem = "the text has more than 4 MiB, which no server takes";
      return input;
    }
  }
  if (const std::size_t at = FirstInvalidUtf8(input.text); at != std::string::npos)
    input.problem = "the text is not valid UTF-8: byte " + std::to_string(at);
  return input;
}

TextInput ReadTextFile(const std::string& path, const Interrupt& interrupt) {
  if (path == "-") return ReadText(STDIN_FILENO, interrupt);
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {"", "cannot open " + Printable(path) + ": " + std::strerror(errno)};
  TextInput input = ReadText(fd, interrupt);
  close(fd);
  return input;
}

}  // namespace attend::client
