// The one place that knows which devices exist.
#pragma once

#include <memory>
#include <string>

#include "backend/backend.h"

namespace octet {

struct ChosenBackend {
  std::unique_ptr<Backend> backend;
  std::string remark;  // why "auto" did not take a GPU; empty when it did, or was not asked
};

/// device: "auto" (a usable GPU if this build and machine have one, else the CPU), "cpu", "cuda",
/// "cuda:N". threads: CPU threads, 0 for all. Error(kInvalidArgument) for an unknown name,
/// Error(kDevice) when the device asked for cannot be used.
[[nodiscard]] ChosenBackend choose_backend(const std::string& device, int threads);
[[nodiscard]] std::unique_ptr<Backend> make_backend(const std::string& device, int threads);

/// A CPU backend whose results are the same bytes on every processor with AVX2: the best
/// instruction set among those that add in one order. For what is compared with files made
/// elsewhere.
[[nodiscard]] std::unique_ptr<Backend> make_reproducible_backend(int threads);

}  // namespace octet
