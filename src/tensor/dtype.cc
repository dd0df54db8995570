#include "tensor/dtype.h"

namespace octet {
namespace {

struct Traits {
  DType dtype;
  std::size_t size;
  const char* name;
  const char* safetensors;
};

// In the order of the enumerators.
constexpr Traits kTraits[] = {
    {DType::kF32, 4, "f32", "F32"},
    {DType::kF16, 2, "f16", "F16"},
    {DType::kBF16, 2, "bf16", "BF16"},
    {DType::kF8E4M3, 1, "f8_e4m3", "F8_E4M3"},
    {DType::kF8E5M2, 1, "f8_e5m2", "F8_E5M2"},
    {DType::kI32, 4, "i32", "I32"},
    {DType::kU8, 1, "u8", "U8"},
};

const Traits& traits(DType dtype) { return kTraits[static_cast<std::size_t>(dtype)]; }

}  // namespace

std::size_t size_of(DType dtype) { return traits(dtype).size; }
const char* name_of(DType dtype) { return traits(dtype).name; }
const char* safetensors_name(DType dtype) { return traits(dtype).safetensors; }

std::optional<DType> dtype_from_safetensors(std::string_view name) {
  for (const Traits& t : kTraits) {
    if (name == t.safetensors) return t.dtype;
  }
  return std::nullopt;
}

}  // namespace octet
