// The fields of PictureParameters between struct and text, for both forms. Internal to src/image.
#pragma once

#include "image/parameters.h"

namespace octet {

struct FieldValue {
  const char* label;  // "CFG scale"
  const char* key;    // "guidance"
  std::string value;
  bool number;
  bool display;  // the textual form shows display_name(value)
};

/// The fields that are present, prompts excepted, in the order of the textual form.
[[nodiscard]] std::vector<FieldValue> present_fields(const PictureParameters& parameters);
/// Sets the field with this label or key. Unknown ones are ignored, as other programs add theirs;
/// a value that does not fit throws Error(kCorruptFile).
void set_field_by_label(PictureParameters& parameters, std::string_view label,
                        const std::string& value);
void set_field_by_key(PictureParameters& parameters, std::string_view key,
                      const std::string& value);

}  // namespace octet
