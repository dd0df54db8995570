// One run of `quantize`, with the backend as a parameter so that tests can choose instruction sets.
#pragma once

#include <functional>
#include <memory>

#include "backend/backend.h"
#include "octet/quantize.h"

namespace octet {

using MakeBackend = std::function<std::unique_ptr<Backend>()>;

[[nodiscard]] QuantizeReport run_quantization(const QuantizeOptions& options,
                                              const QuantizeHooks& hooks,
                                              const MakeBackend& make_backend);

}  // namespace octet
