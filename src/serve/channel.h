// One end of the socket pair between front and worker: whole messages, of bounded size.
//
// A message is its length in four bytes and its bytes. Thread-safety: send() from any threads;
// receive() and wait() belong to one thread. Errors: Error(kIo) when the other end is gone,
// Error(kInternal) for a message beyond the limit.
#pragma once

#include <cstddef>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

namespace octet::serve {

/// Largest message: 64 pictures are sent one by one, so one picture file and its head.
inline constexpr std::size_t kMaxMessageBytes = std::size_t{512} << 20;

class Channel {
 public:
  /// Takes ownership of the descriptor.
  explicit Channel(int descriptor) : descriptor_(descriptor) {}
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  [[nodiscard]] int descriptor() const { return descriptor_; }
  void send(std::span<const std::byte> message);
  /// Waits for the next message; empty optional when the other end has closed.
  [[nodiscard]] std::optional<std::vector<std::byte>> receive();

 private:
  [[nodiscard]] bool read_exactly(std::byte* to, std::size_t size) const;

  int descriptor_;
  std::mutex sending_;
};

}  // namespace octet::serve
