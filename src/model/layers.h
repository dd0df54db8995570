// The building blocks that all models share: loading of prepared weights, and the few lines that
// turn them into op calls. Everything is immutable after loading and may be shared by threads.
#pragma once

#include <string>

#include "backend/backend.h"
#include "checkpoint/weight_reader.h"

namespace octet {

/// Reads weights of one component and prepares them on one backend.
/// `compute` is what its large linear layers use; `careful` is for the layers whose inputs are
/// never rounded to 8 bits: embedders, modulation, output.
struct Loader {
  WeightReader& weights;
  Backend& backend;
  Compute compute;
  Compute careful;

  Loader(WeightReader& w, Backend& b, Compute c)
      : Loader(w, b, c, c == Compute::kFP8 ? Compute::kW8A16 : c) {}
  Loader(WeightReader& w, Backend& b, Compute c, Compute careful_layers)
      : weights(w), backend(b), compute(c), careful(careful_layers) {
    weights.defer_reads(backend.takes_deferred());
  }

  /// Every weight goes through here; one whose file forbids 8-bit inputs gets none.
  [[nodiscard]] Weight prepare(const HostWeight& weight, Compute wanted) const;
  [[nodiscard]] Weight linear(const std::string& name, std::int64_t out, std::int64_t in,
                              bool bias = true) const;
  [[nodiscard]] Weight careful_linear(const std::string& name, std::int64_t out, std::int64_t in,
                                      bool bias = true) const;
  [[nodiscard]] Weight stacked(std::initializer_list<std::string> names, std::int64_t out_each,
                               std::int64_t in, bool bias = true) const;
  [[nodiscard]] Weight conv(const std::string& name, std::int64_t out, std::int64_t in,
                            std::int64_t kernel) const;
  /// FP32 on the device.
  [[nodiscard]] Parameter vector(const std::string& name, std::int64_t size) const;
  /// In the stored dtype on the device.
  [[nodiscard]] Parameter table(const std::string& name,
                                const std::vector<std::int64_t>& dims) const;
};

/// An uninitialised input for `weight`: dtype as the backend wants it, with its FP8 scale if any.
[[nodiscard]] Activation input_for(Ctx ctx, const Weight& weight, int rank, const Dims& dims);
[[nodiscard]] Activation input_for(Ctx ctx, const Weight& weight,
                                   std::initializer_list<std::int64_t> dims);
/// `x` in the dtype that `weight` wants: itself, or a converted copy in the arena.
[[nodiscard]] Activation as_input(Ctx ctx, const Weight& weight, const Tensor& x);

struct NormWeights {
  Parameter weight, bias;
};
[[nodiscard]] NormWeights load_norm(const Loader& load, const std::string& name, std::int64_t size);

}  // namespace octet
