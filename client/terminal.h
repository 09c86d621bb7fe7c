// What the terminal at the other end of a file descriptor can show, and the escape sequences for
// it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace attend::client {

enum class ColorChoice { kAuto, kAlways, kNever };
enum class ColorDepth { kNone, k256, kTrueColor };

struct Terminal {
  bool is_tty = false;
  int columns = 80;
  ColorDepth color = ColorDepth::kNone;
  bool unicode = true;  // false: plain ASCII marks and shades
};

// Looks up an environment variable; nullptr when unset.
using Environment = std::function<const char*(const char* name)>;

// Colour rules: --color=always and never win; then NO_COLOR (when not empty) and TERM=dumb switch
// it off, as does anything that is no terminal. COLORTERM=truecolor or 24bit gives 24-bit colour,
// else the 256-colour palette is used.
ColorDepth ChooseColor(ColorChoice choice, bool is_tty, const Environment& environment);

// Width rules: COLUMNS when it is a sensible number, then the terminal's own width, then 80.
Terminal DescribeTerminal(int fd, ColorChoice choice, const Environment& environment);
Terminal DescribeTerminal(int fd, ColorChoice choice);  // the process's environment

struct Rgb {
  uint8_t red = 0, green = 0, blue = 0;
};

// Escape sequences; empty at ColorDepth::kNone.
std::string Foreground(ColorDepth depth, Rgb color);
std::string Background(ColorDepth depth, Rgb color);
std::string Bold(ColorDepth depth);
std::string Dim(ColorDepth depth);
std::string ResetStyle(ColorDepth depth);

// Nearest entry of the palette's 6 x 6 x 6 cube or its grey ramp.
int NearestPaletteColor(Rgb color);

}  // namespace attend::client
