// AVX-512 with the unit for bf16 (BF16): AMD from Zen 4, Intel servers from Cooper Lake.
#pragma once

#include "cpu/avx512/vector.h"

namespace minnow::avx512bf16 {

template <class Level>
struct VectorOf : avx512::VectorOf<Level> {
  using Base = avx512::VectorOf<Level>;
  using typename Base::B;
  using typename Base::F;
  static constexpr bool kBf16Dot = true;

  // Pairs of bf16 in each lane: acc + a[1] * b[1] + a[0] * b[0]. Subnormals count as 0.
  static F dot_bf16(F acc, B a, B b) {
    return _mm512_dpbf16_ps(acc, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b));
  }
  // The pair of bf16 at p in every lane.
  static B set_pair(const uint16_t* p) { return Base::word(p); }
  // Rounded to nearest even: the 16 values of `low`, then those of `high`.
  static B to_bf16(F low, F high) { return reinterpret_cast<B>(_mm512_cvtne2ps_pbh(high, low)); }
  // The same, a value of each in every lane.
  static B to_bf16_pairs(F first, F second) {
    const __m512i lanes = _mm512_setr_epi32(0x100000, 0x110001, 0x120002, 0x130003, 0x140004, 0x150005, 0x160006, 0x170007,
                                            0x180008, 0x190009, 0x1A000A, 0x1B000B, 0x1C000C, 0x1D000D, 0x1E000E, 0x1F000F);
    return _mm512_permutexvar_epi16(lanes, to_bf16(first, second));
  }
};

struct Vector : VectorOf<Vector> {};

}  // namespace minnow::avx512bf16
