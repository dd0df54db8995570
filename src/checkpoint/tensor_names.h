// Names of tensors in the layouts that circulate, mapped to the one that the models ask for: that
// of the diffusers folders.
//
// Each layout of a family is a table of rules (names_mmdit.cc, names_vae.cc, names_text.cc). A
// rule renames a layer and may take its rows apart: q, k and v lie in one tensor there, and halves
// of a modulation are in another order. Names without a rule stay as they are.
// Thread-safety: constant tables. Source of the maps: the published converters of the layouts.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace octet {

/// Models whose names follow the same tables.
enum class Family : std::uint8_t { kOther, kMmdit, kVae, kClip, kT5 };

enum class RowOrder : std::uint8_t {
  kAsStored,
  kThirds,              // rows of q, k, v: three canonical tensors
  kSwappedHalves,       // shift, scale stored; scale, shift asked for
  kSwappedInLastBlock,  // the same, in the last block only
  kMatrix,              // a 1x1 convolution that is asked for as a linear layer
  kTransposed,          // [in, out] stored
};

/// A rule names a layer (its .weight and .bias follow it) or, with `=` before the stored name, one
/// tensor in full. `*` is a number; `~` in a canonical name the first number counted from the end.
struct NameRule {
  const char* stored;
  std::array<const char*, 3> canonical;  // one, or three for kThirds
  RowOrder order = RowOrder::kAsStored;
};

struct NameTable {
  const char* layout;  // "Stability single file"
  std::span<const NameRule> rules;
};

/// The other layouts of a family.
[[nodiscard]] std::span<const NameTable> name_tables(Family family);
/// What only the names of the canonical layout begin with, and the name of that layout.
struct CanonicalLayout {
  const char* layout;
  std::span<const char* const> marks;
};
[[nodiscard]] CanonicalLayout canonical_layout(Family family);

// One per file of tables.
[[nodiscard]] std::span<const NameTable> mmdit_name_tables();
[[nodiscard]] std::span<const NameTable> vae_name_tables();
[[nodiscard]] std::span<const NameTable> clip_name_tables();
[[nodiscard]] std::span<const NameTable> t5_name_tables();

}  // namespace octet
