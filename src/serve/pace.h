// How long work takes: an average over what was drawn, for estimates of waiting times.
//
// Work is counted in pixel steps: pixels x steps x pictures, doubled by guidance. Thread-safety:
// none of its own.
#pragma once

#include <optional>

#include "serve/messages.h"

namespace octet::serve {

/// Pixel steps of a request, with the model's defaults for what it leaves open.
[[nodiscard]] double work_of(const GenerateRequest& request, const ModelCard* card);

class Pace {
 public:
  /// `work` kept the worker busy for `seconds`.
  void record(double work, double seconds);
  /// Empty until something was recorded.
  [[nodiscard]] std::optional<double> seconds_for(double work) const;

 private:
  double seconds_per_work_ = 0;
  bool known_ = false;
};

}  // namespace octet::serve
