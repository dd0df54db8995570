// Around the register tile: packing of its operands and the epilogue of its sums. Included inside
// an anonymous namespace after rows.inc.h.

template <DType D>
void pack_row_loop(const void* src, std::size_t n, float* dst, std::ptrdiff_t step) {
  const auto* p = static_cast<const unsigned char*>(src);
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16, dst += step) store(dst, load_as<D>(p + i * kBytes<D>));
  if (i < n) store(dst, load_some_as<D>(p + i * kBytes<D>, n - i));
}

void pack_row(DType dtype, const void* src, std::size_t n, float* dst, std::ptrdiff_t step) {
  switch (dtype) {
    case DType::kF32:
      return pack_row_loop<DType::kF32>(src, n, dst, step);
    case DType::kF16:
      return pack_row_loop<DType::kF16>(src, n, dst, step);
    case DType::kBF16:
      return pack_row_loop<DType::kBF16>(src, n, dst, step);
    case DType::kF8E4M3:
      return pack_row_loop<DType::kF8E4M3>(src, n, dst, step);
    case DType::kF8E5M2:
      return pack_row_loop<DType::kF8E5M2>(src, n, dst, step);
    case DType::kI32:
    case DType::kU8:
      return;
  }
}

// Sixteen keys by sixteen elements; what does not exist is zero.
inline void transpose_some(const float* src, std::ptrdiff_t step, std::ptrdiff_t keys,
                           std::ptrdiff_t n, float* dst) {
  if (keys >= 16 && n >= 16) return transpose(src, step, dst, kPanel);
  float block[256] = {};
  for (std::ptrdiff_t i = 0; i < keys && i < 16; ++i) {
    for (std::ptrdiff_t j = 0; j < n && j < 16; ++j) block[i * 16 + j] = src[i * step + j];
  }
  transpose(block, 16, dst, kPanel);
}

void pack_keys(const float* src, std::ptrdiff_t src_step, std::size_t keys, std::size_t n,
               std::size_t depth, float* dst) {
  const auto count = static_cast<std::ptrdiff_t>(keys);
  const auto width = static_cast<std::ptrdiff_t>(n);
  const auto padded = static_cast<std::ptrdiff_t>(depth);
  for (std::ptrdiff_t key = 0; key < kKeyBlock; key += 16) {
    float* column = dst + key / kPanel * kPanel * padded + key % kPanel;
    for (std::ptrdiff_t d = 0; d < padded; d += 16) {
      transpose_some(src + key * src_step + d, src_step, count - key, width - d,
                     column + d * kPanel);
    }
  }
}

template <DType D>
void decode_panel_loop(const void* codes, std::size_t rows, const float* scales, float* dst) {
  const auto* p = static_cast<const unsigned char*>(codes);
  if (scales == nullptr) {
    for (std::size_t i = 0; i < rows * kPanel; i += 16) {
      store(dst + i, load_as<D>(p + i * kBytes<D>));
    }
    return;
  }
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < kPanel; c += 16) {
      const std::size_t i = r * kPanel + c;
      store(dst + i, mul(load_as<D>(p + i * kBytes<D>), load(scales + c)));
    }
  }
}

void decode_panel(DType dtype, const void* codes, std::size_t rows, const float* scales,
                  float* dst) {
  switch (dtype) {
    case DType::kF32:
      return decode_panel_loop<DType::kF32>(codes, rows, scales, dst);
    case DType::kF16:
      return decode_panel_loop<DType::kF16>(codes, rows, scales, dst);
    case DType::kBF16:
      return decode_panel_loop<DType::kBF16>(codes, rows, scales, dst);
    case DType::kF8E4M3:
      return decode_panel_loop<DType::kF8E4M3>(codes, rows, scales, dst);
    case DType::kF8E5M2:
      return decode_panel_loop<DType::kF8E5M2>(codes, rows, scales, dst);
    case DType::kI32:
    case DType::kU8:
      return;
  }
}

// ---- epilogue ----

template <DType D>
inline V read(const void* base, std::int64_t index, std::size_t n) {
  const auto* p =
      static_cast<const unsigned char*>(base) + index * static_cast<std::int64_t>(kBytes<D>);
  return n == 16 ? load_as<D>(p) : load_some_as<D>(p, n);
}
template <DType D>
inline void write(void* base, std::int64_t index, V x, std::size_t n) {
  auto* p = static_cast<unsigned char*>(base) + index * static_cast<std::int64_t>(kBytes<D>);
  n == 16 ? store_as<D>(p, x) : store_some_as<D>(p, x, n);
}

// One vector of columns down the rows. What is absent becomes a neutral operand (x * 1 and x + -0
// are x), so that the loop has no branches on it.
template <Act A, DType D>
void finish_columns(const FinishTile& t, int c, std::size_t n) {
  const float one = 1.0f;
  const V scale = t.column_scale != nullptr ? load(t.column_scale + c) : splat(1.0f);
  const V bias = t.bias != nullptr ? load(t.bias + c) : splat(-0.0f);
  const float* row_scale = t.row_scale != nullptr ? t.row_scale : &one;
  const std::ptrdiff_t step = t.row_scale != nullptr ? t.row_scale_step : 0;
  for (int r = 0; r < t.rows; ++r) {
    V y = mul(load(t.c + r * t.ldc + c), splat(row_scale[r * step]));
    y = apply<A>(add(mul(y, scale), bias));
    if (t.residual != nullptr) {
      const std::int64_t at = t.residual_offsets[r] + c;
      y = add(y, t.residual_dtype == DType::kF32 ? read<DType::kF32>(t.residual, at, n)
                                                 : read<DType::kBF16>(t.residual, at, n));
    }
    write<D>(t.dst, t.dst_offsets[r] + c, y, n);
  }
}

template <Act A>
void finish_loop(const FinishTile& t) {
  for (int c = 0; c < t.columns; c += 16) {
    const auto n = static_cast<std::size_t>(t.columns - c < 16 ? t.columns - c : 16);
    if (t.dst_dtype == DType::kF32) {
      finish_columns<A, DType::kF32>(t, c, n);
    } else {
      finish_columns<A, DType::kBF16>(t, c, n);
    }
  }
}

void finish_tile(const FinishTile& t) {
  switch (t.act) {
    case Act::kNone:
      return finish_loop<Act::kNone>(t);
    case Act::kSilu:
      return finish_loop<Act::kSilu>(t);
    case Act::kGeluTanh:
      return finish_loop<Act::kGeluTanh>(t);
    case Act::kGeluErf:
      return finish_loop<Act::kGeluErf>(t);
    case Act::kQuickGelu:
      return finish_loop<Act::kQuickGelu>(t);
  }
}
