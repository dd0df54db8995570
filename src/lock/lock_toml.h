// The lock file's form: TOML 1.0, written in a fixed order, read strictly.
//
// Every key must be known, present and of its type; digests are 64 hexadecimal digits, numbers
// not negative, names unique and inside the model. Thread-safety: pure functions.
// Errors: Error(kRefused) naming the lock, the place and what was expected: a lock that cannot be
// understood opens no gate. to_toml: Error(kUnsupported) for file names that are not UTF-8.
#pragma once

#include <string>

#include "lock/model_lock.h"

namespace octet {

/// Largest lock file that is read.
inline constexpr std::uint64_t kMaxLockBytes = std::uint64_t{16} << 20;

[[nodiscard]] std::string to_toml(const ModelLock& lock);
/// `name` stands in messages.
[[nodiscard]] ModelLock parse_lock(const std::string& text, const std::string& name);

}  // namespace octet
