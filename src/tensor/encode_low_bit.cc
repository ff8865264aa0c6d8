// One, two and 1.6 bits: blocks whose values are a few multiples of one scale.
#include <algorithm>
#include <cmath>

#include "tensor/encode.h"
#include "tensor/half.h"
#include "tensor/scale_search.h"

namespace minnow {
namespace {

// x / d to nearest (ties away from zero), plus one, for x of at most d in size.
int digit(float x, float inverse) { return static_cast<int>(std::round(x * inverse)) + 1; }

// `count` base-3 digits, `stride` elements apart, as a byte that reads as a fraction of 256: rounded up, so that the
// digits come out again by multiplying (see tq1_0_digit).
uint8_t ternary_byte(const float* x, int stride, int count, float inverse) {
  int value = 0;
  for (int n = 0; n < 5; ++n) value = 3 * value + (n < count ? digit(x[n * stride], inverse) : 0);
  return static_cast<uint8_t>((value * 256 + 242) / 243);
}

}  // namespace

void encode(const float* x, BlockTQ1_0& b) {
  const float d = std::abs(extreme_of({x, kSuperBlock})), inverse = inverse_of(d);
  b.d = f32_to_f16(d);
  for (int j = 0; j < 32; ++j) b.qs[j] = ternary_byte(x + j, 32, 5, inverse);
  for (int j = 0; j < 16; ++j) b.qs[32 + j] = ternary_byte(x + 160 + j, 16, 5, inverse);
  for (int j = 0; j < 4; ++j) b.qh[j] = ternary_byte(x + 240 + j, 4, 4, inverse);
}

void encode(const float* x, BlockTQ2_0& b) {
  const float d = std::abs(extreme_of({x, kSuperBlock})), inverse = inverse_of(d);
  b.d = f32_to_f16(d);
  std::fill_n(b.qs, 64, uint8_t{0});
  for (int i = 0; i < kSuperBlock; ++i) {
    b.qs[32 * (i / 128) + i % 32] |= static_cast<uint8_t>(digit(x[i], inverse) << (2 * (i % 128 / 32)));
  }
}

void encode(const float* x, float scale, BlockI2_S& b) {
  const float inverse = inverse_of(scale);
  b.d = scale;
  std::fill_n(b.qs, 32, uint8_t{0});
  for (int i = 0; i < BlockI2_S::kSize; ++i) {
    b.qs[i % 32] |= static_cast<uint8_t>(digit(std::clamp(x[i] * inverse, -1.0f, 1.0f), 1) << (6 - 2 * (i / 32)));
  }
}

void encode(const float* x, BlockQ1_0& b) {
  float sum = 0;
  for (int i = 0; i < BlockQ1_0::kSize; ++i) sum += std::abs(x[i]);
  b.d = f32_to_f16(sum / BlockQ1_0::kSize);
  std::fill_n(b.qs, 16, uint8_t{0});
  for (int i = 0; i < BlockQ1_0::kSize; ++i) b.qs[i / 8] |= static_cast<uint8_t>((x[i] >= 0 ? 1 : 0) << (i % 8));
}

void encode(const float* x, BlockQ2_0& b) {
  const float d = std::abs(extreme_of({x, BlockQ2_0::kSize})), inverse = inverse_of(d);
  b.d = f32_to_f16(d);
  std::fill_n(b.qs, 16, uint8_t{0});
  for (int i = 0; i < BlockQ2_0::kSize; ++i) {
    b.qs[i / 4] |= static_cast<uint8_t>(digit(x[i], inverse) << (2 * (i % 4)));
  }
}

}  // namespace minnow
