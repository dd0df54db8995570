#include "serve/channel.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "base/check.h"

namespace octet::serve {
namespace {

void send_exactly(int descriptor, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) {
      throw Error(Code::kIo, format("message to the other process: %s", std::strerror(errno)));
    }
    bytes = bytes.subspan(static_cast<std::size_t>(sent));
  }
}

}  // namespace

Channel::~Channel() { ::close(descriptor_); }

void Channel::send(std::span<const std::byte> message) {
  OCTET_CHECK(message.size() <= kMaxMessageBytes, "%zu bytes", message.size());
  const auto size = static_cast<std::uint32_t>(message.size());
  std::byte head[sizeof(size)];
  std::memcpy(head, &size, sizeof(size));
  const std::lock_guard lock(sending_);
  send_exactly(descriptor_, head);
  send_exactly(descriptor_, message);
}

bool Channel::read_exactly(std::byte* to, std::size_t size) const {
  while (size > 0) {
    const ssize_t got = ::recv(descriptor_, to, size, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    to += got;
    size -= static_cast<std::size_t>(got);
  }
  return true;
}

std::optional<std::vector<std::byte>> Channel::receive() {
  std::uint32_t size = 0;
  std::byte head[sizeof(size)];
  if (!read_exactly(head, sizeof(head))) return std::nullopt;
  std::memcpy(&size, head, sizeof(size));
  OCTET_CHECK(size <= kMaxMessageBytes, "%u bytes", size);
  std::vector<std::byte> message(size);
  if (!read_exactly(message.data(), size)) return std::nullopt;
  return message;
}

}  // namespace octet::serve
