// NEON with the dot product of signed bytes into 32 bits (FEAT_DotProd): most 64-bit Arm cores since 2018.
#pragma once

#include "cpu/neon/vector.h"

namespace minnow::neon_dotprod {

template <class Level>
struct VectorOf : neon::VectorOf<Level> {
  using Base = neon::VectorOf<Level>;
  using typename Base::B;
  using Sums = typename Base::I;
  static constexpr int kPanelVectors = 2, kPanelColumns = 4;  // 8 sums, as many totals, 2 vectors of codes, in 32 registers
  static constexpr bool kWideSums = true;  // 32 bits: never full

  // acc + sum over the lane's four bytes of code * x[0..3]; codes below 128.
  static Sums dot(Sums acc, B codes, const int8_t* x) {
    return vdotq_s32(acc, vreinterpretq_s8_u8(codes), Base::word(x));
  }
  // The same for codes of 8 bits that carry an offset of 128: without it they are signed bytes.
  static Sums dot_full(Sums acc, B codes, const int8_t* x) { return dot(acc, veorq_u8(codes, vdupq_n_u8(128)), x); }

  using Scales = typename Base::I;
  static Sums add_scaled(Sums acc, Sums sums, Scales scales) { return vmlaq_s32(acc, sums, scales); }
};

struct Vector : VectorOf<Vector> {};

}  // namespace minnow::neon_dotprod
