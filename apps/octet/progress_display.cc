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

double part_of(const Progress& progress) {
  return progress.steps < 1 ? 1 : static_cast<double>(progress.step) / progress.steps;
}

}  // namespace

std::string progress_text(const Progress& progress) {
  std::string text = format("%d/%d steps  %s", progress.step, progress.steps,
                            duration_text(progress.seconds).c_str());
  if (is_last(progress) || progress.step < 1) return text;
  const double left = progress.seconds / progress.step * (progress.steps - progress.step);
  return text + ", " + duration_text(left) + " left";
}

std::string progress_text(const ByteCount& count) {
  constexpr double kGiga = 1e-9;
  const auto done = static_cast<double>(count.done), total = static_cast<double>(count.total);
  const double rate = count.seconds > 0 ? done / count.seconds : 0;
  std::string text =
      format("%.2f of %.2f GB  %.2f GB/s", done * kGiga, total * kGiga, rate * kGiga);
  if (count.done >= count.total || rate <= 0) return text;
  return text + ", " + duration_text((total - done) / rate) + " left";
}

std::string progress_bar(const std::string& text, double part, int columns) {
  // One column stays free: some terminals wrap when the last one is written.
  const int room = columns - 1 - static_cast<int>(text.size()) - 3;
  const int width = std::min(room, kWidestBar);
  const auto visible = static_cast<std::size_t>(std::max(columns - 1, 0));
  if (width < kNarrowestBar) return text.substr(0, visible);
  const int done = std::clamp(static_cast<int>(width * part), 0, width);
  std::string bar = "[";
  bar.append(static_cast<std::size_t>(done), '#');
  bar.append(static_cast<std::size_t>(width - done), '.');
  return bar.append("] ").append(text);
}

ProgressDisplay::~ProgressDisplay() { clear(); }

void ProgressDisplay::update(const Progress& progress) {
  if (progress.stage != Stage::kDenoise) return;
  show(progress_text(progress), part_of(progress), progress.seconds);
}

void ProgressDisplay::update(const std::string& what, const ByteCount& count) {
  constexpr double kPatience = 1;
  if (count.seconds < kPatience) return;
  const double part =
      count.total > 0 ? static_cast<double>(count.done) / static_cast<double>(count.total) : 1;
  show(what + " " + progress_text(count), part, count.seconds);
}

void ProgressDisplay::show(const std::string& text, double part, double seconds) {
  if (style_ == Style::kNone) return;
  if (style_ == Style::kBar) {
    const bool soon = last_drawn_ >= 0 && seconds - last_drawn_ < kSecondsBetweenDraws;
    if (soon && part < 1) return;
    last_drawn_ = seconds;
    draw(progress_bar(text, part, terminal_columns()));
    return;
  }
  const int tenths = static_cast<int>(part * 10 + 1e-9);
  if (tenths == tenths_shown_) return;
  tenths_shown_ = tenths;
  print_line("  " + text);
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
