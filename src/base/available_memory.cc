#include "base/available_memory.h"

#include <cstdio>
#include <fstream>
#include <string>

namespace octet {

std::size_t available_memory() {
  std::ifstream file("/proc/meminfo");
  for (std::string line; std::getline(file, line);) {
    unsigned long long kilobytes = 0;
    if (std::sscanf(line.c_str(), "MemAvailable: %llu kB", &kilobytes) == 1) {
      return static_cast<std::size_t>(kilobytes) * 1024;
    }
  }
  return 0;
}

}  // namespace octet
