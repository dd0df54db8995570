// Sequential reading of a GGUF header: little-endian numbers and counted strings, within a limit.
// Not thread-safe. Errors: Error(kCorruptFile) naming the file and the offset; Error(kIo).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "checkpoint/files.h"

namespace octet {

class GgufCursor {
 public:
  explicit GgufCursor(const ByteSource& source);

  [[nodiscard]] std::uint64_t position() const { return position_; }
  /// An unsigned number of 1, 2, 4 or 8 bytes.
  [[nodiscard]] std::uint64_t number(std::uint64_t bytes);
  /// Valid UTF-8 without zero bytes. `what` names it in messages.
  [[nodiscard]] std::string text(const char* what, std::uint64_t most_bytes);
  void skip(std::uint64_t bytes);

  [[noreturn]] void fail(const std::string& what) const;

 private:
  void require(std::uint64_t bytes) const;
  void read(std::span<std::byte> destination);

  const ByteSource& source_;
  std::uint64_t end_;
  std::uint64_t position_ = 0;
  std::vector<std::byte> window_;  // bytes of the file from window_begin_
  std::uint64_t window_begin_ = 0;
};

}  // namespace octet
