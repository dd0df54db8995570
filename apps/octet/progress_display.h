// What a person sees while pictures are made: a bar with the time left on a terminal, otherwise
// a plain line about every tenth of the work.
//
// Writes to standard error only. Thread-safety: one thread at a time. Errors: none.
#pragma once

#include <cstdint>
#include <string>

#include "octet/request.h"

namespace octet::cli {

/// "12/20 steps  1.2 s, 0.8 s left" for one event of the denoising stage.
[[nodiscard]] std::string progress_text(const Progress& progress);

/// `text` behind a bar that is filled to `part` (0 to 1), cut to `columns` characters.
[[nodiscard]] std::string progress_bar(const std::string& text, double part, int columns);

/// Reading of files.
struct ByteCount {
  std::uint64_t done = 0;
  std::uint64_t total = 0;
  double seconds = 0;  // since the reading began
};

/// "1.20 of 16.10 GB  1.53 GB/s, 9.7 s left".
[[nodiscard]] std::string progress_text(const ByteCount& count);

class ProgressDisplay {
 public:
  enum class Style { kNone, kLines, kBar };
  explicit ProgressDisplay(Style style) : style_(style) {}
  /// Leaves the terminal on a fresh line.
  ~ProgressDisplay();
  ProgressDisplay(const ProgressDisplay&) = delete;
  ProgressDisplay& operator=(const ProgressDisplay&) = delete;

  void update(const Progress& progress);
  /// Shows nothing in the first second: most reading is over by then.
  void update(const std::string& what, const ByteCount& count);
  /// On a terminal: shows what is going on until something else is shown.
  void note(const std::string& text);
  /// Removes the bar or note, so that ordinary lines can follow.
  void clear();

 private:
  void show(const std::string& text, double part, double seconds);
  void draw(const std::string& line);

  Style style_;
  bool bar_visible_ = false;
  double last_drawn_ = -1;  // seconds of the stage
  int tenths_shown_ = 0;
};

}  // namespace octet::cli
