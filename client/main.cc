// The entry point, and what must happen before it; the rest is in a library that was compiled with
// the shared header.
#include <fcntl.h>
#include <unistd.h>

#include <initializer_list>

#include "client/program.h"

namespace {

// A caller may have closed standard input, output or error. The next file or socket would get that
// number and be read or written by mistake, so each is taken by /dev/null, opened the wrong way
// round: using it fails, as using a closed one does.
void FillClosedStandardDescriptors() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(fd, F_GETFD) >= 0) continue;
    if (open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd) return;
  }
}

// gRPC opens descriptors while its library is being loaded, before main and before every
// constructor of this program; only this section comes earlier.
[[gnu::section(".preinit_array"),
  gnu::used]] void (*const fill_closed_standard_descriptors)() = FillClosedStandardDescriptors;

}  // namespace

int main(int argc, char** argv) { return attend::client::RunProgram(argc, argv); }
