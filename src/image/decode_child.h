// Decoding in a process of its own: what decode_picture() does, behind a filter of system calls and
// limits of memory and time (base/sandbox.h), so that a flaw in a decoder is a failed request.
//
// The parent starts this program again with the hidden command kDecodeCommand, sends the bytes to
// its standard input and reads what comes back. Nothing of the parent reaches the child: no
// descriptors, no environment. posix_spawn runs no code between fork and exec, so servers with many
// threads may call it. What comes back is checked like any input.
#pragma once

#include "image/decode.h"

namespace octet {

inline constexpr const char* kDecodeCommand = "decode-picture";

struct DecodeChildOptions {
  const char* program = "/proc/self/exe";  // whatever file is started, with kDecodeCommand
  double seconds = 10;                     // from start to answer
};

/// decode_picture() in a child. Thread-safe. Errors: those of decode_picture;
/// Error(kInvalidArgument) too when the child is ended by its cage or takes too long;
/// Error(kDevice) when none can be started.
[[nodiscard]] DecodedPicture decode_picture_apart(std::span<const std::byte> bytes,
                                                  const std::string& name,
                                                  const DecodeChildOptions& options = {});

/// The child: reads a picture from standard input, in the cage, and answers on standard output.
/// Returns the exit code.
[[nodiscard]] int run_decode_child();

}  // namespace octet
