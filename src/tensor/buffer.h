// Buffer: sole owner of a piece of host or device memory; movable.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

namespace octet {

class Buffer {
 public:
  using Free = std::function<void(void*)>;

  Buffer() = default;
  /// Takes ownership of `data`; `free` is called once and must not throw.
  Buffer(void* data, std::size_t size, Free free) : memory_(data, std::move(free)), size_(size) {}

  [[nodiscard]] void* data() const { return memory_.get(); }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  std::unique_ptr<void, Free> memory_{nullptr, [](void*) {}};
  std::size_t size_ = 0;
};

/// Host memory aligned to 64 bytes. Throws Error(kOutOfMemory) with the size.
[[nodiscard]] Buffer allocate_host(std::size_t size);

}  // namespace octet
