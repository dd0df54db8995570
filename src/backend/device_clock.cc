#include "backend/device_clock.h"

#include "backend/backend.h"

namespace octet {

void HostClock::mark() {
  backend_.synchronize();
  marks_.push_back(std::chrono::steady_clock::now());
}

std::vector<double> HostClock::seconds() {
  std::vector<double> result;
  for (const auto& mark : marks_) {
    result.push_back(std::chrono::duration<double>(mark - marks_.front()).count());
  }
  return result;
}

std::unique_ptr<DeviceClock> Backend::make_clock() { return std::make_unique<HostClock>(*this); }

}  // namespace octet
