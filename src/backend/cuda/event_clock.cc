#include "backend/cuda/event_clock.h"

#include "backend/cuda/status.h"

namespace octet::cuda {

EventClock::~EventClock() {
  for (const cudaEvent_t event : marks_) (void)cudaEventDestroy(event);
}

void EventClock::mark() {
  cudaEvent_t event = nullptr;
  check(cudaEventCreate(&event), "creating a CUDA event");
  marks_.push_back(event);
  check(cudaEventRecord(event, stream_), "recording a CUDA event");
}

std::vector<double> EventClock::seconds() {
  std::vector<double> result;
  if (!marks_.empty()) check(cudaEventSynchronize(marks_.back()), "waiting for the device");
  for (const cudaEvent_t event : marks_) {
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, marks_.front(), event), "cudaEventElapsedTime");
    result.push_back(static_cast<double>(milliseconds) / 1e3);
  }
  return result;
}

}  // namespace octet::cuda
