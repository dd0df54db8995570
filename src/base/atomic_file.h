// Writing result files so that a reader never meets half of one.
//
// The bytes go into an unnamed file (O_TMPFILE) of the target's folder, are flushed to the device
// and only then get a name, by rename: an error, a signal or a power cut leaves the old file or
// none. Where the file system has no unnamed files a named one ".<name>.<pid>-<n>.tmp" is used
// and removed on every error; there a process that is killed outright can leave it behind, so
// programs that handle SIGINT should only set a flag in the handler.
//
// An existing regular file is replaced, through a symbolic link too. A target that is a device or
// a pipe is written directly. Errors: Error(kIo) with path and reason. Thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace octet {

/// Makes `path` hold exactly `bytes`, or throws and leaves it as it was.
void write_file_atomically(const std::string& path, std::span<const std::byte> bytes);

/// A large result file that grows piece by piece and may be read before it is there: it gets its
/// name by commit(), and without one nothing is left of it. One thread at a time.
class PendingFile {
 public:
  /// Throws when no file of that name can be made; a device or a pipe is refused.
  explicit PendingFile(const std::string& path);
  ~PendingFile();
  PendingFile(const PendingFile&) = delete;
  PendingFile& operator=(const PendingFile&) = delete;

  void append(std::span<const std::byte> bytes);
  /// Replaces bytes that have been appended.
  void overwrite(std::uint64_t offset, std::span<const std::byte> bytes);
  /// A name under which this process can open what has been written so far.
  [[nodiscard]] std::string readable_name() const;
  /// Flushes to the device and gives the file its name, in place of an older one.
  void commit();

 private:
  std::string target_;
  std::string temporary_;  // empty: the file has no name yet
  int fd_ = -1;
};

/// Writes everything to an open descriptor (standard output, a pipe); `name` is for the message.
void write_all(int descriptor, std::span<const std::byte> bytes, const std::string& name);

}  // namespace octet
