#include "tensor/dtype.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace octet {
namespace {

constexpr DType kAll[] = {DType::kF32,    DType::kF16, DType::kBF16, DType::kF8E4M3,
                          DType::kF8E5M2, DType::kI32, DType::kU8};

TEST(DType, NamesAreDistinctAndRoundTrip) {
  std::set<std::string> names, stored;
  for (const DType d : kAll) {
    names.insert(name_of(d));
    stored.insert(safetensors_name(d));
    EXPECT_EQ(dtype_from_safetensors(safetensors_name(d)), d);
  }
  EXPECT_EQ(names.size(), std::size(kAll));
  EXPECT_EQ(stored.size(), std::size(kAll));
}

TEST(DType, SizesAreThoseOfTheFormats) {
  const std::size_t sizes[] = {4, 2, 2, 1, 1, 4, 1};
  for (std::size_t i = 0; i < std::size(kAll); ++i) {
    EXPECT_EQ(size_of(kAll[i]), sizes[i]) << name_of(kAll[i]);
  }
}

TEST(DType, ForeignNamesAreEmpty) {
  for (const char* name : {"", "f32", "F64", "I64", "BOOL", "F8_E4M3FNUZ", "F8_E8M0", "F32 "}) {
    EXPECT_EQ(dtype_from_safetensors(name), std::nullopt) << name;
  }
}

TEST(DType, Families) {
  EXPECT_TRUE(is_fp8(DType::kF8E4M3) && is_fp8(DType::kF8E5M2));
  EXPECT_FALSE(is_fp8(DType::kF16) || is_fp8(DType::kU8));
  EXPECT_TRUE(is_float(DType::kF8E5M2) && is_float(DType::kBF16));
  EXPECT_FALSE(is_float(DType::kI32) || is_float(DType::kU8));
}

}  // namespace
}  // namespace octet
