// One file on disk, read by pread.
//
// Cold weights are best read around the page cache: copying through it costs more processor time
// than the rest of loading, and beside weights of the same size nothing of a large model would stay
// there for the next run. So O_DIRECT, in blocks of 2 MiB that lie in one huge page each, which the
// disk fills with a few requests. What O_DIRECT cannot read (a file system without it, the last
// bytes) comes through the page cache; errors are told by that way alone.
#pragma once

#include <memory>
#include <string>

#include "checkpoint/files.h"

namespace octet {

/// kFastest: through the cache comes what lies in it and what a slow disk gives, which the next run
/// will be glad of; around it everything else.
enum class PageCache : std::uint8_t { kUse, kAvoid, kFastest };

/// Whether files of so many bytes together are too large for the cache: more than a third of the
/// memory that is to be had. The weights, the same in the cache, and as much again for everything
/// else do not fit.
[[nodiscard]] bool exceeds_page_cache(std::uint64_t bytes);

/// Throws Error(kIo) for what is no regular file or cannot be opened.
[[nodiscard]] std::unique_ptr<ByteSource> open_disk_file(const std::string& path, PageCache cache);

}  // namespace octet
