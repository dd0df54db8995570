// A model's files whose reading is watched, for a progress bar.
//
// Weight files only; the hook is called at most some hundred times for gigabytes, by one thread at
// a time. Thread-safety: like the files behind it. Errors: theirs, and Error(kCancelled) when the
// hook says stop.
#pragma once

#include <memory>

#include "checkpoint/files.h"
#include "octet/engine.h"

namespace octet {

/// `total`: bytes that will be read, for the hook.
[[nodiscard]] std::unique_ptr<FileSet> count_reads(std::unique_ptr<FileSet> files,
                                                   std::uint64_t total, ByteHook hook);

}  // namespace octet
