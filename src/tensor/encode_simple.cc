// Blocks of 32 with one scale, or a scale and a min.
#include <algorithm>
#include <cmath>

#include "tensor/encode.h"
#include "tensor/half.h"
#include "tensor/scale_search.h"

namespace minnow {
namespace {

void pack_nibbles(const int8_t (&codes)[kBlock], uint8_t (&qs)[16]) {
  for (int j = 0; j < 16; ++j) qs[j] = static_cast<uint8_t>((codes[j] & 15) | (codes[j + 16] & 15) << 4);
}

void pack(const int8_t (&codes)[kBlock], BlockQ4_0& b) { pack_nibbles(codes, b.qs); }
void pack(const int8_t (&codes)[kBlock], BlockQ4_1& b) { pack_nibbles(codes, b.qs); }

template <typename Block>
void pack_five_bits(const int8_t (&codes)[kBlock], Block& b) {
  pack_nibbles(codes, b.qs);
  std::fill_n(b.qh, 4, uint8_t{0});
  for (int i = 0; i < kBlock; ++i) b.qh[i / 8] |= static_cast<uint8_t>((codes[i] >> 4 & 1) << (i % 8));
}
void pack(const int8_t (&codes)[kBlock], BlockQ5_0& b) { pack_five_bits(codes, b); }
void pack(const int8_t (&codes)[kBlock], BlockQ5_1& b) { pack_five_bits(codes, b); }

struct Weights {
  float of[kBlock];
  Weights(const float* x, const Importance& importance) {
    for (int i = 0; i < kBlock; ++i) of[i] = importance.columns[i] * std::sqrt(importance.row_mean_square + x[i] * x[i]);
  }
};

// x = d * (q - limit): the value of largest size lands on code 0.
template <typename Block>
void encode_symmetric(int limit, const float* x, const Importance& importance, Block& b) {
  int8_t codes[kBlock];
  float d = 0;
  if (importance) {
    const Weights weights(x, importance);
    d = symmetric_scale(limit, {x, kBlock}, weights.of, codes);
    for (auto& code : codes) code = static_cast<int8_t>(code + limit);
  } else {
    const auto n = static_cast<float>(limit);
    d = extreme_of({x, kBlock}) / -n;
    const float inverse = inverse_of(d);
    const auto last = static_cast<float>(2 * limit - 1);
    for (int i = 0; i < kBlock; ++i) codes[i] = static_cast<int8_t>(std::min(last, x[i] * inverse + (n + 0.5f)));
  }
  b.d = f32_to_f16(d);
  pack(codes, b);
}

// x = d * q + m.
template <typename Block>
void encode_affine(int limit, const float* x, const Importance& importance, Block& b) {
  int8_t codes[kBlock];
  const auto last = static_cast<float>(limit);
  if (importance) {
    const Weights weights(x, importance);
    const AffineSearch search{.limit = limit, .first = -0.9f, .step = 0.05f, .n_steps = 36, .squared = true};
    const ScaleAndMin found = affine_scale(search, {x, kBlock}, weights.of, codes);
    b.d = f32_to_f16(found.scale);
    b.m = f32_to_f16(-found.min);
  } else {
    const auto [min, max] = std::minmax_element(x, x + kBlock);
    const float d = (*max - *min) / last, m = *min;
    const float inverse = inverse_of(d);
    // In this order NaN, which a range past that of floats makes, is the last code.
    for (int i = 0; i < kBlock; ++i) codes[i] = static_cast<int8_t>(std::min(last, (x[i] - m) * inverse + 0.5f));
    b.d = f32_to_f16(d);
    b.m = f32_to_f16(m);
  }
  pack(codes, b);
}

}  // namespace

float inverse_of(float d) { return std::abs(d) >= 0x1.0p-126f ? 1.0f / d : 0.0f; }

void encode(const float* x, const Importance& importance, BlockQ4_0& b) { encode_symmetric(8, x, importance, b); }
void encode(const float* x, const Importance& importance, BlockQ5_0& b) { encode_symmetric(16, x, importance, b); }
void encode(const float* x, const Importance& importance, BlockQ4_1& b) { encode_affine(15, x, importance, b); }
void encode(const float* x, const Importance& importance, BlockQ5_1& b) { encode_affine(31, x, importance, b); }

void encode(const float* x, BlockQ8_0& b) {
  const float d = std::abs(extreme_of({x, kBlock})) / 127.0f;
  const float inverse = inverse_of(d);
  b.d = f32_to_f16(d);
  for (int i = 0; i < kBlock; ++i) b.qs[i] = static_cast<int8_t>(std::round(x[i] * inverse));
}

}  // namespace minnow
