#include "base/available_memory.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <string>

#include "base/memory_limit.h"

namespace octet {
namespace {

std::size_t of_the_machine() {
  std::ifstream file("/proc/meminfo");
  for (std::string line; std::getline(file, line);) {
    unsigned long long kilobytes = 0;
    if (std::sscanf(line.c_str(), "MemAvailable: %llu kB", &kilobytes) == 1) {
      return static_cast<std::size_t>(kilobytes) * 1024;
    }
  }
  return 0;
}

}  // namespace

std::size_t available_memory() {
  const std::size_t machine = of_the_machine();
  const auto limit = memory_limit();
  if (!limit) return machine;
  // 0 would say that nothing is known.
  return std::max<std::size_t>(std::min(machine, limit->left()), 1);
}

}  // namespace octet
