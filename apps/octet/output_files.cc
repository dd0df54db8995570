#include "output_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "base/format.h"
#include "octet/error.h"
#include "standard_streams.h"

namespace octet::cli {
namespace {

[[noreturn]] void refuse(const std::string& message) {
  throw Error(Code::kInvalidArgument, message);
}

[[noreturn]] void fail(const std::string& flag, const std::string& path, const std::string& found) {
  throw Error(Code::kIo, format("%s: expected a writable file, found '%s': %s", flag.c_str(),
                                excerpt(path, 300).c_str(), found.c_str()));
}

std::size_t name_begin(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? 0 : slash + 1;
}

std::string folder_of(const std::string& path) {
  const std::size_t begin = name_begin(path);
  return begin == 0 ? "." : path.substr(0, begin);
}

std::string numbered(const std::string& pattern, int index, int batch) {
  const std::string number = std::to_string(index);
  std::string name = pattern;
  const std::size_t place = name.find("%d");
  if (place != std::string::npos) return name.replace(place, 2, number);
  if (batch == 1) return name;
  return name.insert(name.rfind('.'), "-" + number);
}

std::string real_path(const std::string& path) {
  const std::unique_ptr<char, void (*)(void*)> real(::realpath(path.c_str(), nullptr), ::free);
  return real ? std::string(real.get()) : path;
}

/// Root passes every permission check and a file system may still say no, so a file is really
/// created: without a name where that is possible, else with one that is removed at once.
bool can_create_in(const std::string& folder) {
  int fd = ::open(folder.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
  if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
    const std::string probe = format("%s/.octet-%ld.tmp", folder.c_str(), long{::getpid()});
    fd = ::open(probe.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (fd >= 0) ::unlink(probe.c_str());
  }
  if (fd >= 0) ::close(fd);
  return fd >= 0;
}

void check_folder(const std::string& flag, const std::string& path, const std::string& target) {
  const std::string folder = folder_of(target);
  struct stat status {};
  if (::stat(folder.c_str(), &status) != 0) fail(flag, path, std::strerror(errno));
  if (!S_ISDIR(status.st_mode)) fail(flag, path, std::strerror(ENOTDIR));
  if (!can_create_in(folder)) fail(flag, path, std::strerror(errno));
}

}  // namespace

OutputPlan plan_outputs(const std::string& pattern, int batch) {
  if (pattern == "-") {
    if (stdout_is_terminal()) {
      refuse("-o -: expected a pipe or a file on standard output, found a terminal");
    }
    return {.to_stdout = true};
  }
  const std::size_t place = pattern.find("%d");
  if (place != std::string::npos && pattern.find("%d", place + 2) != std::string::npos) {
    refuse(format("-o: expected at most one %%d, found '%s'", excerpt(pattern).c_str()));
  }
  OutputPlan plan{.format = format_from_suffix(pattern)};
  for (int i = 0; i < batch; ++i) plan.files.push_back(numbered(pattern, i, batch));
  return plan;
}

std::string output_folder(const std::string& pattern) {
  return pattern == "-" ? "" : folder_of(pattern);
}

void check_writable(const std::string& flag, const std::string& path) {
  struct stat status {};
  const bool exists = ::stat(path.c_str(), &status) == 0;
  if (!exists && errno != ENOENT) fail(flag, path, std::strerror(errno));
  if (exists && S_ISDIR(status.st_mode)) fail(flag, path, std::strerror(EISDIR));
  // The file that a link leads to is replaced; a device or a pipe is written to.
  if (exists && !S_ISREG(status.st_mode)) {
    if (::access(path.c_str(), W_OK) != 0) fail(flag, path, std::strerror(errno));
    return;
  }
  check_folder(flag, path, exists ? real_path(path) : path);
}

}  // namespace octet::cli
