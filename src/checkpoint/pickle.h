// Recognising Python pickles (.bin, .ckpt, .pt), which are programs and not data: loading one runs
// what it says. Octet has no code for them at all.
//
// Errors: Error(kUnsupported) with the reason and the way to convert. Thread-safety: pure
// functions.
#pragma once

#include <string>

#include "checkpoint/files.h"

namespace octet {

/// Whether a file begins like a pickle or like PyTorch's archive of one.
[[nodiscard]] bool is_pickle(const ByteSource& source);
/// Whether a name says so.
[[nodiscard]] bool is_pickle_name(const std::string& file);
[[noreturn]] void refuse_pickle(const std::string& file);

}  // namespace octet
