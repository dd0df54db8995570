// SHA-256 with the SHA extensions of x86-64 (AMD since 2017, Intel since 2019 to 2021).
#include "base/sha256_blocks.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

namespace octet {

#if defined(__x86_64__)
namespace {

#define OCTET_SHA __attribute__((target("sha,ssse3,sse4.1")))

__m128i load(const void* at) { return _mm_loadu_si128(static_cast<const __m128i*>(at)); }

// Words t..t+3 of the message schedule from the sixteen before them, which stand in four vectors.
OCTET_SHA __m128i next_words(__m128i w0, __m128i w1, __m128i w2, __m128i w3) {
  const __m128i t = _mm_add_epi32(_mm_sha256msg1_epu32(w0, w1), _mm_alignr_epi8(w3, w2, 4));
  return _mm_sha256msg2_epu32(t, w3);
}

// The instructions keep the state as {a, b, e, f} and {c, d, g, h}, highest word first.
OCTET_SHA void four_rounds(__m128i& abef, __m128i& cdgh, __m128i w, int round) {
  const __m128i k = _mm_add_epi32(w, load(kSha256Round + round));
  const __m128i before = abef;
  const __m128i half = _mm_sha256rnds2_epu32(cdgh, abef, k);
  abef = _mm_sha256rnds2_epu32(before, half, _mm_shuffle_epi32(k, 0x0E));
  cdgh = half;
}

OCTET_SHA void blocks_native(std::uint32_t* state, const std::uint8_t* bytes, std::size_t count) {
  const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
  const __m128i abcd = _mm_shuffle_epi32(load(state), 0xB1);
  const __m128i efgh = _mm_shuffle_epi32(load(state + 4), 0x1B);
  __m128i abef = _mm_alignr_epi8(abcd, efgh, 8);
  __m128i cdgh = _mm_blend_epi16(efgh, abcd, 0xF0);
  for (; count > 0; --count, bytes += 64) {
    const __m128i old_abef = abef, old_cdgh = cdgh;
    __m128i w[4];
    for (int i = 0; i < 4; ++i) {
      w[i] = _mm_shuffle_epi8(load(bytes + 16 * i), swap);
      four_rounds(abef, cdgh, w[i], 4 * i);
    }
    for (int i = 4; i < 16; ++i) {
      __m128i& oldest = w[i % 4];
      oldest = next_words(oldest, w[(i + 1) % 4], w[(i + 2) % 4], w[(i + 3) % 4]);
      four_rounds(abef, cdgh, oldest, 4 * i);
    }
    abef = _mm_add_epi32(abef, old_abef);
    cdgh = _mm_add_epi32(cdgh, old_cdgh);
  }
  const __m128i feba = _mm_shuffle_epi32(abef, 0x1B);
  const __m128i dchg = _mm_shuffle_epi32(cdgh, 0xB1);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(state), _mm_blend_epi16(feba, dchg, 0xF0));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

bool has_sha() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  constexpr unsigned kShaBit = 1U << 29;  // leaf 7, EBX; g++ 12 has no name for it
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (b & kShaBit) != 0 &&
         __builtin_cpu_supports("ssse3") && __builtin_cpu_supports("sse4.1");
}

}  // namespace

Sha256Blocks sha256_blocks_native() {
  static const bool there = has_sha();
  return there ? blocks_native : nullptr;
}

#else

Sha256Blocks sha256_blocks_native() { return nullptr; }

#endif

}  // namespace octet
