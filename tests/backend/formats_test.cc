// The vectorised conversions against the scalar ones, exhaustively where that is possible.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/isa/kernels.h"
#include "backend/op_case.h"

namespace octet {
namespace {

const cpu::Kernels& kernels_for(CpuIsa isa) {
  if (isa == CpuIsa::kAvx512 || isa == CpuIsa::kAvx512Bf16) return cpu::avx512_kernels();
  if (isa == CpuIsa::kAvx2) return cpu::avx2_kernels();
  return cpu::generic_kernels();
}

class Formats : public testing::TestWithParam<CpuIsa> {
 protected:
  const cpu::Kernels& kernels_ = kernels_for(GetParam());
};

// Equal bits, or NaN both.
bool same(float a, float b) {
  return (std::isnan(a) && std::isnan(b)) ||
         std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b);
}

TEST_P(Formats, DecodesEveryCode) {
  for (const DType dtype : {DType::kF8E4M3, DType::kF8E5M2, DType::kF16, DType::kBF16}) {
    const std::size_t count = size_of(dtype) == 1 ? 256 : 65536;
    std::vector<unsigned char> codes(count * size_of(dtype));
    for (std::size_t i = 0; i < count; ++i) {
      const auto code = static_cast<std::uint16_t>(i);
      std::memcpy(codes.data() + i * size_of(dtype), &code, size_of(dtype));
    }
    std::vector<float> wanted(count);
    std::vector<float> found(count);
    decode_to_f32(dtype, codes.data(), wanted.data(), count);
    kernels_.to_f32(dtype, codes.data(), found.data(), count);
    for (std::size_t i = 0; i < count; ++i) {
      ASSERT_TRUE(same(found[i], wanted[i]))
          << name_of(dtype) << " code " << i << ": found " << found[i] << ", wanted " << wanted[i];
    }
    // The panels of a weight are decoded by another loop.
    const auto panel = static_cast<std::size_t>(kernels_.panel);
    found.assign(count, 0);
    kernels_.decode_panel(dtype, codes.data(), count / panel, nullptr, found.data());
    for (std::size_t i = 0; i < count; ++i) ASSERT_TRUE(same(found[i], wanted[i])) << i;
  }
}

// Values at, just below and just above every boundary of the format, and special ones.
std::vector<float> interesting(DType dtype) {
  std::vector<float> values = {0.0f,     INFINITY, std::nanf(""), 1e-45f,  1e-38f, 3e38f,
                               463.9f,   464.0f,   464.1f,        480.0f,  1e9f,   57344.0f,
                               61439.0f, 61440.0f, 65519.0f,      65520.0f};
  const std::size_t count = size_of(dtype) == 1 ? 128 : 32768;
  for (std::size_t i = 0; i + 1 < count; ++i) {
    const auto a = static_cast<std::uint16_t>(i);
    const auto b = static_cast<std::uint16_t>(i + 1);
    float low = 0;
    float high = 0;
    decode_to_f32(dtype, &a, &low, 1);
    decode_to_f32(dtype, &b, &high, 1);
    const float middle = low / 2 + high / 2;  // a tie
    if (!std::isfinite(middle)) continue;
    for (const float x :
         {low, middle, std::nextafter(middle, 0.0f), std::nextafter(middle, INFINITY)}) {
      values.push_back(x);
    }
  }
  std::vector<float> both = values;
  for (const float x : values) both.push_back(-x);
  return both;
}

TEST_P(Formats, EncodesLikeTheScalarCode) {
  for (const DType dtype : {DType::kF8E4M3, DType::kF16, DType::kBF16}) {
    std::vector<float> values = interesting(dtype);
    std::mt19937_64 random(3);
    for (int i = 0; i < 200000; ++i) {
      values.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(random())));
    }
    std::vector<unsigned char> wanted(values.size() * size_of(dtype));
    std::vector<unsigned char> found(wanted.size());
    encode_from_f32(dtype, values.data(), wanted.data(), values.size());
    kernels_.from_f32(dtype, values.data(), found.data(), values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (std::isnan(values[i])) {
        float back = 0;
        decode_to_f32(dtype, found.data() + i * size_of(dtype), &back, 1);
        ASSERT_TRUE(std::isnan(back)) << name_of(dtype) << " of a NaN";
        continue;
      }
      ASSERT_EQ(std::memcmp(found.data() + i * size_of(dtype), wanted.data() + i * size_of(dtype),
                            size_of(dtype)),
                0)
          << name_of(dtype) << " of " << values[i];
    }
  }
}

// Fixed vectors, so that an error shared by the scalar and the vector code shows.
TEST_P(Formats, KnownE4m3Codes) {
  const std::vector<std::pair<float, int>> cases = {
      {0.0f, 0x00},    {-0.0f, 0x80},   {1.0f, 0x38},      {-1.0f, 0xB8},
      {448.0f, 0x7E},  {464.0f, 0x7E},  {1e9f, 0x7E},      {-INFINITY, 0xFE},
      {0x1p-6f, 0x08}, {0x1p-9f, 0x01}, {0x1p-10f, 0x00},  {0x1.000002p-10f, 0x01},
      {1.0625f, 0x38}, {1.1875f, 0x3A}, {0x1.8p-9f, 0x02}, {0x1.4p-9f, 0x01}};
  for (const auto& [value, code] : cases) {
    std::uint8_t found = 0;
    kernels_.from_f32(DType::kF8E4M3, &value, &found, 1);
    EXPECT_EQ(static_cast<int>(found), code) << value;
  }
}

