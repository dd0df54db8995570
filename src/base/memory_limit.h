// The limit on memory that a container, a service or a shell has: the tightest of its control
// groups and of ulimit -v and -d.
//
// Version 1 and 2 of the kernel's interface, from the process's own group up to the root. Sizes in
// bytes. Thread-safe. Errors: none; what the system does not tell is no limit.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace octet {

struct MemoryLimit {
  std::string file;  // that holds the limit, or "ulimit -v"
  std::size_t limit = 0;
  std::size_t used = 0;  // without files that the kernel only keeps as long as nobody needs room

  [[nodiscard]] std::size_t left() const { return used < limit ? limit - used : 0; }
};

/// The one that leaves least; nothing when there is none.
[[nodiscard]] std::optional<MemoryLimit> memory_limit();

}  // namespace octet
