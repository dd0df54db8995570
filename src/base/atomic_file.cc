#include "base/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>

#include "base/format.h"
#include "octet/error.h"

namespace octet {
namespace {

[[noreturn]] void fail(const std::string& path, int reason) {
  throw Error(Code::kIo,
              format("%s: cannot write: %s", excerpt(path, 300).c_str(), std::strerror(reason)));
}

struct Descriptor {
  explicit Descriptor(int value) : fd(value) {}
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int fd;
};

// Removes a named temporary file unless it has been renamed.
struct TemporaryName {
  explicit TemporaryName(std::string value) : path(std::move(value)) {}
  ~TemporaryName() {
    if (!path.empty()) ::unlink(path.c_str());
  }
  TemporaryName(const TemporaryName&) = delete;
  TemporaryName& operator=(const TemporaryName&) = delete;
  std::string path;
};

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string temporary_name(const std::string& path) {
  static std::atomic<unsigned> counter{0};
  const std::size_t slash = path.rfind('/');
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  // A name of the greatest length must leave room for the additions.
  return format("%s/.%s.%ld-%u.tmp", folder_of(path).c_str(), name.substr(0, 200).c_str(),
                static_cast<long>(::getpid()), counter++);
}

// 0, or the errno of the failed call.
int write_loop(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return n < 0 ? errno : EIO;
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return 0;
}

int write_and_flush(int fd, std::span<const std::byte> bytes) {
  if (const int reason = write_loop(fd, bytes)) return reason;
  return ::fsync(fd) == 0 ? 0 : errno;
}

void rename_over(TemporaryName& temporary, const std::string& path) {
  if (::rename(temporary.path.c_str(), path.c_str()) != 0) fail(path, errno);
  temporary.path.clear();
  // The name itself is durable once the folder is; some file systems cannot do this.
  const Descriptor folder(::open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.fd >= 0) ::fsync(folder.fd);
}

// False when the system has no unnamed files here, or no /proc to name them through.
bool write_unnamed(const std::string& path, std::span<const std::byte> bytes) {
  const Descriptor file(::open(folder_of(path).c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666));
  if (file.fd < 0) return false;
  if (const int reason = write_and_flush(file.fd, bytes)) fail(path, reason);
  const std::string link = format("/proc/self/fd/%d", file.fd);
  const std::string name = temporary_name(path);
  if (::linkat(AT_FDCWD, link.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) != 0) {
    return false;
  }
  TemporaryName temporary(name);
  rename_over(temporary, path);
  return true;
}

void write_named(const std::string& path, std::span<const std::byte> bytes) {
  const std::string name = temporary_name(path);
  const Descriptor file(::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (file.fd < 0) fail(path, errno);
  TemporaryName temporary(name);
  if (const int reason = write_and_flush(file.fd, bytes)) fail(path, reason);
  rename_over(temporary, path);
}

// A device or a pipe must keep its name.
void write_directly(const std::string& path, std::span<const std::byte> bytes) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (file.fd < 0) fail(path, errno);
  write_all(file.fd, bytes, path);
}

std::string resolve_links(const std::string& path) {
  const std::unique_ptr<char, void (*)(void*)> real(::realpath(path.c_str(), nullptr), ::free);
  return real ? std::string(real.get()) : path;
}

// The regular file that takes the name `path`, links resolved; empty for a device or a pipe.
std::string replaced_file(const std::string& path) {
  if (path.empty()) fail(path, ENOENT);
  if (path.find('\0') != std::string::npos) fail(path, EINVAL);
  struct stat status {};
  const bool exists = ::stat(path.c_str(), &status) == 0;
  if (!exists && errno != ENOENT) fail(path, errno);
  if (exists && S_ISDIR(status.st_mode)) fail(path, EISDIR);
  if (exists && !S_ISREG(status.st_mode)) return {};
  return exists ? resolve_links(path) : path;
}

}  // namespace

void write_all(int descriptor, std::span<const std::byte> bytes, const std::string& name) {
  if (const int reason = write_loop(descriptor, bytes)) fail(name, reason);
}

void write_file_atomically(const std::string& path, std::span<const std::byte> bytes) {
  const std::string target = replaced_file(path);
  if (target.empty()) return write_directly(path, bytes);
  if (!write_unnamed(target, bytes)) write_named(target, bytes);
}

PendingFile::PendingFile(const std::string& path) {
  target_ = replaced_file(path);
  if (target_.empty()) fail(path, EINVAL);
  fd_ = ::open(folder_of(target_).c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
  if (fd_ >= 0 && ::access(readable_name().c_str(), F_OK) == 0) return;
  if (fd_ >= 0) ::close(fd_);
  temporary_ = temporary_name(target_);
  fd_ = ::open(temporary_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd_ < 0) fail(path, errno);
}

PendingFile::~PendingFile() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
  ::close(fd_);
}

void PendingFile::append(std::span<const std::byte> bytes) {
  if (::lseek(fd_, 0, SEEK_END) < 0) fail(target_, errno);
  if (const int reason = write_loop(fd_, bytes)) fail(target_, reason);
}

void PendingFile::overwrite(std::uint64_t offset, std::span<const std::byte> bytes) {
  if (::lseek(fd_, static_cast<off_t>(offset), SEEK_SET) < 0) fail(target_, errno);
  if (const int reason = write_loop(fd_, bytes)) fail(target_, reason);
}

std::string PendingFile::readable_name() const {
  return temporary_.empty() ? format("/proc/self/fd/%d", fd_) : temporary_;
}

void PendingFile::commit() {
  if (::fsync(fd_) != 0) fail(target_, errno);
  if (temporary_.empty()) {
    const std::string name = temporary_name(target_);
    if (::linkat(AT_FDCWD, readable_name().c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) !=
        0) {
      fail(target_, errno);
    }
    temporary_ = name;
  }
  TemporaryName temporary(std::exchange(temporary_, std::string()));
  rename_over(temporary, target_);
}

}  // namespace octet
