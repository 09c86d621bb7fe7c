// Detection reads only the environment and two ioctls; no terminfo database, since every terminal
// that claims colour today takes these sequences.
#include "client/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string_view>

namespace attend::client {
namespace {

bool IsSet(const char* value) { return value != nullptr && *value != '\0'; }

bool IsUtf8Locale(const Environment& environment) {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = environment(name);
    if (!IsSet(value)) continue;
    // An explicit single-byte locale is honoured; "C" and "POSIX" are what containers have by
    // accident.
    const std::string_view locale(value);
    return locale == "C" || locale == "POSIX" || locale.find("UTF-8") != std::string_view::npos ||
           locale.find("utf8") != std::string_view::npos ||
           locale.find("UTF8") != std::string_view::npos ||
           locale.find("utf-8") != std::string_view::npos;
  }
  return true;
}

int ColumnsOf(int fd, const Environment& environment) {
  if (const char* value = environment("COLUMNS"); IsSet(value)) {
    char* end = nullptr;
    const long columns = std::strtol(value, &end, 10);
    if (*end == '\0' && columns >= 10 && columns <= 100000) return static_cast<int>(columns);
  }
  winsize size = {};
  if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col >= 10) return size.ws_col;
  return 80;
}

std::string PaletteOrTrueColor(ColorDepth depth, Rgb color, int plane) {
  switch (depth) {
    case ColorDepth::kNone:
      return "";
    case ColorDepth::k256:
      return "\x1b[" + std::to_string(plane) + ";5;" + std::to_string(NearestPaletteColor(color)) +
             "m";
    case ColorDepth::kTrueColor:
      return "\x1b[" + std::to_string(plane) + ";2;" + std::to_string(color.red) + ";" +
             std::to_string(color.green) + ";" + std::to_string(color.blue) + "m";
  }
  return "";
}

int SquaredDistance(Rgb a, int red, int green, int blue) {
  const int dr = a.red - red, dg = a.green - green, db = a.blue - blue;
  return dr * dr + dg * dg + db * db;
}

}  // namespace

ColorDepth ChooseColor(ColorChoice choice, bool is_tty, const Environment& environment) {
  const char* term = environment("TERM");
  if (choice == ColorChoice::kNever) return ColorDepth::kNone;
  if (choice == ColorChoice::kAuto) {
    if (!is_tty || IsSet(environment("NO_COLOR"))) return ColorDepth::kNone;
    if (!IsSet(term) || std::strcmp(term, "dumb") == 0) return ColorDepth::kNone;
  }
  const char* color_term = environment("COLORTERM");
  const bool is_true_color = IsSet(color_term) && (std::strcmp(color_term, "truecolor") == 0 ||
                                                   std::strcmp(color_term, "24bit") == 0);
  return is_true_color ? ColorDepth::kTrueColor : ColorDepth::k256;
}

Terminal DescribeTerminal(int fd, ColorChoice choice, const Environment& environment) {
  Terminal terminal;
  terminal.is_tty = isatty(fd) == 1;
  terminal.columns = ColumnsOf(fd, environment);
  terminal.color = ChooseColor(choice, terminal.is_tty, environment);
  terminal.unicode = IsUtf8Locale(environment);
  return terminal;
}

Terminal DescribeTerminal(int fd, ColorChoice choice) {
  return DescribeTerminal(fd, choice,
                          [](const char* name) -> const char* { return std::getenv(name); });
}

int NearestPaletteColor(Rgb color) {
  static constexpr int kLevels[] = {0, 95, 135, 175, 215, 255};
  const auto nearest_level = [](int value) {
    int best = 0;
    for (int i = 1; i < 6; ++i) {
      if (std::abs(kLevels[i] - value) < std::abs(kLevels[best] - value)) best = i;
    }
    return best;
  };
  const int r = nearest_level(color.red), g = nearest_level(color.green),
            b = nearest_level(color.blue);
  const int mean = (color.red + color.green + color.blue) / 3;
  const int step = mean < 8 ? 0 : mean > 238 ? 23 : (mean - 8 + 5) / 10;
  const int grey = 8 + 10 * step;
  const bool grey_is_nearer = SquaredDistance(color, grey, grey, grey) <
                              SquaredDistance(color, kLevels[r], kLevels[g], kLevels[b]);
  return grey_is_nearer ? 232 + step : 16 + 36 * r + 6 * g + b;
}

std::string Foreground(ColorDepth depth, Rgb color) { return PaletteOrTrueColor(depth, color, 38); }
std::string Background(ColorDepth depth, Rgb color) { return PaletteOrTrueColor(depth, color, 48); }
std::string Bold(ColorDepth depth) { return depth == ColorDepth::kNone ? "" : "\x1b[1m"; }
std::string Dim(ColorDepth depth) { return depth == ColorDepth::kNone ? "" : "\x1b[2m"; }
std::string ResetStyle(ColorDepth depth) { return depth == ColorDepth::kNone ? "" : "\x1b[0m"; }

}  // namespace attend::client
