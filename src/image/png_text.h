// The chunk level of PNG (W3C PNG specification, second edition): walking, checking and inserting
// chunks, without libpng. Internal to src/image.
#pragma once

#include <functional>

#include "image/image.h"

namespace octet {

struct PngChunk {
  std::string_view type;  // four letters
  std::span<const std::byte> data;
};

/// Calls `visit` for every chunk up to and including IEND. The signature, the lengths and the CRCs
/// are checked, IHDR must be first and IEND must be there; else Error(kCorruptFile). What follows
/// IEND is ignored.
void walk_png(std::span<const std::byte> bytes, const std::string& name,
              const std::function<void(const PngChunk&)>& visit);

/// `png` with the texts inserted after IHDR: tEXt when ASCII, else iTXt.
[[nodiscard]] std::vector<std::byte> insert_png_texts(std::span<const std::byte> png,
                                                      std::span<const PngText> texts);

}  // namespace octet
