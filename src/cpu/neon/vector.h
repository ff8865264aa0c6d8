// 128-bit vectors of every 64-bit Arm CPU (no optional extension is needed).
//
// `Level` is the type that derives from this one: every level that shares these functions has copies of its own, made
// with its own compiler flags (see README.md).
#pragma once

#include <arm_neon.h>

#include <cstdint>

namespace minnow::neon {

template <class Level>
struct VectorOf {
  using F = float32x4_t;  // f32 lanes
  using I = int32x4_t;    // i32 lanes
  using B = uint8x16_t;   // bytes, four to a lane
  struct Sums {           // of products of bytes: 16 bits for each of them
    int16x8_t low, high;  // lanes 0 and 1, lanes 2 and 3
  };
  static constexpr int kLanes = 4;
  static constexpr int kTileRows = 4, kTileColumns = 4;    // float products
  static constexpr int kDenseRows = 8, kDenseVectors = 3;  // products of two operands in panels
  static constexpr int kPanelVectors = 4, kPanelColumns = 2;  // integer products
  static constexpr int kStreamVectors = 4;                 // the same for one column
  static constexpr int kScoreRows = 4, kScoreVectors = 4;  // attention
  static constexpr int kFullBias = 0;                      // dot_full removes the offset of 128 itself
  static constexpr bool kWideSums = false;
  static constexpr bool kBf16Dot = false;

