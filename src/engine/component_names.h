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

/// Whether a tensor's name begins so.
[[nodiscard]] bool has_name(const TensorFile& file, const std::string& start);
/// In files with prefixes every tensor lies under one of them, or is known to be of no use; throws
/// Error(kModelMismatch) naming those that do not.
void check_all_known(const TensorFiles& files);

/// The prefix of a component's tensors in `files`; empty where they have none.
[[nodiscard]] std::string prefix_in(const TensorFiles& files, const std::string& component);

/// Whose names a component's tensors have.
[[nodiscard]] Family family_of(const std::string& component);

}  // namespace octet
