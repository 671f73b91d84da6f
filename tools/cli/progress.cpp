// progress.cpp: a bar or lines on stderr.
#include "cli/progress.hpp"

#include <unistd.h>

#include <cstdio>

namespace halfstep::cli {
namespace {

constexpr auto kBarInterval = std::chrono::milliseconds(100);
constexpr auto kLineInterval = std::chrono::seconds(5);
constexpr int kBarWidth = 30;

}  // namespace

ProgressPrinter::ProgressPrinter() : is_terminal_(isatty(STDERR_FILENO) == 1) {}

ProgressPrinter::~ProgressPrinter() { clear_line(); }

void ProgressPrinter::clear_line() {
  if (line_open_) std::fputs("\r\033[K", stderr);
  line_open_ = false;
}

void ProgressPrinter::draw_bar(std::string_view stage, std::int64_t done, std::int64_t total) {
  const int filled = static_cast<int>(total > 0 ? kBarWidth * done / total : kBarWidth);
  std::string bar(static_cast<std::size_t>(kBarWidth), '.');
  bar.replace(0, static_cast<std::size_t>(filled), static_cast<std::size_t>(filled), '#');
  std::fprintf(stderr, "\r\033[K%-12.*s [%s] %lld/%lld", static_cast<int>(stage.size()), stage.data(), bar.c_str(),
               static_cast<long long>(done), static_cast<long long>(total));
  line_open_ = true;
}

void ProgressPrinter::update(std::string_view stage, std::int64_t done, std::int64_t total) {
  const Clock::time_point now = Clock::now();
  if (stage_ != stage) {
    stage_ = stage;
    stage_start_ = now;
    last_shown_ = now - (is_terminal_ ? kBarInterval : Clock::duration::zero());
  }
  const bool finished = done >= total;
  if (is_terminal_) {
    if (finished) {
      clear_line();
    } else if (now - last_shown_ >= kBarInterval) {
      draw_bar(stage, done, total);
      last_shown_ = now;
    }
    return;
  }
  if (!finished && now - last_shown_ < kLineInterval) return;
  last_shown_ = now;
  const double seconds = std::chrono::duration<double>(now - stage_start_).count();
  std::fprintf(stderr, "%.*s: %lld of %lld samples, %.1f s\n", static_cast<int>(stage.size()), stage.data(),
               static_cast<long long>(done), static_cast<long long>(total), seconds);
}

}  // namespace halfstep::cli
