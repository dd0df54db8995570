// From the names in a file to the names that models ask for (tables: tensor_names.h).
#pragma once

#include <string>

#include "checkpoint/stored_tensor.h"
#include "checkpoint/tensor_names.h"

namespace octet {

struct CanonicalView {
  std::string layout;  // "diffusers", "Stability single file", ...
  std::map<std::string, CanonicalTensor> tensors;
};

/// `stored` must outlive the view. `component` is used in messages. Throws Error(kModelMismatch)
/// when names of two layouts are mixed or two tensors mean the same, naming both, and when rows
/// cannot be taken apart as the layout demands.
[[nodiscard]] CanonicalView canonical_view(const std::string& component, Family family,
                                           const std::map<std::string, StoredTensor>& stored);

}  // namespace octet
