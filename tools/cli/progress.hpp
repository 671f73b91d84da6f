// progress.hpp: progress of long work on stderr.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace halfstep::cli {

/// A bar that redraws itself on a terminal; elsewhere a line now and then.
class ProgressPrinter {
 public:
  ProgressPrinter();
  ~ProgressPrinter();

  void update(std::string_view stage, std::int64_t done, std::int64_t total);
  /// Makes room for another message.
  void clear_line();

 private:
  using Clock = std::chrono::steady_clock;
  void draw_bar(std::string_view stage, std::int64_t done, std::int64_t total);

  bool is_terminal_;
  bool line_open_ = false;
  std::string stage_;
  Clock::time_point stage_start_;
  Clock::time_point last_shown_;
};

}  // namespace halfstep::cli
