#include "backend/weight.h"

namespace octet {

const char* name_of(Compute compute) {
  switch (compute) {
    case Compute::kF32:
      return "f32";
    case Compute::kBF16:
      return "bf16";
    case Compute::kW8A16:
      return "w8a16";
    case Compute::kFP8:
      return "fp8";
  }
  return "?";
}

}  // namespace octet
