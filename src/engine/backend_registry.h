// The only list of backends.
#pragma once

#include <memory>
#include <string>

#include "backend/backend.h"

namespace octet {

/// `device`: "auto", "cpu", "cuda" or "cuda:N". `threads` counts CPU threads, 0 for all.
/// Throws Error(kInvalidArgument) for other names, Error(kDevice) when there is no such device.
[[nodiscard]] std::unique_ptr<Backend> make_backend(const std::string& device, int threads);

/// A CPU backend whose results are the same bytes on every processor with AVX2: the best
/// instruction set among those that add in one order. For what is compared with files made
/// elsewhere.
[[nodiscard]] std::unique_ptr<Backend> make_reproducible_backend(int threads);

}  // namespace octet
