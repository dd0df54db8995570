#include "checkpoint/disk_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <mutex>

#include "base/available_memory.h"
#include "base/format.h"
#include "octet/error.h"
#include "tensor/buffer.h"

namespace octet {
namespace {

constexpr std::uint64_t kSector = 4096;  // what offsets, sizes and memory of O_DIRECT divide by
constexpr std::uint64_t kBlock = std::uint64_t{2} << 20;
constexpr std::size_t kDirectFrom = std::size_t{64} << 10;  // less is not worth a block
constexpr std::uint64_t kLarge = std::uint64_t{32} << 20;   // of files worth a look at the cache
// A disk is slow that gives a thread that waits for it less than this, after so many bytes.
constexpr std::uint64_t kSample = std::uint64_t{32} << 20;
constexpr double kSlowBytesPerNanosecond = 0.3;

[[noreturn]] void fail(const std::string& name, const std::string& what) {
  throw Error(Code::kIo, name + ": " + what);
}

/// An open file descriptor; -1 is none.
class Descriptor {
 public:
  Descriptor(const std::string& path, int flags)
      // Without O_NONBLOCK the opening of a named pipe would wait for somebody to write into it.
      : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | flags)) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

/// Blocks of memory that are handed out again; one for each thread that reads at the same time.
class Blocks {
 public:
  Buffer take() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) return allocate_host(kBlock);
    Buffer block = std::move(free_.back());
    free_.pop_back();
    return block;
  }
  void give(Buffer block) {
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(block));
  }

 private:
  std::mutex mutex_;
  std::vector<Buffer> free_;
};

class DiskFile final : public ByteSource {
 public:
  DiskFile(const std::string& path, PageCache cache) : path_(path), cached_(path, 0) {
    if (cached_.get() < 0) fail(path, format("cannot be opened: %s", std::strerror(errno)));
    struct stat status {};
    if (::fstat(cached_.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
      fail(path, "expected a regular file");
    }
    size_ = static_cast<std::uint64_t>(status.st_size);
    changed_ = status.st_mtim;
    writable_by_all_ = (status.st_mode & S_IWOTH) != 0;
    keep_from_slow_disks_ = cache == PageCache::kFastest;
    if (cache == PageCache::kAvoid ? size_ >= kDirectFrom
                                   : keep_from_slow_disks_ && size_ >= kLarge && !is_cached()) {
      direct_ = std::make_unique<Descriptor>(path, O_DIRECT);
      if (!is_same_file(status)) direct_.reset();
    }
  }

  const std::string& name() const override { return path_; }
  std::uint64_t size() const override { return size_; }
  bool writable_by_all() const override { return writable_by_all_; }

  void read(std::uint64_t offset, std::span<std::byte> destination) const override {
    if (offset > size_ || destination.size() > size_ - offset) {
      fail(path_,
           format("expected %zu bytes at offset %llu, file has %llu", destination.size(),
                  static_cast<unsigned long long>(offset), static_cast<unsigned long long>(size_)));
    }
    if (direct_ && !slow_ && destination.size() >= kDirectFrom) {
      const auto begin = std::chrono::steady_clock::now();
      const std::size_t done = read_direct(offset, destination);
      note_speed(done, std::chrono::steady_clock::now() - begin);
      offset += done;
      destination = destination.subspan(done);
    }
    read_cached(offset, destination);
    require_unchanged();
  }

 private:
  // Between the two openings the path may have been given to another file.
  [[nodiscard]] bool is_same_file(const struct stat& status) const {
    struct stat other {};
    return direct_->get() >= 0 && ::fstat(direct_->get(), &other) == 0 &&
           other.st_dev == status.st_dev && other.st_ino == status.st_ino;
  }

  // Whether the page cache holds the file, going by three places of it.
  [[nodiscard]] bool is_cached() const {
    for (const std::uint64_t quarter : {1, 2, 3}) {
      std::byte byte{};
      const iovec place{.iov_base = &byte, .iov_len = 1};
      const auto at = static_cast<off_t>(size_ / 4 * quarter);
      if (::preadv2(cached_.get(), &place, 1, at, RWF_NOWAIT) < 0 && errno == EAGAIN) return false;
    }
    return true;  // or nobody can tell
  }

  void note_speed(std::size_t bytes, std::chrono::nanoseconds time) const {
    if (!keep_from_slow_disks_) return;
    const std::uint64_t all = bytes_ += bytes;
    const auto waited = static_cast<double>(nanoseconds_ += time.count());
    if (all >= kSample && static_cast<double>(all) < kSlowBytesPerNanosecond * waited) slow_ = true;
  }

  // What was read before and after a change belongs to two files. Links and names may change.
  void require_unchanged() const {
    struct stat now {};
    if (::fstat(cached_.get(), &now) != 0) fail(path_, std::strerror(errno));
    if (static_cast<std::uint64_t>(now.st_size) == size_ && now.st_mtim.tv_sec == changed_.tv_sec &&
        now.st_mtim.tv_nsec == changed_.tv_nsec) {
      return;
    }
    fail(path_, "file was changed while it was read");
  }

  void read_cached(std::uint64_t offset, std::span<std::byte> destination) const {
    while (!destination.empty()) {
      const ssize_t n = ::pread(cached_.get(), destination.data(), destination.size(),
                                static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) fail(path_, format("read failed: %s", std::strerror(errno)));
      if (n == 0) fail(path_, "file became shorter while it was read");
      destination = destination.subspan(static_cast<std::size_t>(n));
      offset += static_cast<std::uint64_t>(n);
    }
  }

  // How many bytes it could read.
  std::size_t read_direct(std::uint64_t offset, std::span<std::byte> destination) const {
    Buffer block = blocks_.take();
    std::size_t done = 0;
    while (done < destination.size()) {
      const std::uint64_t at = offset + done, skipped = at % kSector;
      const std::size_t left = destination.size() - done;
      const std::uint64_t wanted =
          std::min((skipped + left + kSector - 1) / kSector * kSector, kBlock);
      const ssize_t n =
          ::pread(direct_->get(), block.data(), wanted, static_cast<off_t>(at - skipped));
      if (n <= static_cast<ssize_t>(skipped)) break;
      const std::size_t count = std::min(static_cast<std::size_t>(n) - skipped, left);
      std::memcpy(destination.data() + done, static_cast<std::byte*>(block.data()) + skipped,
                  count);
      done += count;
    }
    blocks_.give(std::move(block));
    return done;
  }

  std::string path_;
  Descriptor cached_;
  std::unique_ptr<Descriptor> direct_;  // null: everything goes through the cache
  std::uint64_t size_ = 0;
  timespec changed_{};
  bool writable_by_all_ = false;
  bool keep_from_slow_disks_ = false;
  mutable Blocks blocks_;
  mutable std::atomic<std::uint64_t> bytes_{0};       // read around the cache
  mutable std::atomic<std::int64_t> nanoseconds_{0};  // of all threads together
  mutable std::atomic<bool> slow_{false};
};

}  // namespace

bool exceeds_page_cache(std::uint64_t bytes) {
  const std::size_t memory = available_memory();
  return memory != 0 && bytes > memory / 3;
}

std::unique_ptr<ByteSource> open_disk_file(const std::string& path, PageCache cache) {
  return std::make_unique<DiskFile>(path, cache);
}

}  // namespace octet
