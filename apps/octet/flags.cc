#include "flags.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <sstream>

#include "base/format.h"
#include "octet/error.h"
#include "suggest.h"

namespace octet::cli {
namespace {

[[noreturn]] void refuse(const Flag& flag, const std::string& expected, const std::string& text,
                         const std::string& hint = "") {
  throw Error(Code::kInvalidArgument,
              format("%s: expected %s, found '%s'%s", flag.name.c_str(), expected.c_str(),
                     excerpt(text).c_str(), hint.c_str()));
}

std::string number_text(double value) { return format("%.10g", value); }

std::string range_text(const FlagRange& range) {
  const bool has_low = range.low > std::numeric_limits<double>::lowest();
  const bool has_high = range.high < std::numeric_limits<double>::max();
  std::string text;
  if (range.multiple > 1) text += " that is a multiple of " + std::to_string(range.multiple);
  if (has_low && has_high && !range.above_low) {
    return text + " from " + number_text(range.low) + " to " + number_text(range.high);
  }
  if (has_low) text += (range.above_low ? " above " : " not below ") + number_text(range.low);
  if (has_high) text += (has_low ? " and at most " : " at most ") + number_text(range.high);
  return text;
}

bool in_range(const FlagRange& range, double value) {
  if (!std::isfinite(value) || value < range.low || value > range.high) return false;
  return !range.above_low || value > range.low;
}

/// The whole of `text` as a number, or nothing.
template <class Number>
std::optional<Number> whole_number(const std::string& text) {
  Number value{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

int read_int(const Flag& flag, const std::string& text) {
  const auto value = whole_number<int>(text);
  if (!value || !in_range(flag.range, *value) || *value % flag.range.multiple != 0) {
    refuse(flag, "an integer" + range_text(flag.range), text);
  }
  return *value;
}

template <class Real>
Real read_real(const Flag& flag, const std::string& text) {
  const auto value = whole_number<Real>(text);
  if (!value || !in_range(flag.range, static_cast<double>(*value))) {
    refuse(flag, "a number" + range_text(flag.range), text);
  }
  return *value;
}

std::uint64_t read_unsigned(const Flag& flag, const std::string& text) {
  const auto value = whole_number<std::uint64_t>(text);
  if (!value) refuse(flag, "an integer from 0 to 18446744073709551615", text);
  return *value;
}

std::vector<int> read_list(const Flag& flag, const std::string& text) {
  std::vector<int> values;
  std::size_t begin = 0;
  while (true) {
    const std::size_t comma = std::min(text.find(',', begin), text.size());
    const auto value = whole_number<int>(text.substr(begin, comma - begin));
    if (!value || !in_range(flag.range, *value)) {
      refuse(flag, "integers" + range_text(flag.range) + " separated by commas", text);
    }
    values.push_back(*value);
    if (comma == text.size()) return values;
    begin = comma + 1;
  }
}

// FILE or FILE:WEIGHT. What follows the last colon is a weight unless it looks like a path.
LoraOption read_lora(const Flag& flag, const std::string& text) {
  const std::size_t colon = text.rfind(':');
  const std::string tail = colon == std::string::npos ? "" : text.substr(colon + 1);
  LoraOption lora{.path = text, .weight = 1};
  if (colon != std::string::npos && tail.find('/') == std::string::npos &&
      !tail.ends_with(".safetensors")) {
    const auto weight = whole_number<float>(tail);
    if (!weight || !in_range(flag.range, static_cast<double>(*weight))) {
      refuse(flag, "FILE or FILE:WEIGHT with a weight" + range_text(flag.range), text);
    }
    lora = {.path = text.substr(0, colon), .weight = *weight};
  }
  if (lora.path.empty()) refuse(flag, "FILE or FILE:WEIGHT", text);
  return lora;
}

std::string joined(const std::vector<std::string>& words, const char* separator) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : separator) + word;
  return text;
}

std::size_t read_choice(const Flag& flag, const std::string& text) {
  const auto place = std::find(flag.choices.begin(), flag.choices.end(), text);
  if (place == flag.choices.end()) {
    refuse(flag, "one of " + joined(flag.choices, ", "), text, suggestion(text, flag.choices));
  }
  return static_cast<std::size_t>(place - flag.choices.begin());
}

std::string read_text(const Flag& flag, const std::string& text) {
  if (!flag.choices.empty()) read_choice(flag, text);
  if (flag.accepts && !flag.accepts(text)) refuse(flag, flag.expected, text);
  return text;
}

/// One overload per member type of FlagTarget.
struct Store {
  const Flag& flag;
  const std::string& text;
  void operator()(bool* to) const { *to = true; }
  void operator()(int* to) const { *to = read_int(flag, text); }
  void operator()(std::optional<int>* to) const { *to = read_int(flag, text); }
  void operator()(std::optional<float>* to) const { *to = read_real<float>(flag, text); }
  void operator()(std::optional<double>* to) const { *to = read_real<double>(flag, text); }
  void operator()(std::optional<std::uint64_t>* to) const { *to = read_unsigned(flag, text); }
  void operator()(std::string* to) const { *to = read_text(flag, text); }
  void operator()(std::optional<std::string>* to) const { *to = read_text(flag, text); }
  void operator()(std::vector<int>* to) const { *to = read_list(flag, text); }
  void operator()(std::vector<std::string>* to) const { to->push_back(read_text(flag, text)); }
  void operator()(std::vector<LoraOption>* to) const { to->push_back(read_lora(flag, text)); }
  void operator()(Compat* to) const { *to = static_cast<Compat>(read_choice(flag, text)); }
};

constexpr std::size_t kHelpColumn = 26;
constexpr std::size_t kLineLength = 80;

/// `text` broken between words, every line but the first indented to the help column.
std::string wrapped(const std::string& text) {
  std::istringstream words(text);
  std::string out;
  std::string word;
  std::size_t column = kHelpColumn;
  while (words >> word) {
    if (column > kHelpColumn && column + 1 + word.size() > kLineLength) {
      out += "\n" + std::string(kHelpColumn, ' ');
      column = kHelpColumn;
    } else if (column > kHelpColumn) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
  }
  return out;
}

std::string describe_one(const Flag& flag) {
  std::string left = "  " + (flag.letter.empty() ? "" : flag.letter + ", ") + flag.name;
  if (!flag.value.empty()) left += " " + flag.value;
  std::string right = flag.help;
  if (!flag.choices.empty()) right += ": " + joined(flag.choices, ", ");
  if (!flag.normal.empty()) right += " (default: " + flag.normal + ")";
  left += left.size() + 2 > kHelpColumn ? "\n" + std::string(kHelpColumn, ' ')
                                        : std::string(kHelpColumn - left.size(), ' ');
  return left + wrapped(right) + "\n";
}

}  // namespace

void store(const Flag& flag, const std::string& text) {
  std::visit(Store{flag, text}, flag.target);
}

bool is_not_empty(const std::string& text) { return !text.empty(); }

std::string describe(std::span<const Flag> flags) {
  std::vector<std::string> groups;
  for (const Flag& flag : flags) {
    if (std::find(groups.begin(), groups.end(), flag.group) == groups.end()) {
      groups.push_back(flag.group);
    }
  }
  std::string text;
  for (const std::string& group : groups) {
    text += "\n" + group + ":\n";
    for (const Flag& flag : flags) {
      if (flag.group == group) text += describe_one(flag);
    }
  }
  return text;
}

}  // namespace octet::cli
