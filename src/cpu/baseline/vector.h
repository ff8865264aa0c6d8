// Four lanes in the compiler's own vectors: what every CPU of the architecture can do.
#pragma once

#include <cstdint>

#include "tensor/half.h"

namespace minnow::baseline {

struct Vector {
  using F = float __attribute__((vector_size(16)));    // f32 lanes
  using I = int32_t __attribute__((vector_size(16)));  // i32 lanes
  using B = uint8_t __attribute__((vector_size(16)));  // bytes, four to a lane
  using Sums = int16_t __attribute__((vector_size(16)));  // of products of bytes: 16 bits for each pair of them
  static constexpr int kLanes = 4;
  static constexpr int kTileRows = 2, kTileColumns = 4;    // float products
  static constexpr int kDenseRows = 4, kDenseVectors = 2;  // products of two operands in panels
  static constexpr int kPanelVectors = 2, kPanelColumns = 2;  // integer products
  static constexpr int kStreamVectors = 4;                 // the same for one column
  static constexpr int kScoreRows = 2, kScoreVectors = 2;  // attention
  static constexpr int kFullBias = 0;                      // dot_full removes the offset of 128 itself
  static constexpr bool kWideSums = false;
  static constexpr bool kBf16Dot = false;

  static F zero() { return set(0); }
  static F set(float x) { return F{x, x, x, x}; }
  static F load(const float* p) { return F{p[0], p[1], p[2], p[3]}; }
  static void store(float* p, F x) { __builtin_memcpy(p, &x, 16); }
  static F load_n(const float* p, int n) {
    F x = zero();
    for (int i = 0; i < n; ++i) x[i] = p[i];
    return x;
  }
  static void store_n(float* p, F x, int n) {
    for (int i = 0; i < n; ++i) p[i] = x[i];
  }
  // The exponent's bias is set right by a product, which is exact for subnormals, too; not for infinity and NaN.
  static F load_f16(const uint16_t* p) {
    const I h = {p[0], p[1], p[2], p[3]};
    const I finite = as_i(as_f((h & 0x7FFF) << 13) * 0x1p112f);
    const I special = ((h & 0x7C00) == 0x7C00) & 0x7F800000;
    return as_f(finite | special | (h & 0x8000) << 16);
  }
  static void store_f16(uint16_t* p, F x) {
    for (int i = 0; i < 4; ++i) p[i] = f32_to_f16(x[i]);
  }
  // a, b, a, b, ... and p[0], p[0], p[1], p[1], ...
  static F set_two(const float* p) { return F{p[0], p[1], p[0], p[1]}; }
  static F load_twice(const float* p) { return F{p[0], p[0], p[1], p[1]}; }
  static F load_bf16(const uint16_t* p) { return as_f(I{p[0], p[1], p[2], p[3]} << 16); }
  static F load_i8(const int8_t* p) { return to_f(I{p[0], p[1], p[2], p[3]}); }
  static void store_bf16(uint16_t* p, F x) {
    for (int i = 0; i < 4; ++i) p[i] = f32_to_bf16(x[i]);
  }
  // Rounds to nearest even and saturates.
  static void store_i8(int8_t* p, F x) {
    const F r = round(min(max(x, set(-128)), set(127)));
    for (int i = 0; i < 4; ++i) p[i] = static_cast<int8_t>(r[i]);
  }

  // q[i] = x[i] * inverse, as store_i8, for 32 values; and minus the sums of the first 16 and the last 16 of q.
  static void store_codes(int8_t* q, const float* x, F inverse, int32_t* neg_sums) {
    for (int i = 0; i < 32; i += kLanes) store_i8(q + i, mul(load(x + i), inverse));
    for (int h = 0; h < 2; ++h) {
      neg_sums[h] = 0;
      for (int i = 0; i < 16; ++i) neg_sums[h] -= q[16 * h + i];
    }
  }

