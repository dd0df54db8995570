#include "engine/preset.h"

#include <algorithm>
#include <cctype>

#include "base/format.h"
#include "octet/error.h"

namespace octet {
namespace {

// As published with the weights: 40 steps at 4.5; Turbo is distilled for 4 steps without guidance.
constexpr float kNoGuidance = 1.0f;

bool contains_turbo(const std::string& text) {
  std::string lower = text;
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower.find("turbo") != std::string::npos;
}

}  // namespace

ChosenPreset choose_preset(const MmditConfig& mmdit, const std::optional<std::string>& asked,
                           const std::string& titles) {
  const bool dual = std::find(mmdit.dual.begin(), mmdit.dual.end(), true) != mmdit.dual.end();
  const bool large = mmdit.qk_norm && !dual;
  if (!large) {
    if (asked && *asked != "medium") {
      throw Error(Code::kInvalidArgument,
                  format("preset: expected medium for a model of these shapes, found %s",
                         excerpt(*asked).c_str()));
    }
    const std::string why = asked ? "asked for" : "by its shapes";
    if (dual) return {.name = "sd3.5-medium", .why = why, .steps = 40, .guidance = 4.5f};
    return {.name = "sd3-medium", .why = why, .steps = 28, .guidance = 7.0f};
  }
  if (asked && *asked != "large" && *asked != "large-turbo") {
    throw Error(
        Code::kInvalidArgument,
        format("preset: expected large or large-turbo for a model of these shapes, found %s",
               excerpt(*asked).c_str()));
  }
  const bool turbo = asked ? *asked == "large-turbo" : contains_turbo(titles);
  if (turbo) {
    return {.name = "sd3.5-large-turbo",
            .why = asked ? "asked for" : "the model's name or title says turbo",
            .steps = 4,
            .guidance = kNoGuidance};
  }
  return {.name = "sd3.5-large",
          .why = asked ? "asked for" : "nothing says turbo; if it is one: --preset large-turbo",
          .steps = 40,
          .guidance = 4.5f};
}

}  // namespace octet
