// Bytes on their way from their source into device memory.
//
// Pieces are read by several threads into one of two pinned buffers while the other is copied; a
// tensor that is a formula is computed on the device. Owns the buffers and the threads; one
// instance per backend, one thread at a time. Errors: those of the source, Error(kDevice),
// Error(kOutOfMemory).
#pragma once

#include <cuda_runtime_api.h>

#include <array>
#include <memory>
#include <span>

#include "backend/weight.h"
#include "base/thread_pool.h"

namespace octet::cuda {

class Uploader {
 public:
  explicit Uploader(cudaStream_t stream) : stream_(stream) {}
  ~Uploader();
  Uploader(const Uploader&) = delete;
  Uploader& operator=(const Uploader&) = delete;

  /// Returns when the source is no longer needed; the copies may still be under way on the stream.
  void write(void* dst, const Deferred& source);

 private:
  void start();
  void read(char* dst, const DeferredBytes& part);
  void compute(char* dst, const DeferredBytes& part, const RandomCodes& codes);

  cudaStream_t stream_;
  std::unique_ptr<ThreadPool> threads_;
  std::array<Buffer, 2> pinned_;
  std::array<cudaEvent_t, 2> copied_{};
  Buffer table_;  // of a formula's codes
  std::size_t next_ = 0;
};

}  // namespace octet::cuda
