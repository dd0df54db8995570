// One row per flag: name, member, help and range. Parsing, range checks and --help are all made
// from the rows, so a flag that is added in one place is complete.
//
// A row points into the options object that it was made for; that object must outlive it.
// Thread-safety: none needed, used while the command line is read. Errors: kInvalidArgument
// naming the flag, what was expected and what was found.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "octet/engine.h"
#include "octet/request.h"

namespace octet::cli {

/// Where the value goes; the type of the member decides how the text is read.
using FlagTarget =
    std::variant<bool*, int*, std::optional<int>*, std::optional<float>*, std::optional<double>*,
                 std::optional<std::uint64_t>*, std::string*, std::optional<std::string>*,
                 std::vector<int>*, std::vector<std::string>*, std::vector<LoraOption>*, Compat*>;

struct FlagRange {
  double low = std::numeric_limits<double>::lowest();
  double high = std::numeric_limits<double>::max();
  bool above_low = false;  // the lowest value itself is refused
  int multiple = 1;        // of integers
};

struct Flag {
  std::string name;    // "--steps"
  std::string letter;  // "-o", or empty
  std::string value;   // placeholder in the help text; empty for switches
  std::string group;   // heading in the help text
  std::string help;    // one sentence, without the default
  std::string normal;  // the default in words; empty if there is nothing to say
  FlagTarget target;
  FlagRange range = {};
  std::vector<std::string> choices = {};          // allowed words; empty: any
  bool (*accepts)(const std::string&) = nullptr;  // further rule for texts
  std::string expected = {};                      // that rule in words
  bool repeats = false;                           // may be given several times; values are appended
};

/// Reads `text` as the flag's type, checks the range and stores the value.
void store(const Flag& flag, const std::string& text);

/// A rule for Flag::accepts.
[[nodiscard]] bool is_not_empty(const std::string& text);

/// The flags as help text, grouped in order of first appearance, 80 columns.
[[nodiscard]] std::string describe(std::span<const Flag> flags);

}  // namespace octet::cli
