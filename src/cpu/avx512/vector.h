// 512-bit vectors: AVX-512 F, BW, DQ, VL and VNNI.
//
// `Level` is the type that derives from this one: every level that shares these functions has copies of its own, made
// with its own compiler flags (see README.md).
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace minnow::avx512 {

template <class Level>
struct VectorOf {
  using F = __m512;   // f32 lanes
  using I = __m512i;  // i32 lanes
  using B = __m512i;  // bytes, four to a lane
  using Sums = I;     // of products of bytes
  static constexpr int kLanes = 16;
  static constexpr int kTileRows = 4, kTileColumns = 6;    // float products
  static constexpr int kDenseRows = 12, kDenseVectors = 2;  // products of two operands in panels
  static constexpr int kPanelVectors = 2, kPanelColumns = 6;  // integer products
  static constexpr int kStreamVectors = 2;                 // the same for one column
  static constexpr int kScoreRows = 4, kScoreVectors = 4;  // attention
  static constexpr int kFullBias = 128;                    // dot_full takes codes as they are, with this offset
  static constexpr bool kWideSums = true;                  // 32 bits: never full
  static constexpr bool kBf16Dot = false;

  static F zero() { return _mm512_setzero_ps(); }
  static F set(float x) { return _mm512_set1_ps(x); }
  static F load(const float* p) { return _mm512_loadu_ps(p); }
  static void store(float* p, F x) { _mm512_storeu_ps(p, x); }
  static F load_n(const float* p, int n) { return _mm512_maskz_loadu_ps(mask(n), p); }
  static void store_n(float* p, F x, int n) { _mm512_mask_storeu_ps(p, mask(n), x); }
  static F load_f16(const uint16_t* p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static void store_f16(uint16_t* p, F x) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
  }
  // a, b, a, b, ... and p[0], p[0], p[1], p[1], ...
  static F set_two(const float* p) {
    double both;
    __builtin_memcpy(&both, p, 8);
    return _mm512_castpd_ps(_mm512_set1_pd(both));
  }
  static F load_twice(const float* p) {
    const __m512i order = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
    return _mm512_permutexvar_ps(order, _mm512_castps256_ps512(_mm256_loadu_ps(p)));
  }
  static F load_bf16(const uint16_t* p) {
    const __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
  }
  static F load_i8(const int8_t* p) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
  }
  // Rounds to nearest even, subnormals too; what is not a number stays so.
  static void store_bf16(uint16_t* p, F x) {
    const __m512i bits = _mm512_castps_si512(x);
    const __m512i last = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    const __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(last, _mm512_set1_epi32(0x7FFF)));
    const __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
    const __m512i all = _mm512_mask_or_epi32(rounded, nan, bits, _mm512_set1_epi32(0x400000));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(_mm512_srli_epi32(all, 16)));
  }
  // Rounds to nearest even and saturates.
  static void store_i8(int8_t* p, F x) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(x)));
  }

  // q[i] = x[i] * inverse, as store_i8, for 32 values; and minus the sums of the first 16 and the last 16 of q.
  static void store_codes(int8_t* q, const float* x, F inverse, int32_t* neg_sums) {
    const auto half = [&](const float* p) { return _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(p), inverse))); };
    const __m256i codes = _mm256_inserti128_si256(_mm256_castsi128_si256(half(x)), half(x + 16), 1);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(q), codes);
    const __m256i pairs = _mm256_maddubs_epi16(_mm256_set1_epi8(1), codes);
    const __m256i fours = _mm256_madd_epi16(pairs, _mm256_set1_epi16(-1));
    const __m256i eights = _mm256_add_epi32(fours, _mm256_srli_epi64(fours, 32));
    const __m256i sixteens = _mm256_add_epi32(eights, _mm256_unpackhi_epi64(eights, eights));
    neg_sums[0] = _mm_cvtsi128_si32(_mm256_castsi256_si128(sixteens));
    neg_sums[1] = _mm_cvtsi128_si32(_mm256_extracti128_si256(sixteens, 1));
  }

  static F add(F a, F b) { return _mm512_add_ps(a, b); }
  static F sub(F a, F b) { return _mm512_sub_ps(a, b); }
  static F mul(F a, F b) { return _mm512_mul_ps(a, b); }
  static F div(F a, F b) { return _mm512_div_ps(a, b); }
  static F fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }
  static F min(F a, F b) { return _mm512_min_ps(a, b); }
  static F max(F a, F b) { return _mm512_max_ps(a, b); }
  static F sqrt(F x) { return _mm512_sqrt_ps(x); }
  static F abs(F x) { return _mm512_abs_ps(x); }
  static F round(F x) { return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
  // 2^n for whole n in [-126, 127]
  static F pow2(F n) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127)), 23));
  }
  // x * 2^n for whole n of any size
  static F times_pow2(F x, F n) { return _mm512_scalef_ps(x, n); }
  // a < b ? yes : no, lane by lane
  static F select_less(F a, F b, F yes, F no) {
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), no, yes);
  }
  static bool any_less(F a, F b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ) != 0; }
  // a[0] + a[1], a[2] + a[3], ..., then those of b.
  static F add_neighbours(F a, F b) {
    const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
    return _mm512_add_ps(_mm512_permutex2var_ps(a, even, b), _mm512_permutex2var_ps(a, odd, b));
  }
  static float sum(F x) { return _mm512_reduce_add_ps(x); }
  // out[i] = the sum of the lanes of the i-th vector, at a third of the work of four sum()
  static void sum4(float* out, F a, F b, F c, F d) {
    const F ab = add(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xEE));  // quarters 0 + 2, 1 + 3 of each
    const F cd = add(_mm512_shuffle_f32x4(c, d, 0x44), _mm512_shuffle_f32x4(c, d, 0xEE));
    const F quarters = add(_mm512_shuffle_f32x4(ab, cd, 0x88), _mm512_shuffle_f32x4(ab, cd, 0xDD));  // one of each
    const F pairs = add(quarters, _mm512_permute_ps(quarters, 0x4E));
    const F sums = add(pairs, _mm512_permute_ps(pairs, 0xB1));
    const I firsts = _mm512_setr_epi32(0, 4, 8, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    _mm_storeu_ps(out, _mm512_castps512_ps128(_mm512_permutexvar_ps(firsts, sums)));
  }
  // Lane j of x[i] and lane i of x[j] change places: within quarters first, then quarters.
  static void transpose(F (&x)[kLanes]) {
    F a[kLanes], b[kLanes];
#pragma GCC unroll 8
    for (int i = 0; i < kLanes; i += 2) {
      a[i] = _mm512_unpacklo_ps(x[i], x[i + 1]);
      a[i + 1] = _mm512_unpackhi_ps(x[i], x[i + 1]);
    }
    const auto low = [](F p, F q) { return _mm512_shuffle_ps(p, q, 0x44); };
    const auto high = [](F p, F q) { return _mm512_shuffle_ps(p, q, 0xEE); };
#pragma GCC unroll 4
    for (int i = 0; i < kLanes; i += 4) {
      b[i] = low(a[i], a[i + 2]);
      b[i + 1] = high(a[i], a[i + 2]);
      b[i + 2] = low(a[i + 1], a[i + 3]);
      b[i + 3] = high(a[i + 1], a[i + 3]);
    }
#pragma GCC unroll 4
    for (int c = 0; c < 4; ++c) {
      const F p = _mm512_shuffle_f32x4(b[c], b[4 + c], 0x44), q = _mm512_shuffle_f32x4(b[8 + c], b[12 + c], 0x44);
      const F r = _mm512_shuffle_f32x4(b[c], b[4 + c], 0xEE), s = _mm512_shuffle_f32x4(b[8 + c], b[12 + c], 0xEE);
      x[c] = _mm512_shuffle_f32x4(p, q, 0x88);
      x[4 + c] = _mm512_shuffle_f32x4(p, q, 0xDD);
      x[8 + c] = _mm512_shuffle_f32x4(r, s, 0x88);
      x[12 + c] = _mm512_shuffle_f32x4(r, s, 0xDD);
    }
  }
  static float max_lane(F x) { return _mm512_reduce_max_ps(x); }

  static I set_i(int32_t x) { return _mm512_set1_epi32(x); }
  static I load_all(const void* p) { return word(p); }  // the same 32 bits in every lane
  static I add_i(I a, I b) { return _mm512_add_epi32(a, b); }
  static I sub_i(I a, I b) { return _mm512_sub_epi32(a, b); }
  static F to_f(I x) { return _mm512_cvtepi32_ps(x); }
  static F as_f(I x) { return _mm512_castsi512_ps(x); }
  static I load_u8(const uint8_t* p) {
    return _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  // Each lane, not negative, moved right by `shift` (left when negative), then masked.
  static I bits_i(I x, int shift, int mask) {
    const auto lanes = reinterpret_cast<Lanes>(x);
    const I moved = reinterpret_cast<I>(shift < 0 ? lanes << -shift : lanes >> shift);
    return _mm512_and_si512(moved, _mm512_set1_epi32(mask));
  }
  static B load_b(const void* p) { return _mm512_loadu_si512(p); }
  static void store_b(void* p, B x) { _mm512_storeu_si512(p, x); }
  static B or_b(B a, B b) { return _mm512_or_si512(a, b); }
  // Each byte moved right by `shift` (left when negative), then masked; the mask must take out what comes from a
  // neighbouring byte.
  static B bits(B x, int shift, int mask) {
    const auto words = reinterpret_cast<Words>(x);
    const B moved = reinterpret_cast<B>(shift < 0 ? words << -shift : words >> shift);
    return _mm512_and_si512(moved, _mm512_set1_epi8(static_cast<char>(mask)));
  }
  // table[code] for codes below 16
  static B lookup(const uint8_t* table, B codes) {
    const __m128i values = _mm_loadu_si128(reinterpret_cast<const __m128i*>(table));
    return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(values), codes);
  }
  // acc + sum over the lane's four bytes of code * x[0..3]; codes below 64.
  static Sums dot(Sums acc, B codes, const int8_t* x) { return _mm512_dpbusd_epi32(acc, codes, word(x)); }
  // The same for codes of 8 bits that carry an offset of 128; the offset stays in when kFullBias is 128.
  static Sums dot_full(Sums acc, B codes, const int8_t* x) { return _mm512_dpbusd_epi32(acc, codes, word(x)); }
  // Two signed bytes for each lane, as its 16-bit halves.
  static I load_pairs(const void* p) {
    return _mm512_cvtepi8_epi16(_mm256_loadu_si256(static_cast<const __m256i*>(p)));
  }
  // acc + a[0] * b[0] + a[1] * b[1] of 16-bit halves
  static I dot_pairs(I acc, I a, I b) { return _mm512_dpwssd_epi32(acc, a, b); }
  // The low or high halves as factors for add_scaled: acc + sums * scales.
  using Scales = I;
  static Scales low_scales(I pairs) { return _mm512_srai_epi32(_mm512_slli_epi32(pairs, 16), 16); }
  static Scales high_scales(I pairs) { return _mm512_srai_epi32(pairs, 16); }
  static I add_scaled(I acc, Sums sums, Scales scales) { return _mm512_add_epi32(acc, _mm512_mullo_epi32(sums, scales)); }

 protected:
  using Words = uint16_t __attribute__((vector_size(64)));
  using Lanes = int32_t __attribute__((vector_size(64)));
  static __mmask16 mask(int n) { return static_cast<__mmask16>((1u << n) - 1); }
  static __m512i word(const void* x) {
    int32_t four;
    __builtin_memcpy(&four, x, 4);
    return _mm512_set1_epi32(four);
  }
};

struct Vector : VectorOf<Vector> {};

}  // namespace minnow::avx512
