// Arena: a stack allocator over one Buffer for the activations of a run.
//
// A forward pass allocates nothing from the system: it takes views from the arena and gives them
// back when its Scope ends. The capacity is planned beforehand by running the same code on the
// null backend (pipeline/generate.h). Not thread-safe; one arena per worker.
#pragma once

#include <initializer_list>
#include <utility>

#include "tensor/buffer.h"
#include "tensor/tensor.h"

namespace octet {

class Arena {
 public:
  explicit Arena(Buffer buffer) : buffer_(std::move(buffer)) {}

  /// A dense tensor, uninitialised, valid until the enclosing Scope ends.
  /// Throws Error(kOutOfMemory) when the arena was planned too small.
  [[nodiscard]] Tensor tensor(DType dtype, std::initializer_list<std::int64_t> dims);
  [[nodiscard]] Tensor tensor(DType dtype, int rank, const Dims& dims);

  /// Gives the memory back; the arena is then empty.
  [[nodiscard]] Buffer release() { return std::exchange(buffer_, Buffer()); }
  [[nodiscard]] std::size_t capacity() const { return buffer_.size(); }
  /// Largest number of bytes in use at any moment since the last reset.
  [[nodiscard]] std::size_t peak() const { return peak_; }
  void reset_peak() { peak_ = used_; }

  /// Frees on exit everything allocated since its construction.
  class Scope {
   public:
    explicit Scope(Arena& arena) : arena_(arena), mark_(arena.used_) {}
    ~Scope() { arena_.used_ = mark_; }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Arena& arena_;
    std::size_t mark_;
  };

 private:
  Buffer buffer_;
  std::size_t used_ = 0;
  std::size_t peak_ = 0;
};

}  // namespace octet
