// Presets: the default settings of the published models.
//
// Shapes tell SD3 Medium, SD3.5 Medium and SD3.5 Large apart. Large and Large Turbo have the same
// shapes and names; what the files say of themselves in words decides, else Large holds, and it is
// said. Thread-safety: pure functions. Errors: Error(kInvalidArgument) for a preset that is unknown
// or of other shapes.
#pragma once

#include <optional>
#include <string>

#include "model/mmdit.h"
#include "pipeline/models.h"

namespace octet {

struct ChosenPreset {
  const char* name = "";
  std::string why;
  int steps = 0;
  float guidance = 0;
  const char* schedule = "normal";  // of all that were published
};

/// `titles`: names and titles found with the model, in any case.
[[nodiscard]] ChosenPreset choose_preset(const MmditConfig& mmdit,
                                         const std::optional<std::string>& asked,
                                         const std::string& titles);

}  // namespace octet
