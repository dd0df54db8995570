// What a decoding child writes: this header, then width * height * 3 bytes of RGB, width * height
// of alpha if it has any, and text. Internal to src/image; both sides are the same program.
#pragma once

#include <cstddef>
#include <cstdint>

namespace octet {

struct DecodeAnswer {
  enum Kind : std::uint32_t {
    kPicture = 0x01544350,  // the text is its remarks, one per line
    kRefused,               // Error(kInvalidArgument); the text is its message
    kNoMemory,
    kFailed,  // before the picture was looked at
  };
  static constexpr std::size_t kMaxText = 4000;
  /// Stands for the picture's name in the texts, so that the child need not know it.
  static constexpr const char* kName = "%";

  std::uint32_t kind = 0;
  std::uint32_t width = 0, height = 0;
  std::uint32_t has_alpha = 0;
  std::uint32_t text_bytes = 0;
};

}  // namespace octet
