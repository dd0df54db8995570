// SIGINT and SIGTERM: stop cleanly, exit code 130.
//
// Before the engine computes there is nothing to clean up, so a signal ends the process at once.
// While a CleanStop is alive it only sets a flag, which the progress hook reads once a step; a
// second signal kills. Thread-safety: the handler touches lock-free atomics only.
#pragma once

namespace octet::cli {

/// Call once, before anything slow.
void install_interrupt_handlers();

[[nodiscard]] bool interrupted();

/// Throws Error(kCancelled) when a signal has come.
void stop_if_interrupted();

class CleanStop {
 public:
  CleanStop();
  ~CleanStop();
  CleanStop(const CleanStop&) = delete;
  CleanStop& operator=(const CleanStop&) = delete;
};

}  // namespace octet::cli
