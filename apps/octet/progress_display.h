// What a person sees while pictures are made: a bar with the time left on a terminal, otherwise
// a plain line about every tenth of the work.
//
// Writes to standard error only. Thread-safety: one thread at a time. Errors: none.
#pragma once

#include <string>

#include "octet/request.h"

namespace octet::cli {

/// "12/20 steps  1.2 s, 0.8 s left" for one event of the denoising stage.
[[nodiscard]] std::string progress_text(const Progress& progress);

/// The same behind a bar, cut to `columns` characters.
[[nodiscard]] std::string progress_bar(const Progress& progress, int columns);

class ProgressDisplay {
 public:
  enum class Style { kNone, kLines, kBar };
  explicit ProgressDisplay(Style style) : style_(style) {}
  /// Leaves the terminal on a fresh line.
  ~ProgressDisplay();
  ProgressDisplay(const ProgressDisplay&) = delete;
  ProgressDisplay& operator=(const ProgressDisplay&) = delete;

  void update(const Progress& progress);
  /// On a terminal: shows what is going on until something else is shown.
  void note(const std::string& text);
  /// Removes the bar or note, so that ordinary lines can follow.
  void clear();

 private:
  void draw(const std::string& line);

  Style style_;
  bool bar_visible_ = false;
  double last_drawn_ = -1;  // seconds of the stage
  int tenths_shown_ = 0;
};

}  // namespace octet::cli
