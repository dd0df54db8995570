#include "backend/cuda/upload.h"

#include <algorithm>

#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/kernels.h"
#include "backend/cuda/status.h"
#include "tensor/random_codes.h"

namespace octet::cuda {
namespace {

constexpr std::size_t kPinnedBytes = std::size_t{32} << 20;
constexpr std::int64_t kPieces = 16;  // of a pinned buffer, read in parallel

}  // namespace

Uploader::~Uploader() {
  for (cudaEvent_t e : copied_) {
    if (e != nullptr) (void)cudaEventDestroy(e);
  }
}

void Uploader::start() {
  if (threads_) return;
  threads_ = std::make_unique<ThreadPool>(std::min(available_threads(), 8));
  for (cudaEvent_t& e : copied_) {
    check(cudaEventCreateWithFlags(&e, cudaEventDisableTiming), "creating a CUDA event");
  }
}

void Uploader::write(void* dst, const Deferred& source) {
  auto* at = static_cast<char*>(dst);
  for (const auto& part : source) {
    if (const RandomCodes* codes = part->formula()) {
      compute(at, *part, *codes);
    } else {
      read(at, *part);
    }
    at += static_cast<std::size_t>(part->rows()) * part->row_bytes();
  }
}

void Uploader::read(char* dst, const DeferredBytes& part) {
  start();
  const std::size_t row = part.row_bytes();
  if (row == 0 || part.rows() == 0) return;
  const auto rows_at_once =
      std::max<std::int64_t>(1, static_cast<std::int64_t>(kPinnedBytes / row));
  for (std::int64_t begin = 0; begin < part.rows(); begin += rows_at_once) {
    const std::int64_t rows = std::min(rows_at_once, part.rows() - begin);
    const std::size_t bytes = static_cast<std::size_t>(rows) * row;
    const std::size_t turn = next_++ % pinned_.size();
    Buffer& buffer = pinned_[turn];
    check(cudaEventSynchronize(copied_[turn]), "waiting for an upload");
    if (buffer.size() < bytes) buffer = allocate_pinned(std::max(bytes, kPinnedBytes));
    const std::int64_t pieces = std::min(kPieces, rows);
    threads_->parallel_for(pieces, [&](std::int64_t piece, int) {
      const std::int64_t first = rows * piece / pieces;
      const std::int64_t count = rows * (piece + 1) / pieces - first;
      part.read(
          begin + first, count,
          std::span(static_cast<std::byte*>(buffer.data()) + static_cast<std::size_t>(first) * row,
                    static_cast<std::size_t>(count) * row));
    });
    check(cudaMemcpyAsync(dst + static_cast<std::size_t>(begin) * row, buffer.data(), bytes,
                          cudaMemcpyDefault, stream_),
          "uploading a weight");
    check(cudaEventRecord(copied_[turn], stream_), "cudaEventRecord");
  }
}

void Uploader::compute(char* dst, const DeferredBytes& part, const RandomCodes& codes) {
  const std::vector<std::byte> table = code_table(codes);
  if (table_.size() < table.size()) {
    void* memory = nullptr;
    check(cudaMalloc(&memory, kRandomCodes * sizeof(float)), "allocating a table");
    table_ = Buffer(memory, kRandomCodes * sizeof(float), [](void* p) { (void)cudaFree(p); });
  }
  // From pageable memory: the call returns when the bytes have been taken.
  check(cudaMemcpyAsync(table_.data(), table.data(), table.size(), cudaMemcpyHostToDevice, stream_),
        "uploading a table");
  const std::size_t element = size_of(codes.dtype);
  const std::size_t bytes = static_cast<std::size_t>(part.rows()) * part.row_bytes();
  random_codes(stream_, {.dst = dst,
                         .table = table_.data(),
                         .element = static_cast<int>(element),
                         .count = static_cast<std::int64_t>(bytes / element),
                         .seed = codes.seed});
  check(cudaGetLastError(), "random codes");
}

}  // namespace octet::cuda
