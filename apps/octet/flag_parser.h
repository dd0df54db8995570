// Splits a command line into flags with their texts and the words that belong to none.
//
// Reads nothing and stores nothing, so that a caller can put other sources (--like) under the
// flags that were given. Errors: kInvalidArgument for an unknown flag (with the nearest known
// one), a missing value, a value for a switch, a flag given twice.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "flags.h"

namespace octet::cli {

struct GivenFlag {
  const Flag* flag;
  std::string text;        // empty for switches
  std::string place = {};  // where in a file it stands; empty: on the command line
};

struct CommandLine {
  std::vector<GivenFlag> flags;
  std::vector<std::string> words;  // what is no flag, in order
  bool help = false;               // --help or -h was given
};

[[nodiscard]] CommandLine split_command_line(std::span<const Flag> flags,
                                             std::span<const std::string> arguments);

}  // namespace octet::cli
