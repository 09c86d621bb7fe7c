// Progress is measured in bytes of input, the only total that is known before the file was read
// once.
#include "client/progress_bar.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "client/text_width.h"

namespace attend::client {
namespace {

std::string FormatClock(double seconds) {
  const auto whole = static_cast<long long>(std::min(seconds, 359999.0));
  char text[32];
  if (whole >= 3600) {
    std::snprintf(text, sizeof text, "%lld:%02lld:%02lld", whole / 3600, whole / 60 % 60,
                  whole % 60);
  } else {
    std::snprintf(text, sizeof text, "%lld:%02lld", whole / 60, whole % 60);
  }
  return text;
}

std::string Bar(double share, int width, bool unicode) {
  const int full = static_cast<int>(share * width);
  std::string bar = unicode ? "" : "[";
  for (int i = 0; i < width; ++i) bar += i < full ? (unicode ? "█" : "#") : (unicode ? "░" : ".");
  return unicode ? bar : bar + "]";
}

}  // namespace

std::string FormatProgress(const Progress& progress, const Terminal& terminal) {
  std::string text;
  char part[64];
  const double share = progress.bytes_total <= 0
                           ? 0
                           : std::clamp(static_cast<double>(progress.bytes_done) /
                                            static_cast<double>(progress.bytes_total),
                                        0.0, 1.0);
  if (progress.bytes_total > 0) {
    std::snprintf(part, sizeof part, " %3d%%", static_cast<int>(share * 100));
    text += part;
  }
  text +=
      " " + std::to_string(progress.lines_done) + (progress.lines_done == 1 ? " line" : " lines");
  if (progress.lines_failed > 0) text += ", " + std::to_string(progress.lines_failed) + " failed";
  if (progress.seconds >= 0.5 && progress.lines_done > 0) {
    std::snprintf(part, sizeof part, ", %.1f/s",
                  static_cast<double>(progress.lines_done) / progress.seconds);
    text += part;
    if (share > 0.01 && share < 1)
      text += ", " + FormatClock(progress.seconds / share * (1 - share)) + " left";
  }
  const int room = terminal.columns - 1 - DisplayWidth(text) - (terminal.unicode ? 0 : 2);
  if (progress.bytes_total > 0 && room >= 8)
    text = Bar(share, std::min(room, 40), terminal.unicode) + text;
  return CutToWidth(text, terminal.columns - 1, "");
}

ProgressBar::ProgressBar(int fd, Terminal terminal, bool enabled)
    : fd_(fd), terminal_(terminal), enabled_(enabled && terminal.is_tty) {}

ProgressBar::~ProgressBar() { Clear(); }

void ProgressBar::Update(Progress progress) {
  if (!enabled_) return;
  const Clock::time_point now = Clock::now();
  if (is_drawn_ && now - last_draw_ < std::chrono::milliseconds(100)) return;
  last_draw_ = now;
  Draw(progress);
}

void ProgressBar::Draw(Progress progress) {
  progress.seconds = std::chrono::duration<double>(Clock::now() - start_).count();
  const std::string line = "\r\x1b[2K" + FormatProgress(progress, terminal_);
  if (write(fd_, line.data(), line.size()) < 0) enabled_ = false;
  is_drawn_ = true;
}

void ProgressBar::Finish(Progress progress) {
  if (!enabled_) return;
  Draw(progress);
  if (write(fd_, "\n", 1) < 0) enabled_ = false;
  is_drawn_ = false;
}

void ProgressBar::Clear() {
  if (!is_drawn_) return;
  is_drawn_ = false;
  if (write(fd_, "\r\x1b[2K", 5) < 0) enabled_ = false;
}

}  // namespace attend::client
