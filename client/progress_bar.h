// A one-line progress bar for long files.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "client/terminal.h"

namespace attend::client {

struct Progress {
  int64_t bytes_done = 0, bytes_total = 0;  // of the input file; total 0 when unknown
  int64_t lines_done = 0, lines_failed = 0;
  double seconds = 0;  // since the start
};

// One line without line end, at most terminal.columns wide: bar, share, lines, rate, time left.
std::string FormatProgress(const Progress& progress, const Terminal& terminal);

// Draws on a file descriptor, at most ten times a second, and only when that is a terminal.
class ProgressBar {
 public:
  ProgressBar(int fd, Terminal terminal, bool enabled);
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  bool enabled() const { return enabled_; }
  void Update(Progress progress);  // fills in the seconds
  void Clear();  // removes the line, so that messages stand alone; Update brings it back
  void Finish(Progress progress);  // shows the end state and leaves it standing

 private:
  using Clock = std::chrono::steady_clock;
  void Draw(Progress progress);

  int fd_;
  Terminal terminal_;
  bool enabled_;
  bool is_drawn_ = false;
  Clock::time_point start_ = Clock::now();
  Clock::time_point last_draw_ = {};
};

}  // namespace attend::client
