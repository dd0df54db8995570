// Disks: room for results, the cache, the speed at which weights come.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <vector>

#include "base/format.h"
#include "doctor/checks.h"

namespace octet::doctor {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLeast = 4 << 10;    // one block
constexpr std::size_t kUsual = 64 << 20;   // some pictures of any size
constexpr std::size_t kProbe = 256 << 20;  // read to measure
constexpr double kSlow = 200e6;            // bytes per second

std::string cache_folder() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  if (std::string own = variable("OCTET_CACHE"); !own.empty()) return own;
  if (const std::string xdg = variable("XDG_CACHE_HOME"); !xdg.empty()) return xdg + "/octet";
  if (const std::string home = variable("HOME"); !home.empty()) return home + "/.cache/octet";
  return "";
}

/// The folder itself, or the first of its parents that is there.
std::string existing(std::string folder) {
  std::error_code error;
  while (!folder.empty() && folder != "/" && !fs::exists(folder, error)) {
    folder = fs::path(folder).parent_path().string();
  }
  return folder.empty() ? "." : folder;
}

/// The largest weight file below `path`, or `path` itself.
std::string largest_file(const std::string& path) {
  std::error_code error;
  if (fs::is_regular_file(path, error)) return path;
  std::string largest;
  std::uintmax_t most = 0;
  for (fs::recursive_directory_iterator at(path, error), end; !error && at != end;
       at.increment(error)) {
    std::error_code own;
    const std::uintmax_t size = at->is_regular_file(own) ? at->file_size(own) : 0;
    if (!own && size > most) {
      most = size;
      largest = at->path().string();
    }
  }
  return largest;
}

struct ReadSpeed {
  std::size_t bytes = 0;
  double seconds = 0;
  bool around_cache = false;
};

ReadSpeed measure(const std::string& file) {
  ReadSpeed speed;
  int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECT);
  speed.around_cache = fd >= 0;
  if (fd < 0) fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  constexpr std::size_t kPiece = 8 << 20, kAlignment = 4096;
  void* buffer = std::aligned_alloc(kAlignment, kPiece);
  const auto begin = std::chrono::steady_clock::now();
  for (ssize_t got = 1; buffer != nullptr && got > 0 && speed.bytes < kProbe;) {
    got = ::pread(fd, buffer, kPiece, static_cast<off_t>(speed.bytes));
    if (got > 0) speed.bytes += static_cast<std::size_t>(got);
  }
  speed.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::free(buffer);
  ::close(fd);
  return speed;
}

}  // namespace

Results check_output(const Subject& subject, Depth /*depth*/) {
  if (subject.output.empty()) return ok("no folder for results is given");
  const std::string folder = excerpt(subject.output, 300);
  const std::string elsewhere = "or name another folder with -o";
  struct statvfs info {};
  if (::statvfs(subject.output.c_str(), &info) != 0) {
    return failure(format("%s: %s", folder.c_str(), std::strerror(errno)),
                   "mkdir -p '" + folder + "', " + elsewhere);
  }
  if ((info.f_flag & ST_RDONLY) != 0) {
    return failure(folder + ": Read-only file system", "mount it writable, " + elsewhere);
  }
  if (::access(subject.output.c_str(), W_OK | X_OK) != 0) {
    return failure(format("%s: %s", folder.c_str(), std::strerror(errno)),
                   "chmod u+rwx '" + folder + "', " + elsewhere);
  }
  const auto free = static_cast<std::size_t>(info.f_bavail) * info.f_frsize;
  const std::string says =
      format("%s: %.1f MB are free", folder.c_str(), static_cast<double>(free) * 1e-6);
  const std::string remedy = "free some: du -xh '" + folder + "' | sort -h | tail, " + elsewhere;
  if (free < kLeast) return failure(says + ", expected room for a picture", remedy);
  if (free < kUsual) return warning(says + ", some pictures need more", remedy);
  return ok(says);
}

Results check_cache(const Subject& /*subject*/, Depth /*depth*/) {
  const std::string folder = cache_folder();
  const std::string remedy =
      "export OCTET_CACHE=/var/tmp/octet-cache (any folder that you may write)";
  if (folder.empty()) {
    return warning("none of OCTET_CACHE, XDG_CACHE_HOME and HOME names a folder", remedy);
  }
  const std::string there = existing(folder);
  struct stat kind {};
  if (::stat(there.c_str(), &kind) != 0 || !S_ISDIR(kind.st_mode)) {
    return warning(format("%s is not a folder, so each start on a GPU measures kernels again",
                          excerpt(there, 300).c_str()),
                   remedy);
  }
  struct statvfs info {};
  const bool read_only = ::statvfs(there.c_str(), &info) == 0 && (info.f_flag & ST_RDONLY) != 0;
  if (read_only || ::access(there.c_str(), W_OK | X_OK) != 0) {
    return warning(
        format("%s cannot be written%s, so each start on a GPU measures kernels again",
               excerpt(folder, 300).c_str(), read_only ? " (read-only file system)" : ""),
        remedy);
  }
  return ok(format("%s can be written", excerpt(folder, 300).c_str()));
}

Results check_disk_speed(const Subject& subject, Depth /*depth*/) {
  std::error_code error;
  if (!subject.uses_model || !fs::exists(subject.engine.model, error)) {
    return ok("the model is not on a disk");
  }
  const std::string file = largest_file(subject.engine.model);
  const ReadSpeed speed = file.empty() ? ReadSpeed{} : measure(file);
  if (speed.bytes < (16 << 20) || speed.seconds <= 0) {
    return ok("the model's files are too small to measure the disk");
  }
  const double rate = static_cast<double>(speed.bytes) / speed.seconds;
  const std::string says = format("%s: %.0f MB/s%s", excerpt(file, 300).c_str(), rate * 1e-6,
                                  speed.around_cache ? "" : " (perhaps out of the page cache)");
  if (rate >= kSlow) return ok(says);
  return warning(says + ", 200 MB/s or more are usual",
                 "copy the model to a local SSD and name that copy with --model");
}

}  // namespace octet::doctor
