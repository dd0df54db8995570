// Models inside the binary. The table is generated at build time from models/ (cmake/embed.cmake).
#pragma once

#include <span>

#include "checkpoint/files.h"

namespace octet {

struct EmbeddedModel {
  const char* name;
  std::span<const EmbeddedFile> files;
};

[[nodiscard]] std::span<const EmbeddedModel> embedded_models();

}  // namespace octet
