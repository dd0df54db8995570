// Weights on their way from a checkpoint into a backend.
//
// HostWeight is what a checkpoint says: codes, scales and bias in host memory. Weight is what a
// backend made of it, once, at load: converted, packed and uploaded, immutable afterwards and
// shared by all threads. True value of an FP8 weight = code * scale (stored scale = value/code).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tensor/buffer.h"
#include "tensor/random_codes.h"
#include "tensor/tensor.h"

namespace octet {

/// In which numbers a layer computes.
/// kF32: everything FP32. kBF16: weights and layer inputs BF16. kW8A16: FP8 weights stay FP8 in
/// memory, layer inputs BF16. kFP8: FP8 weights and FP8 layer inputs. Accumulation is FP32 always.
enum class Compute : std::uint8_t { kF32, kBF16, kW8A16, kFP8 };
[[nodiscard]] const char* name_of(Compute compute);  // "f32", "bf16", "w8a16", "fp8"

enum class ScaleKind : std::uint8_t { kNone, kTensor, kRow, kBlock };

/// A tensor whose bytes are still where they come from, so that a backend can read them in
/// parallel into memory of its own. Keeps its source alive. Thread-safe.
class DeferredBytes {
 public:
  DeferredBytes() = default;
  virtual ~DeferredBytes() = default;
  DeferredBytes(const DeferredBytes&) = delete;
  DeferredBytes& operator=(const DeferredBytes&) = delete;

  [[nodiscard]] virtual std::int64_t rows() const = 0;
  [[nodiscard]] virtual std::size_t row_bytes() const = 0;
  /// destination: count * row_bytes() bytes.
  virtual void read(std::int64_t first, std::int64_t count,
                    std::span<std::byte> destination) const = 0;
  /// Of a tensor that is a formula; null for others.
  [[nodiscard]] virtual const RandomCodes* formula() const { return nullptr; }
};
/// Several stand for their bytes one behind the other (q, k, v stacked).
using Deferred = std::vector<std::shared_ptr<const DeferredBytes>>;

/// One linear or convolution weight as the checkpoint holds it.
struct HostWeight {
  std::string name;                // tensor name, for messages
  DType dtype = DType::kF32;       // of `data`
  std::vector<std::int64_t> dims;  // linear: [out, in]; convolution: [out, in, kh, kw]
  std::vector<std::byte> data;     // dense, row-major; empty with `deferred`
  Deferred deferred;               // only for backends that take it
  ScaleKind scale_kind = ScaleKind::kNone;
  std::vector<float> scale;          // kTensor: 1; kRow: out; kBlock: ceil(out/b)*ceil(in/b)
  std::int64_t block = 0;            // side b of a kBlock scale
  std::vector<float> bias;           // empty: none
  std::optional<float> input_scale;  // static activation scale; empty: dynamic, per token
  std::string wide_inputs;  // why the file wants inputs of 16 bits here; empty: it does not
};

[[nodiscard]] std::size_t bytes_of(const Deferred& deferred);
/// All of it, in the calling thread.
[[nodiscard]] std::vector<std::byte> read_all(const Deferred& deferred);
/// The same into memory of bytes_of(deferred).
void read_into(const Deferred& deferred, std::span<std::byte> destination);
/// Rows [first, first + count) of `deferred`, whose parts stand one behind the other and have rows
/// of equal length, into `destination`: count times that length.
void read_rows(const Deferred& deferred, std::int64_t first, std::int64_t count,
               std::span<std::byte> destination);
/// Throws Error(kModelMismatch) naming the weight when its parts contradict each other (dimensions,
/// bytes, scales, bias), Error(kUnsupported) for block scales on a convolution.
void check_weight(const HostWeight& weight);
/// What a weight of this kind can compute in when asked for `compute`: kBF16 unless it is FP8, and
/// convolutions have no 8-bit inputs.
[[nodiscard]] Compute effective_compute(const HostWeight& weight, Compute compute);

/// Backend-private packed form.
struct PackedWeight {
  virtual ~PackedWeight() = default;
};

/// A prepared linear (kh == kw == 1) or convolution weight.
struct Weight {
  std::int64_t out = 0;
  std::int64_t in = 0;
  std::int64_t kernel = 1;           // side of the convolution window
  Compute compute = Compute::kF32;   // effective: what this layer really does
  DType stored = DType::kF32;        // dtype of the weight in memory
  DType input = DType::kF32;         // dtype that linear()/conv2d() wants as x
  std::optional<float> input_scale;  // set: x uses this one scale instead of a scale per token
  std::size_t bytes = 0;             // memory held
  std::shared_ptr<const PackedWeight> packed;
};

/// A norm weight, an embedding table, a position table: read by element, never multiplied as a
/// matrix.
struct Parameter {
  Tensor value;
  std::shared_ptr<const Buffer> memory;
};

}  // namespace octet
