// Everything that `octet quantize` can be told.
//
// Thread-safety: values. Errors: kInvalidArgument naming the flag, what was expected and found.
#pragma once

#include <span>
#include <string>

#include "octet/quantize.h"

namespace octet::cli {

struct QuantizeCommand {
  QuantizeOptions options;
  bool json = false;
  bool quiet = false;
};

[[nodiscard]] std::string quantize_help();

/// Reads the whole command line and the prompt files; `help` is set instead when help was asked
/// for. Writes nothing.
[[nodiscard]] QuantizeCommand read_quantize_options(std::span<const std::string> words, bool* help);

}  // namespace octet::cli
