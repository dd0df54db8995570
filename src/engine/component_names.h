// How components are called in files that hold several of them.
#pragma once

#include <span>
#include <string>

#include "checkpoint/tensor_file.h"
#include "checkpoint/tensor_names.h"

namespace octet {

struct ComponentPrefix {
  const char* prefix;
  const char* component;  // the diffusers folder's name
};
[[nodiscard]] std::span<const ComponentPrefix> component_prefixes();

/// The prefix of a component's tensors in `files`; empty where they have none.
[[nodiscard]] std::string prefix_in(const TensorFiles& files, const std::string& component);

/// Whose names a component's tensors have.
[[nodiscard]] Family family_of(const std::string& component);

}  // namespace octet
