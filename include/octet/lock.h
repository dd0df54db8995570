// Locks: what a model consisted of when it was last looked at, so that nothing changes unseen.
//
//   write(octet::lock_model({.model = "path"}, {}));           // octet lock
//   octet::verify_lock({.model = "path", .lock = "octet.lock"}, false, {});   // octet verify
//
// An Engine whose options name a lock makes the same check of headers before it reads the first
// weight. Thread-safety: pure functions besides the file system; the hook is called from one
// thread at a time, not always the same one.
// Errors: those of loading for a model that cannot be used; Error(kIo) for a lock that cannot be
// read, Error(kRefused) for one that cannot be understood, Error(kCancelled).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "octet/engine.h"

namespace octet {

/// The text of a lock (TOML) of the model that `options` describe. Reads every byte.
[[nodiscard]] std::string lock_model(const EngineOptions& options, const ByteHook& hook);

struct LockReport {
  std::vector<std::string> differences;  // "file vae/config.json: size: locked 10, found 11"
  std::uint64_t files = 0;               // that were looked at
  std::uint64_t bytes = 0;               // of all files together
};

/// Compares the model with the lock that `options` name: sizes, headers and small files, or every
/// byte. What differs is reported, not thrown.
[[nodiscard]] LockReport verify_lock(const EngineOptions& options, bool every_byte,
                                     const ByteHook& hook);

}  // namespace octet
