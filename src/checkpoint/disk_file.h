// One file on disk, read by pread.
//
// A large file is best read around the page cache: copying through it costs more processor time
// than the rest of loading, and beside weights of the same size nothing of it would stay there for
// the next run. So O_DIRECT, in blocks of 2 MiB that lie in one huge page each, which the disk
// fills with a few requests. What O_DIRECT cannot read (a file system without it, the last bytes)
// comes through the page cache; errors are told by that way alone.
#pragma once

#include <memory>
#include <string>

#include "checkpoint/files.h"

namespace octet {

/// kAuto: around the cache where the file is larger than a third of the memory that is to be had:
/// the weights, the same in the cache, and as much again for everything else do not fit.
enum class PageCache : std::uint8_t { kAuto, kUse, kAvoid };

/// Throws Error(kIo) for what is no regular file or cannot be opened.
[[nodiscard]] std::unique_ptr<ByteSource> open_disk_file(const std::string& path, PageCache cache);

}  // namespace octet
