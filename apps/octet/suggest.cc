#include "suggest.h"

#include <algorithm>
#include <vector>

namespace octet::cli {
namespace {

constexpr std::size_t kLongestWord = 64;

bool is_swap(const std::string& a, const std::string& b, std::size_t i, std::size_t j) {
  return i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
}

std::string only_word_beginning_with(const std::string& start, std::span<const std::string> known) {
  std::string found;
  for (const std::string& word : known) {
    if (!word.starts_with(start)) continue;
    if (!found.empty()) return {};
    found = word;
  }
  return found;
}

}  // namespace

std::size_t edit_distance(const std::string& first, const std::string& second) {
  const std::string a = first.substr(0, kLongestWord);
  const std::string b = second.substr(0, kLongestWord);
  // Three rows of the distance table: a swap of neighbours looks two rows back.
  std::vector<std::size_t> before_last(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({replaced, last[j] + 1, row[j - 1] + 1});
      if (is_swap(a, b, i, j)) row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    before_last = last;
    last = row;
  }
  return last[b.size()];
}

std::string suggestion(const std::string& word, std::span<const std::string> known) {
  std::string nearest = word.size() >= 3 ? only_word_beginning_with(word, known) : "";
  if (nearest.empty()) {
    // One slip in a short word, two in a longer one: more would name unrelated words.
    std::size_t best = word.size() <= 4 ? 2 : 3;
    for (const std::string& candidate : known) {
      const std::size_t distance = edit_distance(word, candidate);
      if (distance >= best) continue;
      best = distance;
      nearest = candidate;
    }
  }
  return nearest.empty() ? "" : " (did you mean " + nearest + "?)";
}

}  // namespace octet::cli
