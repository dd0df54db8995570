// The three standard streams: writing without losing an error, reading with a limit.
//
// Thread-safety: one thread at a time. Errors: Error(kIo) naming the stream.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace octet::cli {

/// Makes descriptors 0 to 2 valid, SIGPIPE and SIGXFSZ harmless. Without it, a program started with
/// a closed stream would write messages into the first file that it opens.
void prepare_standard_streams();

/// Writes everything to standard output or throws; a closed pipe is an error like a full disk.
void write_stdout(std::span<const std::byte> bytes);
void write_stdout(const std::string& text);
/// Whether anything was written by them.
[[nodiscard]] bool stdout_is_used();

/// One line on standard error, control characters replaced. Never fails: there is nowhere left
/// to report to.
void print_line(const std::string& text);

[[nodiscard]] bool stdout_is_terminal();
[[nodiscard]] bool stderr_is_terminal();

/// All of standard input. Throws Error(kInvalidArgument) naming `what` beyond `limit` bytes.
[[nodiscard]] std::string read_stdin(const std::string& what, std::size_t limit);

}  // namespace octet::cli
