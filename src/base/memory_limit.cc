#include "base/memory_limit.h"

#include <sys/resource.h>
#include <unistd.h>

#include <charconv>
#include <fstream>
#include <utility>

namespace octet {
namespace {

// Version 1 writes "no limit" as a number near 2^63.
constexpr std::size_t kNoLimit = std::size_t{1} << 60;

struct Interface {
  const char* mount;
  const char *limit, *used, *inactive;  // names of files, and a field of memory.stat
};
constexpr Interface kVersion2 = {"/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"};
constexpr Interface kHybrid = {"/sys/fs/cgroup/unified", "memory.max", "memory.current",
                               "inactive_file"};
constexpr Interface kVersion1 = {"/sys/fs/cgroup/memory", "memory.limit_in_bytes",
                                 "memory.usage_in_bytes", "total_inactive_file"};

std::optional<std::size_t> read_number(const std::string& path) {
  std::ifstream file(path);
  std::string text;
  if (!(file >> text)) return {};
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return {};  // "max"
  return value;
}

std::size_t read_field(const std::string& path, const std::string& name) {
  std::ifstream file(path);
  std::string field;
  std::size_t value = 0;
  while (file >> field >> value) {
    if (field == name) return value;
  }
  return 0;
}

std::optional<MemoryLimit> limit_of(const std::string& folder, const Interface& names) {
  const auto limit = read_number(folder + "/" + names.limit);
  if (!limit || *limit >= kNoLimit) return {};
  MemoryLimit found = {.file = folder + "/" + names.limit, .limit = *limit};
  const std::size_t used = read_number(folder + "/" + names.used).value_or(0);
  const std::size_t inactive = read_field(folder + "/memory.stat", names.inactive);
  found.used = used > inactive ? used - inactive : 0;
  return found;
}

void keep_tightest(std::optional<MemoryLimit>& best, const Interface& names, std::string group) {
  while (true) {
    auto found = limit_of(names.mount + group, names);
    if (found && (!best || found->left() < best->left())) best = std::move(found);
    if (group.empty()) return;
    group.erase(group.rfind('/'));  // its parent limits it, too
  }
}

/// `column` of /proc/self/statm counts what the limit does, in pages.
void keep_tightest(std::optional<MemoryLimit>& best, int resource, const char* name, int column) {
  rlimit limit{};
  if (::getrlimit(static_cast<__rlimit_resource>(resource), &limit) != 0) return;
  if (limit.rlim_cur == RLIM_INFINITY) return;
  MemoryLimit found = {.file = name, .limit = limit.rlim_cur};
  std::ifstream file("/proc/self/statm");
  std::size_t pages = 0;
  for (int i = 0; i <= column && file >> pages; ++i) {
  }
  found.used = pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  if (!best || found.left() < best->left()) best = std::move(found);
}

}  // namespace

std::optional<MemoryLimit> memory_limit() {
  std::optional<MemoryLimit> best;
  keep_tightest(best, RLIMIT_AS, "ulimit -v", 0);
  keep_tightest(best, RLIMIT_DATA, "ulimit -d", 5);
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    std::string group = line.substr(second + 1);
    if (group.empty() || group[0] != '/') continue;
    if (group == "/") group.clear();
    if (controllers.empty()) {
      keep_tightest(best, kVersion2, group);
      keep_tightest(best, kHybrid, group);
    } else if (controllers == "memory") {
      keep_tightest(best, kVersion1, group);
    }
  }
  return best;
}

}  // namespace octet
