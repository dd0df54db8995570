#include "progress_display.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "base/format.h"
#include "standard_streams.h"

namespace octet::cli {
namespace {

constexpr int kWidestBar = 40;
constexpr int kNarrowestBar = 8;
constexpr double kSecondsBetweenDraws = 0.1;
constexpr const char* kEraseLine = "\r\x1b[K";

std::string duration_text(double seconds) {
  if (seconds < 99.95) return format("%.1f s", seconds);
  const long whole = std::lround(seconds);
  if (whole < 3600) return format("%ld:%02ld min", whole / 60, whole % 60);
  return format("%ld:%02ld h", whole / 3600, whole / 60 % 60);
}

int terminal_columns() {
  struct winsize size {};
  const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 80;
}

bool is_last(const Progress& progress) { return progress.step >= progress.steps; }

}  // namespace

std::string progress_text(const Progress& progress) {
  std::string text = format("%d/%d steps  %s", progress.step, progress.steps,
                            duration_text(progress.seconds).c_str());
  if (is_last(progress) || progress.step < 1) return text;
  const double left = progress.seconds / progress.step * (progress.steps - progress.step);
  return text + ", " + duration_text(left) + " left";
}

std::string progress_bar(const Progress& progress, int columns) {
  const std::string text = progress_text(progress);
  // One column stays free: some terminals wrap when the last one is written.
  const int room = columns - 1 - static_cast<int>(text.size()) - 3;
  const int width = std::min(room, kWidestBar);
  const auto visible = static_cast<std::size_t>(std::max(columns - 1, 0));
  if (width < kNarrowestBar || progress.steps < 1) return text.substr(0, visible);
  const int done = std::clamp(width * progress.step / progress.steps, 0, width);
  std::string bar = "[";
  bar.append(static_cast<std::size_t>(done), '#');
  bar.append(static_cast<std::size_t>(width - done), '.');
  return bar.append("] ").append(text);
}

ProgressDisplay::~ProgressDisplay() { clear(); }

void ProgressDisplay::update(const Progress& progress) {
  if (style_ == Style::kNone || progress.stage != Stage::kDenoise) return;
  if (style_ == Style::kBar) {
    const bool soon = last_drawn_ >= 0 && progress.seconds - last_drawn_ < kSecondsBetweenDraws;
    if (soon && !is_last(progress)) return;
    last_drawn_ = progress.seconds;
    draw(progress_bar(progress, terminal_columns()));
    return;
  }
  const int tenths = progress.step * 10 / std::max(progress.steps, 1);
  if (tenths == tenths_shown_) return;
  tenths_shown_ = tenths;
  print_line("  " + progress_text(progress));
}

void ProgressDisplay::note(const std::string& text) {
  if (style_ != Style::kBar) return;
  const int visible = std::max(terminal_columns() - 1, 0);
  draw(excerpt(text, 200).substr(0, static_cast<std::size_t>(visible)));
}

void ProgressDisplay::draw(const std::string& line) {
  const std::string text = kEraseLine + line;
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
  bar_visible_ = true;
}

void ProgressDisplay::clear() {
  if (!bar_visible_) return;
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, kEraseLine, 4);
  bar_visible_ = false;
}

}  // namespace octet::cli
