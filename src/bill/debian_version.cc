#include "bill/debian_version.h"

#include <algorithm>

namespace octet::bill {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/// Weight of the character at `at` of a part that is no number; the end weighs nothing.
int weight(std::string_view text, std::size_t at) {
  if (at >= text.size() || is_digit(text[at])) return 0;
  if (text[at] == '~') return -1;
  const int code = static_cast<unsigned char>(text[at]);
  return is_letter(text[at]) ? code : code + 256;
}

/// Takes the digits from the front, without leading zeros.
std::string_view take_number(std::string_view& text) {
  std::size_t end = 0;
  while (end < text.size() && is_digit(text[end])) ++end;
  std::string_view number = text.substr(0, end);
  text.remove_prefix(end);
  while (!number.empty() && number.front() == '0') number.remove_prefix(1);
  return number;
}

int compare_numbers(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
  return a.compare(b);
}

/// Words and numbers in turns.
int compare_parts(std::string_view a, std::string_view b) {
  while (!a.empty() || !b.empty()) {
    std::size_t i = 0;
    while ((i < a.size() && !is_digit(a[i])) || (i < b.size() && !is_digit(b[i]))) {
      const int difference = weight(a, i) - weight(b, i);
      if (difference != 0) return difference;
      ++i;
    }
    a.remove_prefix(std::min(i, a.size()));
    b.remove_prefix(std::min(i, b.size()));
    const std::string_view left = take_number(a);
    const std::string_view right = take_number(b);
    if (const int difference = compare_numbers(left, right)) return difference;
  }
  return 0;
}

struct Split {
  std::string_view epoch, upstream, revision;
};

Split split(std::string_view version) {
  Split parts;
  const std::size_t colon = version.find(':');
  if (colon != std::string_view::npos) {
    parts.epoch = version.substr(0, colon);
    version.remove_prefix(colon + 1);
  }
  const std::size_t dash = version.rfind('-');
  parts.upstream = version.substr(0, dash);
  if (dash != std::string_view::npos) parts.revision = version.substr(dash + 1);
  return parts;
}

}  // namespace

int compare_debian_versions(std::string_view a, std::string_view b) {
  const Split left = split(a);
  const Split right = split(b);
  if (const int difference = compare_parts(left.epoch, right.epoch)) return difference;
  if (const int difference = compare_parts(left.upstream, right.upstream)) return difference;
  return compare_parts(left.revision, right.revision);
}

}  // namespace octet::bill
