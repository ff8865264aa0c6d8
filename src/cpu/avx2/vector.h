// 256-bit vectors: AVX2, FMA and F16C.
//
// `Level` is the type that derives from this one: every level that shares these functions has copies of its own, made
// with its own compiler flags (see README.md).
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace minnow::avx2 {

template <class Level>
struct VectorOf {
  using F = __m256;   // f32 lanes
  using I = __m256i;  // i32 lanes
  using B = __m256i;  // bytes, four to a lane
  using Sums = __m256i;  // of products of bytes: 16 bits for each pair of them
  static constexpr int kLanes = 8;
  static constexpr int kTileRows = 2, kTileColumns = 6;    // float products
  static constexpr int kDenseRows = 6, kDenseVectors = 2;  // products of two operands in panels
  static constexpr int kPanelVectors = 1, kPanelColumns = 6;  // integer products
  static constexpr int kStreamVectors = 4;                 // the same for one column
  static constexpr int kScoreRows = 4, kScoreVectors = 2;  // attention
  static constexpr int kFullBias = 0;                      // dot_full removes the offset of 128 itself
  static constexpr bool kWideSums = false;
  static constexpr bool kBf16Dot = false;

  static F zero() { return _mm256_setzero_ps(); }
  static F set(float x) { return _mm256_set1_ps(x); }
  static F load(const float* p) { return _mm256_loadu_ps(p); }
  static void store(float* p, F x) { _mm256_storeu_ps(p, x); }
  static F load_n(const float* p, int n) { return _mm256_maskload_ps(p, mask(n)); }
  static void store_n(float* p, F x, int n) { _mm256_maskstore_ps(p, mask(n), x); }
  static F load_f16(const uint16_t* p) { return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))); }
  static void store_f16(uint16_t* p, F x) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
  }
  // a, b, a, b, ... and p[0], p[0], p[1], p[1], ...
  static F set_two(const float* p) {
    double both;
    __builtin_memcpy(&both, p, 8);
    return _mm256_castpd_ps(_mm256_set1_pd(both));
  }
  static F load_twice(const float* p) {
    const __m256 four = _mm256_castps128_ps256(_mm_loadu_ps(p));
    return _mm256_permutevar8x32_ps(four, _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3));
  }
  static F load_bf16(const uint16_t* p) {
    const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
  }
  static F load_i8(const int8_t* p) {
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
  }
  // Rounds to nearest even; what is not a number stays so.
  static void store_bf16(uint16_t* p, F x) {
    const __m256i bits = _mm256_castps_si256(x);
    const __m256i last = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    const __m256i rounded = _mm256_add_epi32(bits, _mm256_add_epi32(last, _mm256_set1_epi32(0x7FFF)));
    const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
    const __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
    const __m256i high = _mm256_srli_epi32(_mm256_blendv_epi8(rounded, quiet, nan), 16);
    const __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(high), _mm256_extracti128_si256(high, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), words);
  }
  // Rounds to nearest even and saturates.
  static void store_i8(int8_t* p, F x) {
    const __m256i wide = _mm256_cvtps_epi32(x);
    const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(wide), _mm256_extracti128_si256(wide, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packs_epi16(words, words));
  }

  // q[i] = x[i] * inverse, as store_i8, for 32 values; and minus the sums of the first 16 and the last 16 of q.
  static void store_codes(int8_t* q, const float* x, F inverse, int32_t* neg_sums) {
    const auto whole = [&](const float* p) { return _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(p), inverse)); };
    const __m256i words0 = _mm256_packs_epi32(whole(x), whole(x + 8)), words1 = _mm256_packs_epi32(whole(x + 16), whole(x + 24));
    // Packing works on halves: fours of bytes come out as 0 2 4 6 1 3 5 7.
    const __m256i codes = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(words0, words1), _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(q), codes);
    const __m256i pairs = _mm256_maddubs_epi16(_mm256_set1_epi8(1), codes);
    const __m256i fours = _mm256_madd_epi16(pairs, _mm256_set1_epi16(-1));
    const __m256i eights = _mm256_add_epi32(fours, _mm256_srli_epi64(fours, 32));
    const __m256i sixteens = _mm256_add_epi32(eights, _mm256_unpackhi_epi64(eights, eights));
    neg_sums[0] = _mm_cvtsi128_si32(_mm256_castsi256_si128(sixteens));
    neg_sums[1] = _mm_cvtsi128_si32(_mm256_extracti128_si256(sixteens, 1));
  }

  static F add(F a, F b) { return _mm256_add_ps(a, b); }
  static F sub(F a, F b) { return _mm256_sub_ps(a, b); }
  static F mul(F a, F b) { return _mm256_mul_ps(a, b); }
  static F div(F a, F b) { return _mm256_div_ps(a, b); }
  static F fma(F a, F b, F c) { return _mm256_fmadd_ps(a, b, c); }
  static F min(F a, F b) { return _mm256_min_ps(a, b); }
  static F max(F a, F b) { return _mm256_max_ps(a, b); }
  static F sqrt(F x) { return _mm256_sqrt_ps(x); }
  static F abs(F x) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), x); }
  static F round(F x) { return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
  // 2^n for whole n in [-126, 127]
  static F pow2(F n) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23));
  }
  // a < b ? yes : no, lane by lane
  static F select_less(F a, F b, F yes, F no) { return _mm256_blendv_ps(no, yes, _mm256_cmp_ps(a, b, _CMP_LT_OQ)); }
  static bool any_less(F a, F b) { return _mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_LT_OQ)) != 0; }
  // a[0] + a[1], a[2] + a[3], ..., then those of b.
  static F add_neighbours(F a, F b) {
    const __m256 sums = _mm256_hadd_ps(a, b);  // two of a, two of b, two of a, two of b
    return _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(sums), 0xD8));
  }
  static float sum(F x) {
    const __m128 q = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    const __m128 d = _mm_add_ps(q, _mm_movehl_ps(q, q));
    return _mm_cvtss_f32(_mm_add_ss(d, _mm_movehdup_ps(d)));
  }
  // Lane j of x[i] and lane i of x[j] change places: within halves first, then halves.
  static void transpose(F (&x)[kLanes]) {
    F a[kLanes], b[kLanes];
#pragma GCC unroll 4
    for (int i = 0; i < kLanes; i += 2) {
      a[i] = _mm256_unpacklo_ps(x[i], x[i + 1]);
      a[i + 1] = _mm256_unpackhi_ps(x[i], x[i + 1]);
    }
#pragma GCC unroll 2
    for (int i = 0; i < kLanes; i += 4) {
      b[i] = _mm256_shuffle_ps(a[i], a[i + 2], 0x44);
      b[i + 1] = _mm256_shuffle_ps(a[i], a[i + 2], 0xEE);
      b[i + 2] = _mm256_shuffle_ps(a[i + 1], a[i + 3], 0x44);
      b[i + 3] = _mm256_shuffle_ps(a[i + 1], a[i + 3], 0xEE);
    }
#pragma GCC unroll 4
    for (int c = 0; c < 4; ++c) {
      x[c] = _mm256_permute2f128_ps(b[c], b[4 + c], 0x20);
      x[4 + c] = _mm256_permute2f128_ps(b[c], b[4 + c], 0x31);
    }
  }
  static float max_lane(F x) {
    const __m128 q = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    const __m128 d = _mm_max_ps(q, _mm_movehl_ps(q, q));
    return _mm_cvtss_f32(_mm_max_ss(d, _mm_movehdup_ps(d)));
  }

  static I set_i(int32_t x) { return _mm256_set1_epi32(x); }
  static I load_all(const void* p) { return word(p); }  // the same 32 bits in every lane
  static I add_i(I a, I b) { return _mm256_add_epi32(a, b); }
  static I sub_i(I a, I b) { return _mm256_sub_epi32(a, b); }
  static F to_f(I x) { return _mm256_cvtepi32_ps(x); }
  static F as_f(I x) { return _mm256_castsi256_ps(x); }
  static I load_u8(const uint8_t* p) {
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
  }
  // Each lane, not negative, moved right by `shift` (left when negative), then masked.
  static I bits_i(I x, int shift, int mask) {
    const auto lanes = reinterpret_cast<Lanes>(x);
    const I moved = reinterpret_cast<I>(shift < 0 ? lanes << -shift : lanes >> shift);
    return _mm256_and_si256(moved, _mm256_set1_epi32(mask));
  }
  static B load_b(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
  static B or_b(B a, B b) { return _mm256_or_si256(a, b); }
  // Each byte moved right by `shift` (left when negative), then masked; the mask must take out what comes from a
  // neighbouring byte.
  static B bits(B x, int shift, int mask) {
    const auto words = reinterpret_cast<Words>(x);
    const B moved = reinterpret_cast<B>(shift < 0 ? words << -shift : words >> shift);
    return _mm256_and_si256(moved, _mm256_set1_epi8(static_cast<char>(mask)));
  }
  // table[code] for codes below 16
  static B lookup(const uint8_t* table, B codes) {
    const __m128i values = _mm_loadu_si128(reinterpret_cast<const __m128i*>(table));
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(values), codes);
  }
  static Sums no_sums() { return _mm256_setzero_si256(); }
  // sums + code * x[0..3] over the lane's four bytes; codes of at most seven bits, so that a pair fits 16 bits.
  static Sums dot(Sums sums, B codes, const int8_t* x) {
    return _mm256_add_epi16(sums, _mm256_maddubs_epi16(codes, word(x)));
  }
  // The same for codes of 8 bits that carry an offset of 128: |code| times the activation with the code's sign.
  static Sums dot_full(Sums sums, B codes, const int8_t* x) {
    const B signed_codes = _mm256_xor_si256(codes, _mm256_set1_epi8(-128));
    const B pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(signed_codes), _mm256_sign_epi8(word(x), signed_codes));
    return _mm256_add_epi16(sums, pairs);
  }
  static I widen(I acc, Sums sums) {
    return _mm256_add_epi32(acc, _mm256_madd_epi16(sums, _mm256_set1_epi16(1)));
  }
  // Two signed bytes for each lane, as its 16-bit halves.
  static I load_pairs(const void* p) { return _mm256_cvtepi8_epi16(_mm_loadu_si128(static_cast<const __m128i*>(p))); }
  // acc + a[0] * b[0] + a[1] * b[1] of 16-bit halves
  static I dot_pairs(I acc, I a, I b) { return _mm256_add_epi32(acc, _mm256_madd_epi16(a, b)); }
  // The low or high halves as factors for add_scaled: acc + sums * scales.
  using Scales = I;
  static Scales low_scales(I pairs) { return _mm256_blend_epi16(_mm256_slli_epi32(pairs, 16), pairs, 0x55); }
  static Scales high_scales(I pairs) { return _mm256_blend_epi16(pairs, _mm256_srli_epi32(pairs, 16), 0x55); }
  static I add_scaled(I acc, Sums sums, Scales scales) { return _mm256_add_epi32(acc, _mm256_madd_epi16(sums, scales)); }

 protected:
  using Words = uint16_t __attribute__((vector_size(32)));
  using Lanes = int32_t __attribute__((vector_size(32)));
  static __m256i mask(int n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
  static __m256i word(const void* x) {
    int32_t four;
    __builtin_memcpy(&four, x, 4);
    return _mm256_set1_epi32(four);
  }
};

struct Vector : VectorOf<Vector> {};

}  // namespace minnow::avx2
