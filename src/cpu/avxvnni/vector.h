// AVX2 with the dot product of bytes into 32 bits (AVX-VNNI): Intel from Alder Lake on, where AVX-512 is missing.
#pragma once

#include "cpu/avx2/vector.h"

namespace minnow::avxvnni {

struct Vector : avx2::VectorOf<Vector> {
  using Sums = I;
  static constexpr int kPanelVectors = 1, kPanelColumns = 6;  // 6 sums, 6 totals, in 16 registers
  static constexpr int kFullBias = 128;     // dot_full takes codes as they are, with this offset
  static constexpr bool kWideSums = true;   // 32 bits: never full

  // acc + sum over the lane's four bytes of code * x[0..3].
  static Sums dot(Sums acc, B codes, const int8_t* x) { return _mm256_dpbusd_avx_epi32(acc, codes, word(x)); }
  // The same for codes of 8 bits that carry an offset of 128; the offset stays in.
  static Sums dot_full(Sums acc, B codes, const int8_t* x) { return dot(acc, codes, x); }

  static I dot_pairs(I acc, I a, I b) { return _mm256_dpwssd_avx_epi32(acc, a, b); }
  using Scales = I;
  static Scales low_scales(I pairs) { return _mm256_srai_epi32(_mm256_slli_epi32(pairs, 16), 16); }
  static Scales high_scales(I pairs) { return _mm256_srai_epi32(pairs, 16); }
  static I add_scaled(I acc, Sums sums, Scales scales) { return _mm256_add_epi32(acc, _mm256_mullo_epi32(sums, scales)); }
};

}  // namespace minnow::avxvnni
