// Options in a TOML file, by the names that they have on the command line, without the dashes:
//
//   listen = "0.0.0.0:8080"
//   model = ["large=/models/sd3.5_large.safetensors", "/models/medium"]
//   queue = 32
//   no-provenance = true
//
// Options that may be given several times take an array, switches true or false. Thread-safety:
// pure functions. Errors: Error(kIo) for a file that cannot be read, Error(kInvalidArgument) with
// file and line for what is no TOML, an unknown name or another type.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "flag_parser.h"

namespace octet::cli {

/// What the text says, as if it had been given on the command line. `name` stands in messages.
[[nodiscard]] std::vector<GivenFlag> parse_config(std::span<const Flag> flags,
                                                  const std::string& text, const std::string& name);
[[nodiscard]] std::vector<GivenFlag> read_config(std::span<const Flag> flags,
                                                 const std::string& path);

/// `given`, and of `config` the options that `given` lacks: an option given anew replaces all
/// values that the file has for it.
[[nodiscard]] std::vector<GivenFlag> override_config(std::vector<GivenFlag> given,
                                                     std::span<const GivenFlag> config);

/// Stores a value; an error says where the value stands.
void store(const GivenFlag& given);

/// The words of a command line that says the same.
[[nodiscard]] std::vector<std::string> words_of(std::span<const GivenFlag> given);

}  // namespace octet::cli
