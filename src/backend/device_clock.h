// DeviceClock: when the work queued before a mark was done, in the device's own time where it has
// one. A backend whose ops return when they are done needs none (HostClock).
//
// Belongs to one backend and thread; must not outlive the backend. Errors: those of the backend.
#pragma once

#include <chrono>
#include <vector>

namespace octet {

class Backend;

class DeviceClock {
 public:
  DeviceClock() = default;
  virtual ~DeviceClock() = default;
  DeviceClock(const DeviceClock&) = delete;
  DeviceClock& operator=(const DeviceClock&) = delete;

  virtual void mark() = 0;
  /// Seconds from the first mark to each mark; waits for the last.
  [[nodiscard]] virtual std::vector<double> seconds() = 0;
};

/// Waits for the device at every mark.
class HostClock final : public DeviceClock {
 public:
  explicit HostClock(Backend& backend) : backend_(backend) {}
  void mark() override;
  [[nodiscard]] std::vector<double> seconds() override;

 private:
  Backend& backend_;
  std::vector<std::chrono::steady_clock::time_point> marks_;
};

}  // namespace octet
