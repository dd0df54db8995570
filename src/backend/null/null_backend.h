// NullBackend: checks and counts, computes nothing.
//
// The real pipeline runs on it to find out how much activation memory a request needs, before any
// is allocated, and tests run on it without a device. Its memory does not exist: addresses are
// only counted, never touched; uploads and downloads do nothing.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "backend/backend.h"
#include "backend/device_scratch.h"

namespace octet {

/// What the null backend imitates, so that its dtypes and therefore sizes equal the target's.
struct NullTraits {
  DType stream = DType::kF32;  // Backend::stream_dtype of the target, other than for kF32
  bool fp8_inputs = true;      // kFP8 layers take FP8 inputs
  /// Told of every weight that is prepared, and of all other memory, with its component.
  std::function<void(const std::string& component, const HostWeight&, const Weight&)> on_weight{};
  std::function<void(const std::string& component, std::size_t bytes, bool table)> on_memory{};
  DeviceScratch* scratch = nullptr;  // told of every op that needs some
};

[[nodiscard]] std::unique_ptr<Backend> make_null_backend(const NullTraits& traits);

/// Capacity of arenas on a null backend: larger than any plan.
inline constexpr std::size_t kNullArenaBytes = std::size_t{1} << 46;

}  // namespace octet