TEST_P(Formats, ActivationsAreAccurateEverywhere) {
  std::vector<float> x;
  for (float v = 1e-6f; v < 90; v *= 1.003f) {
    x.push_back(v);
    x.push_back(-v);
  }
  std::vector<float> y(x.size());
  for (const Act act : {Act::kSilu, Act::kGeluTanh, Act::kGeluErf, Act::kQuickGelu}) {
    kernels_.activate(act, x.data(), y.data(), x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      // The tanh form is compared through its exponential: 1 + tanh loses all digits left of -5.
      const double v = static_cast<double>(x[i]);
      double wanted = reference::activate(act, v);
      if (act == Act::kGeluTanh) {
        wanted = v / (1 + std::exp(-2 * std::sqrt(2 / M_PI) * (v + 0.044715 * v * v * v)));
      }
      // The argument of the exponential is rounded, which costs its size in units of 6e-8.
      const double allowed =
          std::fabs(wanted) * (4e-7 + 3e-7 * std::fabs(v) * (1 + v * v * 0.1)) + 1e-35;
      ASSERT_NEAR(static_cast<double>(y[i]), wanted, allowed)
          << static_cast<int>(act) << " of " << v;
    }
  }
}

TEST_P(Formats, ActivationsKeepNan) {
  const float nan = std::nanf("");
  for (const Act act : {Act::kSilu, Act::kGeluTanh, Act::kGeluErf, Act::kQuickGelu}) {
    float y = 0;
    kernels_.activate(act, &nan, &y, 1);
    EXPECT_TRUE(std::isnan(y)) << static_cast<int>(act);
  }
}

// The operands of the BF16 pair product, multiplied by hand: the layout is right when the sums are.
// Packing needs plain AVX-512 only; the instruction itself is tested by the op suite, on processors
// that have it.
TEST(Pairs, PackedOperandsGiveTheProduct) {
  const std::vector<CpuIsa> isas = supported_isas();
  if (std::count(isas.begin(), isas.end(), CpuIsa::kAvx512) == 0) {
    GTEST_SKIP() << "this processor has no AVX-512";
  }
  const cpu::Kernels& k = cpu::avx512_kernels();
  ASSERT_EQ(k.gemm_pairs, nullptr);
  const auto panel = static_cast<std::size_t>(k.panel);
  std::mt19937 random(11);
  for (const DType x_type : {DType::kBF16, DType::kF8E4M3}) {
    for (const DType w_type : {DType::kBF16, DType::kF8E4M3, DType::kF8E5M2}) {
      for (const std::size_t depth : {1u, 2u, 31u, 32u, 33u, 47u, 70u}) {
        const std::size_t rows = (depth + 15) / 16 * 16;  // of the panel, as prepare() pads them
        const std::size_t groups = (depth + 31) / 32;
        std::vector<float> x(depth);
        std::vector<float> w(rows * panel, 0.0f);
        for (float& v : x) v = static_cast<float>(static_cast<int>(random() % 15) - 7);
        for (std::size_t i = 0; i < depth * panel; ++i) {
          w[i] = static_cast<float>(static_cast<int>(random() % 5) - 2);
        }
        std::vector<unsigned char> x_codes(depth * size_of(x_type));
        std::vector<unsigned char> w_codes(w.size() * size_of(w_type));
        encode_from_f32(x_type, x.data(), x_codes.data(), x.size());
        encode_from_f32(w_type, w.data(), w_codes.data(), w.size());
        std::vector<std::uint32_t> a(groups * 48, 0xFFFFFFFF);  // rows of a tile of three
        std::vector<std::uint32_t> b(rows / 2 * panel);
        k.pack_row_pairs(x_type, x_codes.data(), depth, reinterpret_cast<float*>(a.data() + 16),
                         48);
        k.decode_panel_pairs(w_type, w_codes.data(), rows, reinterpret_cast<float*>(b.data()));
        const auto low = [](std::uint32_t u) { return bf16_to_f32(static_cast<std::uint16_t>(u)); };
        const auto high = [](std::uint32_t u) {
          return bf16_to_f32(static_cast<std::uint16_t>(u >> 16));
        };
        for (std::size_t n = 0; n < panel; ++n) {
          float found = 0;
          float wanted = 0;
          for (std::size_t i = 0; i < depth; ++i) wanted += x[i] * w[i * panel + n];
          for (std::size_t u = 0; u < groups * 16; ++u) {
            const std::uint32_t au = a[u / 16 * 48 + 16 + u % 16];
            const std::uint32_t bu = u < rows / 2 ? b[u * panel + n] : 0;
            found += low(au) * low(bu) + high(au) * high(bu);
          }
          ASSERT_EQ(found, wanted) << name_of(x_type) << name_of(w_type) << " depth " << depth;
        }
      }
    }
  }
}

std::string isa_name(const testing::TestParamInfo<CpuIsa>& info) { return name_of(info.param); }
INSTANTIATE_TEST_SUITE_P(Isas, Formats, testing::ValuesIn(supported_isas()), isa_name);

}  // namespace
}  // namespace octet
