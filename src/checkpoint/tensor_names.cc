#include "checkpoint/tensor_names.h"

namespace octet {
namespace {

constexpr const char* kMmditMarks[] = {"transformer_blocks.", "pos_embed.", "time_text_embed.",
                                       "norm_out.", "proj_out."};
constexpr const char* kVaeMarks[] = {"encoder.down_blocks.",  "encoder.mid_block.",
                                     "encoder.conv_norm_out", "decoder.up_blocks.",
                                     "decoder.mid_block.",    "decoder.conv_norm_out"};
constexpr const char* kClipMarks[] = {"text_model."};
constexpr const char* kT5Marks[] = {"encoder.", "shared."};

}  // namespace

std::span<const NameTable> name_tables(Family family) {
  switch (family) {
    case Family::kMmdit:
      return mmdit_name_tables();
    case Family::kVae:
      return vae_name_tables();
    case Family::kClip:
      return clip_name_tables();
    case Family::kT5:
      return t5_name_tables();
    case Family::kOther:
      break;
  }
  return {};
}

CanonicalLayout canonical_layout(Family family) {
  switch (family) {
    case Family::kMmdit:
      return {"diffusers", kMmditMarks};
    case Family::kVae:
      return {"diffusers", kVaeMarks};
    case Family::kClip:
      return {"transformers", kClipMarks};
    case Family::kT5:
      return {"transformers", kT5Marks};
    case Family::kOther:
      break;
  }
  return {"names as stored", {}};
}

}  // namespace octet
