#include "bill/cvss.h"

#include <algorithm>
#include <cmath>

namespace octet::bill {
namespace {

/// The letter behind "/NAME:", or 0.
char metric(std::string_view vector, std::string_view name) {
  const std::size_t at = vector.find(name);
  if (at == std::string_view::npos || at + name.size() >= vector.size()) return 0;
  return vector[at + name.size()];
}

struct Weight {
  char letter;
  double value;
};

template <std::size_t kCount>
std::optional<double> weight_of(char letter, const Weight (&weights)[kCount]) {
  for (const Weight& weight : weights) {
    if (weight.letter == letter) return weight.value;
  }
  return std::nullopt;
}

constexpr Weight kVector[] = {{'N', 0.85}, {'A', 0.62}, {'L', 0.55}, {'P', 0.2}};
constexpr Weight kComplexity[] = {{'L', 0.77}, {'H', 0.44}};
constexpr Weight kPrivileges[] = {{'N', 0.85}, {'L', 0.62}, {'H', 0.27}};
constexpr Weight kPrivilegesChanged[] = {{'N', 0.85}, {'L', 0.68}, {'H', 0.5}};
constexpr Weight kInteraction[] = {{'N', 0.85}, {'R', 0.62}};
constexpr Weight kImpact[] = {{'H', 0.56}, {'L', 0.22}, {'N', 0}};

/// The smallest number with one decimal that is not below `value`, as the specification rounds.
double round_up(double value) {
  const auto scaled = static_cast<long>(std::lround(value * 100000));
  if (scaled % 10000 == 0) return static_cast<double>(scaled) / 100000;
  const long tenths = scaled / 10000 + 1;
  return static_cast<double>(tenths) / 10;
}

}  // namespace

std::optional<double> cvss_base_score(std::string_view text) {
  if (!text.starts_with("CVSS:3.0/") && !text.starts_with("CVSS:3.1/")) return std::nullopt;
  const char scope = metric(text, "/S:");
  if (scope != 'U' && scope != 'C') return std::nullopt;
  const bool changed = scope == 'C';
  const auto vector = weight_of(metric(text, "/AV:"), kVector);
  const auto complexity = weight_of(metric(text, "/AC:"), kComplexity);
  const auto privileges = changed ? weight_of(metric(text, "/PR:"), kPrivilegesChanged)
                                  : weight_of(metric(text, "/PR:"), kPrivileges);
  const auto interaction = weight_of(metric(text, "/UI:"), kInteraction);
  const auto secrecy = weight_of(metric(text, "/C:"), kImpact);
  const auto integrity = weight_of(metric(text, "/I:"), kImpact);
  const auto availability = weight_of(metric(text, "/A:"), kImpact);
  if (!vector || !complexity || !privileges || !interaction || !secrecy || !integrity ||
      !availability) {
    return std::nullopt;
  }
  const double lost = 1 - (1 - *secrecy) * (1 - *integrity) * (1 - *availability);
  const double impact =
      changed ? 7.52 * (lost - 0.029) - 3.25 * std::pow(lost - 0.02, 15) : 6.42 * lost;
  if (impact <= 0) return 0;
  const double ease = 8.22 * *vector * *complexity * *privileges * *interaction;
  return round_up(std::min((changed ? 1.08 : 1) * (impact + ease), 10.0));
}

}  // namespace octet::bill
