#include "backend/cuda/cuda_backend.h"

#include <cstdlib>
#include <cstring>
#include <utility>

#include "backend/cuda/cuda_ops.h"
#include "backend/cuda/driver_memory.h"
#include "backend/cuda/event_clock.h"
#include "backend/cuda/no_device.h"
#include "backend/cuda/status.h"
#include "base/check.h"
#include "base/machine_code.h"

namespace octet {
namespace cuda {
namespace {

// What fp8 is made of: codes on both sides with a scale per row. Having FP8 units is not enough,
// the library must have it for them.
constexpr MatmulShape kFp8Product = {.m = 256,
                                     .n = 256,
                                     .k = 256,
                                     .x_stride = 256,
                                     .dst_stride = 256,
                                     .x = DType::kF8E4M3,
                                     .w = DType::kF8E4M3,
                                     .dst = DType::kBF16,
                                     .scales = ScaleMode::kVectors};

[[noreturn]] void no_device(int device, cudaError_t status) {
  (void)cudaGetLastError();
  int driver = 0;
  (void)cudaDriverGetVersion(&driver);
  const NoDevice found = {
      .status = status, .driver = driver, .visible = std::getenv("CUDA_VISIBLE_DEVICES")};
  throw Error(Code::kDevice, format("device: cuda:%d: %s", device, reason_of(found).c_str()));
}

int checked_device(int device) {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status != cudaSuccess || count == 0) no_device(device, status);
  if (device < 0 || device >= count) {
    throw Error(Code::kDevice,
                format("device: expected cuda:0 to cuda:%d, found cuda:%d", count - 1, device));
  }
  return device;
}

}  // namespace

CudaBackend::CudaBackend(const CudaOptions& options)
    : device_(checked_device(options.device)), poison_ring_(options.poison_places) {
  const DeviceMemory before = driver_memory(device_);
  check(cudaGetDeviceProperties(&properties_, device_), "cudaGetDeviceProperties");
  require_machine_code(OCTET_CUDA_ARCHITECTURES, properties_.name,
                       {.major = properties_.major, .minor = properties_.minor});
  select_device();
  check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "creating a CUDA stream");
  try {
    for (cudaEvent_t& e : units_) {
      check(cudaEventCreateWithFlags(&e, cudaEventDisableTiming), "creating a CUDA event");
    }
    workspace_ = allocate(Matmul::kWorkspaceBytes);
    matmul_ = std::make_unique<Matmul>(workspace_.data(), properties_.name);
    // Known of Hopper with every cuBLASLt that this program takes; others are asked.
    native_fp8_ = properties_.major == 9 || matmul_->supports(kFp8Product);
    uploader_ = std::make_unique<Uploader>(stream_);
    const DeviceMemory after = driver_memory(device_);
    overhead_ = after.used > before.used ? after.used - before.used : 0;
  } catch (...) {
    (void)cudaStreamDestroy(stream_);
    throw;
  }
}

CudaBackend::~CudaBackend() {
  (void)cudaStreamSynchronize(stream_);
  matmul_.reset();
  uploader_.reset();
  ring_.reset();
  for (cudaEvent_t e : units_) (void)cudaEventDestroy(e);
  (void)cudaStreamDestroy(stream_);
}

DeviceInfo CudaBackend::info() const {
  DeviceInfo info;
  info.kind = "cuda";
  info.name = properties_.name;
  info.capabilities =
      format("sm_%d%d, cuBLASLt %zu", properties_.major, properties_.minor, matmul_->version());
  std::size_t total = 0;
  select_device();
  check(cudaMemGetInfo(&info.memory, &total), "cudaMemGetInfo");
  info.overhead = overhead_ != 0 ? overhead_ : total - info.memory;
  info.native_bf16 = true;
  info.native_fp8 = native_fp8_;
  return info;
}

// The current device belongs to the thread, and a backend may move from one to another.
void CudaBackend::select_device() const { check(cudaSetDevice(device_), "cudaSetDevice"); }

cudaStream_t CudaBackend::stream() const {
  thread_local int current = -1;
  if (current != device_) {
    select_device();
    current = device_;
  }
  return stream_;
}

void CudaBackend::launched(const char* op) const { check(cudaGetLastError(), op); }

