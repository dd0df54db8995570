#include "backend/cuda/host_slab.h"

#include <cuda_runtime_api.h>
#include <sys/mman.h>

#include <algorithm>

#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/status.h"
#include "base/format.h"
#include "base/thread_pool.h"
#include "octet/error.h"

namespace octet::cuda {
namespace {

constexpr std::size_t kPiece = std::size_t{64} << 20;  // cleared by a thread at a time
constexpr std::size_t kPage = 4096;
constexpr std::size_t kAlignment = 256;

// Writing to a page makes the kernel hand it out.
void touch(char* memory, std::size_t bytes) {
  ThreadPool threads(std::min(available_threads(), 8));
  const auto pieces = static_cast<std::int64_t>((bytes + kPiece - 1) / kPiece);
  threads.parallel_for(pieces, [&](std::int64_t piece, int) {
    const std::size_t begin = static_cast<std::size_t>(piece) * kPiece;
    const std::size_t end = std::min(bytes, begin + kPiece);
    for (std::size_t at = begin; at < end; at += kPage) {
      *static_cast<volatile char*>(memory + at) = 0;
    }
  });
}

}  // namespace

HostSlab::HostSlab(std::size_t bytes) {
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    throw Error(Code::kOutOfMemory,
                format("memory: expected %zu MiB of host memory for weights that wait, found less",
                       bytes >> 20));
  }
  Buffer mapped(memory, bytes, [bytes](void* p) { (void)::munmap(p, bytes); });
  (void)::madvise(memory, bytes, MADV_HUGEPAGE);  // quicker where the kernel has them
  touch(static_cast<char*>(memory), bytes);
  check_pinned(cudaHostRegister(memory, bytes, cudaHostRegisterDefault), bytes);
  auto whole = std::make_shared<Buffer>(std::move(mapped));
  memory_ =
      std::make_shared<Buffer>(memory, bytes, [whole](void* p) { (void)cudaHostUnregister(p); });
}

Buffer HostSlab::take(std::size_t bytes) {
  const std::size_t size = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  if (!memory_ || used_ + size > memory_->size()) return allocate_pinned(bytes);
  char* at = static_cast<char*>(memory_->data()) + used_;
  used_ += size;
  return Buffer(at, bytes, [slab = memory_](void*) {});
}

}  // namespace octet::cuda