  static F zero() { return vdupq_n_f32(0); }
  static F set(float x) { return vdupq_n_f32(x); }
  static F load(const float* p) { return vld1q_f32(p); }
  static void store(float* p, F x) { vst1q_f32(p, x); }
  static F load_n(const float* p, int n) {
    float padded[4] = {};
    for (int i = 0; i < n; ++i) padded[i] = p[i];
    return vld1q_f32(padded);
  }
  static void store_n(float* p, F x, int n) {
    float lanes[4];
    vst1q_f32(lanes, x);
    for (int i = 0; i < n; ++i) p[i] = lanes[i];
  }
  static F load_f16(const uint16_t* p) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p))); }
  static void store_f16(uint16_t* p, F x) { vst1_u16(p, vreinterpret_u16_f16(vcvt_f16_f32(x))); }
  // a, b, a, b, ... and p[0], p[0], p[1], p[1], ...
  static F set_two(const float* p) {
    const float32x2_t both = vld1_f32(p);
    return vcombine_f32(both, both);
  }
  static F load_twice(const float* p) {
    const F both = set_two(p);
    return vzip1q_f32(both, both);
  }
  static F load_bf16(const uint16_t* p) { return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16)); }
  static F load_i8(const int8_t* p) {
    int32_t four;
    __builtin_memcpy(&four, p, 4);
    const int16x8_t words = vmovl_s8(vreinterpret_s8_s32(vdup_n_s32(four)));
    return vcvtq_f32_s32(vmovl_s16(vget_low_s16(words)));
  }
  // Rounds to nearest even; what is not a number stays so.
  static void store_bf16(uint16_t* p, F x) {
    const uint32x4_t bits = vreinterpretq_u32_f32(x);
    const uint32x4_t last = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
    const uint32x4_t rounded = vaddq_u32(bits, vaddq_u32(last, vdupq_n_u32(0x7FFF)));
    const uint32x4_t quiet = vorrq_u32(bits, vdupq_n_u32(0x400000));
    vst1_u16(p, vshrn_n_u32(vbslq_u32(vceqq_f32(x, x), rounded, quiet), 16));
  }
  // Rounds to nearest even and saturates.
  static void store_i8(int8_t* p, F x) {
    const int16x4_t words = vqmovn_s32(vcvtnq_s32_f32(x));
    const int8x8_t bytes = vqmovn_s16(vcombine_s16(words, words));
    const int32_t four = vget_lane_s32(vreinterpret_s32_s8(bytes), 0);
    __builtin_memcpy(p, &four, 4);
  }

  // q[i] = x[i] * inverse, as store_i8, for 32 values; and minus the sums of the first 16 and the last 16 of q.
  static void store_codes(int8_t* q, const float* x, F inverse, int32_t* neg_sums) {
    for (int h = 0; h < 2; ++h) {
      for (int i = 16 * h; i < 16 * h + 16; i += kLanes) store_i8(q + i, mul(load(x + i), inverse));
      neg_sums[h] = -vaddlvq_s8(vld1q_s8(q + 16 * h));
    }
  }

  static F add(F a, F b) { return vaddq_f32(a, b); }
  static F sub(F a, F b) { return vsubq_f32(a, b); }
  static F mul(F a, F b) { return vmulq_f32(a, b); }
  static F div(F a, F b) { return vdivq_f32(a, b); }
  static F fma(F a, F b, F c) { return vfmaq_f32(c, a, b); }
  static F min(F a, F b) { return vminq_f32(a, b); }
  static F max(F a, F b) { return vmaxq_f32(a, b); }
  static F sqrt(F x) { return vsqrtq_f32(x); }
  static F abs(F x) { return vabsq_f32(x); }
  static F round(F x) { return vrndnq_f32(x); }
  // 2^n for whole n in [-126, 127]
  static F pow2(F n) {
    return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(vcvtnq_s32_f32(n), vdupq_n_s32(127)), 23));
  }
  // a < b ? yes : no, lane by lane
  static F select_less(F a, F b, F yes, F no) { return vbslq_f32(vcltq_f32(a, b), yes, no); }
  static bool any_less(F a, F b) { return vmaxvq_u32(vcltq_f32(a, b)) != 0; }
  // a[0] + a[1], a[2] + a[3], ..., then those of b.
  static F add_neighbours(F a, F b) { return vpaddq_f32(a, b); }
  static float sum(F x) { return vaddvq_f32(x); }
  // Lane j of x[i] and lane i of x[j] change places.
  static void transpose(F (&x)[kLanes]) {
    const auto even = [](F p, F q) { return vreinterpretq_f64_f32(vtrn1q_f32(p, q)); };
    const auto odd = [](F p, F q) { return vreinterpretq_f64_f32(vtrn2q_f32(p, q)); };
    const float64x2_t a = even(x[0], x[1]), b = odd(x[0], x[1]), c = even(x[2], x[3]), d = odd(x[2], x[3]);
    x[0] = vreinterpretq_f32_f64(vtrn1q_f64(a, c));
    x[1] = vreinterpretq_f32_f64(vtrn1q_f64(b, d));
    x[2] = vreinterpretq_f32_f64(vtrn2q_f64(a, c));
    x[3] = vreinterpretq_f32_f64(vtrn2q_f64(b, d));
  }
  static float max_lane(F x) { return vmaxvq_f32(x); }

  static I set_i(int32_t x) { return vdupq_n_s32(x); }
  static I load_all(const void* p) {  // the same 32 bits in every lane
    int32_t x;
    __builtin_memcpy(&x, p, 4);
    return vdupq_n_s32(x);
  }
  static I add_i(I a, I b) { return vaddq_s32(a, b); }
  static I sub_i(I a, I b) { return vsubq_s32(a, b); }
  static F to_f(I x) { return vcvtq_f32_s32(x); }
  static F as_f(I x) { return vreinterpretq_f32_s32(x); }
  static I load_u8(const uint8_t* p) {
    int32_t four;
    __builtin_memcpy(&four, p, 4);
    const uint16x8_t words = vmovl_u8(vreinterpret_u8_s32(vdup_n_s32(four)));
    return vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(words)));
  }
  // Each lane, not negative, moved right by `shift` (left when negative), then masked.
  static I bits_i(I x, int shift, int mask) { return vandq_s32(vshlq_s32(x, vdupq_n_s32(-shift)), vdupq_n_s32(mask)); }
  static B load_b(const void* p) { return vld1q_u8(static_cast<const uint8_t*>(p)); }
  static B or_b(B a, B b) { return vorrq_u8(a, b); }
  // Each byte moved right by `shift` (left when negative), then masked.
  static B bits(B x, int shift, int mask) {
    return vandq_u8(vshlq_u8(x, vdupq_n_s8(static_cast<int8_t>(-shift))), vdupq_n_u8(static_cast<uint8_t>(mask)));
  }
  // table[code] for codes below 16
  static B lookup(const uint8_t* table, B codes) { return vqtbl1q_u8(vld1q_u8(table), codes); }
  static Sums no_sums() { return {vdupq_n_s16(0), vdupq_n_s16(0)}; }
  // sums + code * x[0..3] over the lane's four bytes; codes of at most seven bits.
  static Sums dot(Sums sums, B codes, const int8_t* x) { return multiply(sums, vreinterpretq_s8_u8(codes), x); }
  // The same for codes of 8 bits that carry an offset of 128.
  static Sums dot_full(Sums sums, B codes, const int8_t* x) {
    return multiply(sums, vreinterpretq_s8_u8(veorq_u8(codes, vdupq_n_u8(128))), x);
  }
  static I widen(I acc, Sums sums) {
    return vaddq_s32(acc, vpaddq_s32(vpaddlq_s16(sums.low), vpaddlq_s16(sums.high)));
  }
  // Two signed bytes for each lane, as its 16-bit halves.
  static I load_pairs(const void* p) { return vreinterpretq_s32_s16(vmovl_s8(vld1_s8(static_cast<const int8_t*>(p)))); }
  // acc + a[0] * b[0] + a[1] * b[1] of 16-bit halves
  static I dot_pairs(I acc, I a, I b) {
    const int16x8_t x = vreinterpretq_s16_s32(a), y = vreinterpretq_s16_s32(b);
    return vaddq_s32(acc, vpaddq_s32(vmull_s16(vget_low_s16(x), vget_low_s16(y)), vmull_high_s16(x, y)));
  }
  // The low or high halves as factors for add_scaled: acc + sums * scales.
  using Scales = I;
  static Scales low_scales(I pairs) { return vshrq_n_s32(vshlq_n_s32(pairs, 16), 16); }
  static Scales high_scales(I pairs) { return vshrq_n_s32(pairs, 16); }
  static I add_scaled(I acc, Sums sums, Scales scales) { return vmlaq_s32(acc, widen(vdupq_n_s32(0), sums), scales); }

 protected:
  static Sums multiply(Sums sums, int8x16_t codes, const int8_t* x) {
    const int8x16_t four = word(x);
    return {vmlal_s8(sums.low, vget_low_s8(codes), vget_low_s8(four)), vmlal_high_s8(sums.high, codes, four)};
  }
  static int8x16_t word(const void* x) {
    int32_t four;
    __builtin_memcpy(&four, x, 4);
    return vreinterpretq_s8_s32(vdupq_n_s32(four));
  }
};

struct Vector : VectorOf<Vector> {};

}  // namespace minnow::neon