Buffer CudaBackend::allocate(std::size_t bytes) {
  (void)stream();
  void* memory = nullptr;
  if (cudaMalloc(&memory, bytes == 0 ? 1 : bytes) != cudaSuccess) {
    const cudaError_t status = cudaGetLastError();
    if (status != cudaErrorMemoryAllocation) check(status, "cudaMalloc");
    std::size_t free = 0;
    std::size_t total = 0;
    (void)cudaMemGetInfo(&free, &total);
    throw Error(Code::kOutOfMemory,
                format("cuda: expected %zu MiB of free device memory, found %zu of %zu MiB; use a "
                       "smaller request, or end other programs on this GPU (see nvidia-smi)",
                       (bytes >> 20) + 1, free >> 20, total >> 20));
  }
  const int device = device_;
  return Buffer(memory, bytes, [device](void* p) {
    (void)cudaSetDevice(device);
    (void)cudaFree(p);
  });
}

void* CudaBackend::scratch(Slot slot, std::size_t bytes) {
  Buffer& buffer = scratch_[static_cast<std::size_t>(slot)];
  if (buffer.size() < bytes) {
    OCTET_CHECK(!capturing_, "[scratch] %zu bytes more inside of a graph", bytes);
    ++scratch_version_;
    buffer = Buffer();  // cudaFree waits for the kernels that use it
    buffer = allocate(bytes);
  }
  return buffer.data();
}

void CudaBackend::reserve(const DeviceScratch& s) {
  const std::pair<Slot, std::size_t> wanted[] = {
      {Slot::kProduct, s.product},     {Slot::kTiming, s.residual},      {Slot::kWeight, s.weight},
      {Slot::kAttention, s.attention}, {Slot::kAttentionRest, s.rest},   {Slot::kScores, s.scores},
      {Slot::kNorm, s.statistics},     {Slot::kFinite, sizeof(unsigned)}};
  for (const auto& [slot, bytes] : wanted) (void)scratch(slot, bytes);
}

Tensor CudaBackend::scratch_like(Slot slot, DType dtype, const Tensor& t) {
  Tensor result = make_tensor(nullptr, dtype, t.rank, t.dims);
  result.data = scratch(slot, result.bytes());
  return result;
}

void CudaBackend::upload(const Tensor& dst, std::span<const std::byte> src) {
  OCTET_CHECK(dst.dense() && src.size() == dst.bytes(), "[upload] %zu bytes to %s", src.size(),
              describe(dst).c_str());
  if (src.empty()) return;
  check(cudaMemcpyAsync(dst.data, src.data(), src.size(), cudaMemcpyDefault, stream()),
        "copying to the device");
}

void CudaBackend::upload_deferred(const Tensor& dst, const Deferred& src) {
  OCTET_CHECK(dst.dense() && bytes_of(src) == dst.bytes(), "[upload] %zu bytes to %s",
              bytes_of(src), describe(dst).c_str());
  (void)stream();
  uploader_->write(dst.data, src);
}

void CudaBackend::download(std::span<std::byte> dst, const Tensor& src) {
  OCTET_CHECK(src.dense() && dst.size() == src.bytes(), "[download] %zu bytes from %s", dst.size(),
              describe(src).c_str());
  if (!dst.empty()) {
    check(cudaMemcpyAsync(dst.data(), src.data, dst.size(), cudaMemcpyDeviceToHost, stream()),
          "copying from the device");
  }
  synchronize();
}

bool CudaBackend::all_finite(const Tensor& t) {
  OCTET_CHECK(t.dense() && t.dtype == DType::kF32, "[finite] %s", describe(t).c_str());
  auto* word = static_cast<unsigned*>(scratch(Slot::kFinite, sizeof(unsigned)));
  check(cudaMemsetAsync(word, 0, sizeof *word, stream()), "looking for values that are not finite");
  note_not_finite(stream(), word, t.as<const float>(), t.numel());
  launched("looking for values that are not finite");
  unsigned found = 0;
  check(cudaMemcpyAsync(&found, word, sizeof found, cudaMemcpyDeviceToHost, stream()),
        "copying from the device");
  synchronize();
  return found == 0;
}

void CudaBackend::synchronize() {
  check(cudaStreamSynchronize(stream()), "waiting for the device");
}

std::unique_ptr<DeviceClock> CudaBackend::make_clock() {
  return std::make_unique<EventClock>(stream());
}

}  // namespace cuda

std::unique_ptr<Backend> make_cuda_backend(const CudaOptions& options) {
  return std::make_unique<cuda::CudaBackend>(options);
}

Buffer allocate_pinned(std::size_t size) {
  void* memory = nullptr;
  cuda::check_pinned(cudaMallocHost(&memory, size == 0 ? 1 : size), size);
  return Buffer(memory, size, [](void* p) { (void)cudaFreeHost(p); });
}

}  // namespace octet
