// Looking at the files of a model for a lock.
//
// Depth kHeaders takes part of a second for any size: sizes, headers of weight files, the whole of
// small files. kEveryByte reads all, two files at a time, at the speed of the disk.
// A file that cannot be read is reported in LockedFile::problem, not thrown.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "checkpoint/files.h"
#include "lock/model_lock.h"

namespace octet {

enum class ScanDepth : std::uint8_t { kHeaders, kEveryByte };

/// Called now and then with bytes done and to do, from the calling thread; false cancels.
using ByteProgress = std::function<bool(std::uint64_t done, std::uint64_t total)>;

/// Names of a model's files that a lock covers, sorted.
[[nodiscard]] std::vector<std::string> lockable_files(const FileSet& files);

/// Throws Error(kCancelled) when `progress` says so.
[[nodiscard]] std::vector<LockedFile> scan_files(const FileSet& files, ScanDepth depth,
                                                 const ByteProgress& progress);

/// Digest over the names and contents of several small files.
[[nodiscard]] std::string digest_of_files(const FileSet& files,
                                          const std::vector<std::string>& names);

}  // namespace octet