  static F add(F a, F b) { return a + b; }
  static F sub(F a, F b) { return a - b; }
  static F mul(F a, F b) { return a * b; }
  static F div(F a, F b) { return a / b; }
  static F fma(F a, F b, F c) { return a * b + c; }
  static F min(F a, F b) { return a < b ? a : b; }
  static F max(F a, F b) { return a > b ? a : b; }
  static F sqrt(F x) {
    return F{__builtin_sqrtf(x[0]), __builtin_sqrtf(x[1]), __builtin_sqrtf(x[2]), __builtin_sqrtf(x[3])};
  }
  static F abs(F x) { return as_f(as_i(x) & 0x7FFFFFFF); }
  // To nearest even for |x| < 2^22: adding 1.5 * 2^23 pushes the fraction out.
  static F round(F x) { return (x + 12582912.0f) - 12582912.0f; }
  // 2^n for whole n in [-126, 127]
  static F pow2(F n) { return as_f((__builtin_convertvector(n, I) + 127) << 23); }
  // a < b ? yes : no, lane by lane
  static F select_less(F a, F b, F yes, F no) { return a < b ? yes : no; }
  static bool any_less(F a, F b) {
    const I less = a < b;
    return (less[0] | less[1] | less[2] | less[3]) != 0;
  }
  // a[0] + a[1], a[2] + a[3], ..., then those of b.
  static F add_neighbours(F a, F b) { return F{a[0] + a[1], a[2] + a[3], b[0] + b[1], b[2] + b[3]}; }
  static float sum(F x) { return (x[0] + x[2]) + (x[1] + x[3]); }
  // Lane j of x[i] and lane i of x[j] change places.
  static void transpose(F (&x)[kLanes]) {
    const F a = x[0], b = x[1], c = x[2], d = x[3];
    for (int i = 0; i < kLanes; ++i) x[i] = F{a[i], b[i], c[i], d[i]};
  }
  static float max_lane(F x) {
    const float a = x[0] > x[1] ? x[0] : x[1], b = x[2] > x[3] ? x[2] : x[3];
    return a > b ? a : b;
  }

  static I set_i(int32_t x) { return I{x, x, x, x}; }
  static I load_all(const void* p) {  // the same 32 bits in every lane
    int32_t x;
    __builtin_memcpy(&x, p, 4);
    return set_i(x);
  }
  static I add_i(I a, I b) { return a + b; }
  static I sub_i(I a, I b) { return a - b; }
  static F to_f(I x) { return __builtin_convertvector(x, F); }
  static F as_f(I x) { return reinterpret_cast<F>(x); }
  static I load_u8(const uint8_t* p) { return I{p[0], p[1], p[2], p[3]}; }
  // Each lane, not negative, moved right by `shift` (left when negative), then masked.
  static I bits_i(I x, int shift, int mask) { return (shift < 0 ? x << -shift : x >> shift) & mask; }
  static B load_b(const void* p) {
    B b;
    __builtin_memcpy(&b, p, 16);
    return b;
  }
  static B or_b(B a, B b) { return a | b; }
  // Each byte moved right by `shift` (left when negative), then masked; the mask must take out what comes from a
  // neighbouring byte.
  static B bits(B x, int shift, int mask) {
    const auto words = reinterpret_cast<Words>(x);
    return reinterpret_cast<B>(shift < 0 ? words << -shift : words >> shift) & static_cast<uint8_t>(mask);
  }
  // table[code] for codes below 16
  static B lookup(const uint8_t* table, B codes) {
    B values = {};
    for (int i = 0; i < 16; ++i) values |= reinterpret_cast<B>(codes == static_cast<uint8_t>(i)) & table[i];
    return values;
  }
  static Sums no_sums() { return Sums{}; }
  // sums + code * x[0..3] over the lane's four bytes; codes of at most seven bits.
  static Sums dot(Sums sums, B codes, const int8_t* x) { return sums + multiply(codes, x, 0); }
  // The same for codes of 8 bits that carry an offset of 128.
  static Sums dot_full(Sums sums, B codes, const int8_t* x) { return sums + multiply(codes, x, 128); }
  static I widen(I acc, Sums sums) {
    const auto pairs = reinterpret_cast<I>(sums);
    return acc + (pairs >> 16) + ((pairs << 16) >> 16);
  }
  // Two signed bytes for each lane, as its 16-bit halves.
  static I load_pairs(const void* p) {
    int8_t b[8];
    __builtin_memcpy(b, p, 8);
    return reinterpret_cast<I>(Sums{b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]});
  }
  // acc + a[0] * b[0] + a[1] * b[1] of 16-bit halves
  static I dot_pairs(I acc, I a, I b) {
    return acc + low_scales(a) * low_scales(b) + high_scales(a) * high_scales(b);
  }
  // The low or high halves as factors for add_scaled: acc + sums * scales.
  using Scales = I;
  static Scales low_scales(I pairs) { return (pairs << 16) >> 16; }
  static Scales high_scales(I pairs) { return pairs >> 16; }
  static I add_scaled(I acc, Sums sums, Scales scales) { return acc + widen(I{}, sums) * scales; }

 private:
  static I as_i(F x) { return reinterpret_cast<I>(x); }
  using Words = uint16_t __attribute__((vector_size(16)));

  // Even and odd bytes of the lanes are multiplied apart.
  static Sums multiply(B codes, const int8_t* x, int16_t offset) {
    const auto words = reinterpret_cast<Words>(codes);
    const auto even = reinterpret_cast<Sums>(words & 0xFF) - offset, odd = reinterpret_cast<Sums>(words >> 8) - offset;
    const Sums x_even = {x[0], x[2], x[0], x[2], x[0], x[2], x[0], x[2]};
    const Sums x_odd = {x[1], x[3], x[1], x[3], x[1], x[3], x[1], x[3]};
    return even * x_even + odd * x_odd;
  }
};

}  // namespace minnow::baseline
