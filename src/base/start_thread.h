// start_thread: std::thread whose refusal is an error that says what to do.
//
// A user, a control group or the system may allow no further thread. Thread-safe. Errors:
// Error(kOutOfMemory), worded as doctor's finding "limits".
#pragma once

#include <system_error>
#include <thread>
#include <utility>

namespace octet {

/// Throws what start_thread throws.
[[noreturn]] void refuse_thread(const std::error_code& reason);

template <typename Work>
[[nodiscard]] std::thread start_thread(Work&& work) {
  try {
    return std::thread(std::forward<Work>(work));
  } catch (const std::system_error& error) {
    refuse_thread(error.code());
  }
}

}  // namespace octet
