// What a quantisation says to people: a table of layers, one of pictures, the verdict.
//
// Thread-safety: pure functions.
#pragma once

#include <string>
#include <vector>

#include "octet/quantize.h"

namespace octet::cli {

[[nodiscard]] std::vector<std::string> quantize_lines(const QuantizeReport& report);

}  // namespace octet::cli
