// Backend: one in-order stream of ops on one device, with that device's memory services.
//
// A Backend belongs to one thread (the worker); kernels may use threads of their own inside an op.
// Errors: Error(kOutOfMemory) from allocate, Error(kDevice) from a broken device,
// Error(kUnsupported) from prepare for weights that the device cannot compute as asked.
#pragma once

#include <cstddef>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "backend/device_clock.h"
#include "backend/device_scratch.h"
#include "backend/ops.h"
#include "tensor/arena.h"

namespace octet {

struct DeviceInfo {
  std::string kind;          // "cpu", "cuda", "null"
  std::string name;          // "Intel(R) Xeon(R) ...", "NVIDIA H200"
  std::string capabilities;  // "avx512-bf16", "sm_90"
  std::size_t memory = 0;    // bytes free now; 0 when unknown
  std::size_t overhead = 0;  // device memory that the backend holds itself: context, libraries
  bool native_bf16 = false;
  bool native_fp8 = false;
  int threads = 1;
};

/// Which weights a device keeps and which wait in host memory until an op wants them. Weights are
/// named "component/tensor", as HostWeight::name.
struct WeightPlaces {
  std::unordered_set<std::string> on_host;         // linear weights
  std::unordered_set<std::string> tables_on_host;  // components whose tables wait, too
  std::size_t resident_bytes = 0;   // of all weights that stay, as the planner counts them
  std::size_t bytes_on_host = 0;    // the same of all that wait
  std::size_t largest_on_host = 0;  // and of the largest one of them
};

/// What a backend keeps about a stretch of ops that comes again. Starts as null.
class Recording {
 public:
  Recording() = default;
  virtual ~Recording() = default;
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;
};

class Backend : public Ops {
 public:
  [[nodiscard]] virtual DeviceInfo info() const = 0;
  /// Uninitialised device memory, freed by the Buffer's destructor.
  [[nodiscard]] virtual Buffer allocate(std::size_t bytes) = 0;
  /// Host to device, dense bytes of dst.
  virtual void upload(const Tensor& dst, std::span<const std::byte> src) = 0;
  /// Device to host; waits for the work queued before it.
  virtual void download(std::span<std::byte> dst, const Tensor& src) = 0;
  /// Whether `t`, dense FP32, holds neither NaN nor infinity; waits like download.
  [[nodiscard]] virtual bool all_finite(const Tensor& t);
  /// Converts, packs and uploads a linear or convolution weight, once, at load. A weight that is
  /// not FP8 computes as kBF16 when kW8A16 or kFP8 is asked for: Weight::compute says what it got.
  [[nodiscard]] virtual Weight prepare(const HostWeight& weight, Compute compute) = 0;
  /// What is prepared and allocated from now on belongs to this component.
  virtual void begin_component(const std::string& name) { static_cast<void>(name); }
  /// Before loading, once. A device without memory of its own keeps everything.
  virtual void place_weights(const WeightPlaces& places) { static_cast<void>(places); }
  /// Before a run: takes what its ops will keep beside their operands, so that a run that has begun
  /// does not end for want of it. Error(kOutOfMemory).
  virtual void reserve(const DeviceScratch& scratch) { static_cast<void>(scratch); }
  /// Which kernel took the last product of linear(), "cublasLt" say; empty where there is one kind.
  [[nodiscard]] virtual std::string product() const { return {}; }
  /// What users must hear of how ops were computed, such as slowly; each remark comes once.
  [[nodiscard]] virtual std::vector<std::string> take_remarks() { return {}; }
  /// Memory of a table that is read by rows.
  [[nodiscard]] virtual Buffer allocate_table(std::size_t bytes) { return allocate(bytes); }
  /// Whether prepare and upload_deferred take bytes that are not read yet; else they are in `data`.
  [[nodiscard]] virtual bool takes_deferred() const { return false; }
  /// Like upload; the bytes are read by the backend.
  virtual void upload_deferred(const Tensor& dst, const Deferred& src) {
    upload(dst, read_all(src));
  }
  /// dtype of tensors between layers (residual streams, q/k/v, branch outputs) under `compute`.
  [[nodiscard]] virtual DType stream_dtype(Compute compute) const = 0;
  /// Runs `ops`, which calls ops of this backend and has no other effect. From the second call with
  /// one `recording` on, a backend may repeat what it did before instead of calling `ops`: all
  /// tensors must lie where they lay, and coefficients and other host values must not change.
  virtual void repeat(std::unique_ptr<Recording>& recording, const std::function<void()>& ops) {
    static_cast<void>(recording);
    ops();
  }
  /// How many pictures of a running batch are worth computing together. A device that one picture
  /// fills gains nothing from more, and loses its caches to them.
  [[nodiscard]] virtual int pictures_at_once() const { return std::numeric_limits<int>::max(); }
  /// Ends a unit of work (a step). Waits until at most the returned number of the latest units are
  /// still under way: 0, or 1 where the host prepares a unit while the device works on the last.
  [[nodiscard]] virtual int finish_unit() { return 0; }
  /// Waits for all queued work; surfaces asynchronous errors.
  virtual void synchronize() = 0;
  /// For measurements.
  [[nodiscard]] virtual std::unique_ptr<DeviceClock> make_clock();
};

/// Sees what leaves each block of a model, named as in its tensors ("transformer_blocks.7, image").
/// The values are on the device.
using BlockObserver = std::function<void(const std::string& block, const Tensor& values)>;

/// What goes down the call tree of a forward pass: where to compute and where to put results.
struct Ctx {
  Backend& backend;
  Arena& arena;
  const BlockObserver* observer = nullptr;  // null: nobody looks

  void show(const char* what, std::size_t index, const char* stream, const Tensor& values) const {
    if (observer != nullptr) (*observer)(what + std::to_string(index) + stream, values);
  }
};

}  // namespace octet
