#include "serve/pace.h"

namespace octet::serve {

double work_of(const GenerateRequest& request, const ModelCard* card) {
  static const ModelCard kUnknown;
  const ModelCard& model = card ? *card : kUnknown;
  const double pixels = static_cast<double>(request.width.value_or(model.width)) *
                        request.height.value_or(model.height);
  const double passes = request.guidance.value_or(model.guidance) > 1 ? 2 : 1;
  return pixels * request.steps.value_or(model.steps) * passes * request.batch;
}

void Pace::record(double work, double seconds) {
  if (!(work > 0) || !(seconds > 0)) return;
  // The last few jobs count: the machine may be shared, and models differ.
  constexpr double kNew = 0.3;
  const double latest = seconds / work;
  seconds_per_work_ = known_ ? (1 - kNew) * seconds_per_work_ + kNew * latest : latest;
  known_ = true;
}

std::optional<double> Pace::seconds_for(double work) const {
  if (!known_) return std::nullopt;
  return seconds_per_work_ * work;
}

}  // namespace octet::serve
