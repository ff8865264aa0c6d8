// NEON with the dot product of unsigned by signed bytes and the unit for bf16 (FEAT_I8MM and FEAT_BF16, which Armv8.6
// brought together): Neoverse V1 and N2, Cortex-A510, A710 and X2, Apple from M2.
#pragma once

#include "cpu/neon_dotprod/vector.h"

namespace minnow::neon_i8mm {

struct Vector : neon_dotprod::VectorOf<Vector> {
  static constexpr int kFullBias = 128;  // dot_full takes codes as they are, with this offset
  static constexpr bool kBf16Dot = true;

  static Sums dot_full(Sums acc, B codes, const int8_t* x) { return vusdotq_s32(acc, codes, word(x)); }

  // Pairs of bf16 in each lane: acc + (a[0] * b[0] + a[1] * b[1]). Subnormals count as 0.
  static F dot_bf16(F acc, B a, B b) { return vbfdotq_f32(acc, vreinterpretq_bf16_u8(a), vreinterpretq_bf16_u8(b)); }
  // The pair of bf16 at p in every lane. Hidden from the compiler: gcc 12 writes a constant 1.0 of bf16 as one of f16.
  static B set_pair(const uint16_t* p) {
    B pairs = vreinterpretq_u8_s8(word(p));
    asm("" : "+w"(pairs));
    return pairs;
  }
  // Rounded to nearest even: the 4 values of `low`, then those of `high`.
  static B to_bf16(F low, F high) {
    return vreinterpretq_u8_bf16(vcvtq_high_bf16_f32(vcvtq_low_bf16_f32(low), high));
  }
  // The same, a value of each in every lane.
  static B to_bf16_pairs(F first, F second) {
    const uint16x8_t both = vreinterpretq_u16_u8(to_bf16(first, second));
    return vreinterpretq_u8_u16(vzip1q_u16(both, vextq_u16(both, both, 4)));
  }
  static void store_b(void* p, B x) { vst1q_u8(static_cast<uint8_t*>(p), x); }
  // x * 2^n for whole n; beyond 252 it counts as 252. In two steps, each of which is a normal number.
  static F times_pow2(F x, F n) {
    const F all = max(min(n, set(252.0f)), set(-252.0f)), half = round(mul(all, set(0.5f)));
    return mul(mul(x, pow2(half)), pow2(sub(all, half)));
  }
};

}  // namespace minnow::neon_i8mm
