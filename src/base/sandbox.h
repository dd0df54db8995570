// A cage for a process that reads hostile bytes from standard input, computes, and writes to
// standard output.
//
// After enter_sandbox() the kernel ends the process at any system call but: read from descriptor 0,
// write to descriptor 1, memory of its own that is not executable, and exit. So code that an
// attacker takes over cannot open, connect, start or signal anything. Memory and processor time are
// limited, and the process ends with its parent. There is no way back.
//
// Thread-safety: for a process that never had more than one thread. Errors: Error(kDevice) when the
// kernel refuses. Builds with a sanitizer set the limits of time only: sanitizers make system calls
// of their own.
#pragma once

#include <cstddef>

namespace octet {

struct SandboxLimits {
  std::size_t memory_bytes = std::size_t{1} << 30;  // of address space
  unsigned processor_seconds = 20;
};

void enter_sandbox(const SandboxLimits& limits);

}  // namespace octet
