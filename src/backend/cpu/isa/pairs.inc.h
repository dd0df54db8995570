// Packing for products of BF16 pairs (kernels.h). Included inside an anonymous namespace after
// gemm.inc.h; only sets whose lanes are one register need it.

// Sixteen BF16 numbers of a row or of a panel line; FP8 is exact in BF16.
template <DType D>
inline HalfWords load_bf16(const void* p) {
  if constexpr (D == DType::kBF16) return load_words(p);
  return to_bf16(load_as<D>(p));
}

// Memory order of BF16 is pair order, so 32 numbers are one group of 16 units.
template <DType D>
void pack_row_pairs_loop(const void* src, std::size_t n, float* dst, std::ptrdiff_t step) {
  const auto* p = static_cast<const unsigned char*>(src);
  for (std::size_t i = 0; i < n; i += 32, dst += step) {
    for (std::size_t half = 0; half < 32; half += 16) {
      const std::size_t at = i + half;
      std::uint16_t words[16] = {};
      if (at + 16 <= n) {
        store_words(words, load_bf16<D>(p + at * kBytes<D>));
      } else if (at < n) {
        alignas(64) unsigned char codes[64] = {};
        __builtin_memcpy(codes, p + at * kBytes<D>, (n - at) * kBytes<D>);
        store_words(words, load_bf16<D>(codes));
      }
      __builtin_memcpy(reinterpret_cast<unsigned char*>(dst) + half * 2, words, sizeof words);
    }
  }
}

void pack_row_pairs(DType dtype, const void* src, std::size_t n, float* dst, std::ptrdiff_t step) {
  if (dtype == DType::kBF16) return pack_row_pairs_loop<DType::kBF16>(src, n, dst, step);
  pack_row_pairs_loop<DType::kF8E4M3>(src, n, dst, step);
}

template <DType D>
void decode_panel_pairs_loop(const void* codes, std::size_t rows, float* dst) {
  const auto* even = static_cast<const unsigned char*>(codes);
  const std::size_t line = kPanel * kBytes<D>;
  for (std::size_t r = 0; r < rows; r += 2, even += 2 * line) {
    for (std::size_t c = 0; c < kPanel; c += 16, dst += 16) {
      store_pairs(dst, load_bf16<D>(even + c * kBytes<D>),
                  load_bf16<D>(even + line + c * kBytes<D>));
    }
  }
}

void decode_panel_pairs(DType dtype, const void* codes, std::size_t rows, float* dst) {
  if (dtype == DType::kBF16) return decode_panel_pairs_loop<DType::kBF16>(codes, rows, dst);
  if (dtype == DType::kF8E4M3) return decode_panel_pairs_loop<DType::kF8E4M3>(codes, rows, dst);
  decode_panel_pairs_loop<DType::kF8E5M2>(codes, rows, dst);
}
