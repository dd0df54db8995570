// EventClock: times between CUDA events on one stream, to about half a microsecond.
//
// Errors: Error(kDevice). One thread at a time.
#pragma once

#include <cuda_runtime_api.h>

#include <vector>

#include "backend/device_clock.h"

namespace octet::cuda {

class EventClock final : public DeviceClock {
 public:
  explicit EventClock(cudaStream_t stream) : stream_(stream) {}
  ~EventClock() override;
  void mark() override;
  [[nodiscard]] std::vector<double> seconds() override;

 private:
  cudaStream_t stream_;
  std::vector<cudaEvent_t> marks_;
};

}  // namespace octet::cuda
