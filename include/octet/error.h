// The one exception type of Octet, and its mapping to process exit codes.
//
// Every failure that a caller can meet is an octet::Error with a Code. Errors are caught in
// three places only: the worker loop, the HTTP dispatch and main. Expected outcomes
// ("not found in this map") are values, never exceptions.
//
// Message form: "<operation or field>: expected <what>, found <what>", one line, run-time
// values last, naming the field, flag, file or tensor concerned.
//
// Thread-safety: values; freely copied between threads.
#pragma once

#include <stdexcept>
#include <string>

namespace octet {

/// Why an operation failed. The comment gives the process exit code.
enum class Code {
  kInternal,         // 1: a bug in Octet
  kInvalidArgument,  // 2: flag, request field or usage
  kUnsupported,      // 3: a valid model that Octet cannot run
  kCorruptFile,      // 3: a model file that contradicts itself or its format
  kModelMismatch,    // 3: model parts that are missing, unread, or do not fit each other
  kOutOfMemory,      // 4: more memory needed than there is
  kIo,               // 5: missing, unreadable or unwritable file, disk full
  kDevice,           // 6: device, driver or environment
  kRefused,          // 7: refused by a gate (quality, lock, audit)
  kCancelled,        // 130: interrupted by the user
};

/// A failure with its category and a one-line message.
class Error : public std::runtime_error {
 public:
  Error(Code code, const std::string& message) : std::runtime_error(message), code_(code) {}
  [[nodiscard]] Code code() const { return code_; }

 private:
  Code code_;
};

/// Exit code of the process for an error category; the table above.
[[nodiscard]] int exit_code(Code code);
/// Stable lower-case name ("invalid_argument"), used in logs and JSON.
[[nodiscard]] const char* code_name(Code code);

}  // namespace octet
