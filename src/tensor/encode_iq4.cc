// Blocks whose 4-bit codes stand for the 16 uneven values of kIq4Values.
#include <algorithm>
#include <cmath>

#include "tensor/encode.h"
#include "tensor/half.h"
#include "tensor/scale_search.h"

namespace minnow {
namespace {

constexpr int kTries = 7;  // ranges on both sides of the obvious one

// Codes of the values nearest to inverse * x, the upper one on a tie: the number of midpoints passed. Loops without
// branches, which the compiler turns into vectors.
void nearest_codes(const float* x, float inverse, int (&codes)[kBlock]) {
  float scaled[kBlock];
  for (int i = 0; i < kBlock; ++i) scaled[i] = inverse * x[i], codes[i] = 0;
  for (int q = 0; q < 15; ++q) {
    const float midpoint = static_cast<float>(kIq4Values[q] + kIq4Values[q + 1]) / 2;
    for (int i = 0; i < kBlock; ++i) codes[i] += scaled[i] >= midpoint ? 1 : 0;
  }
}

// The scale for 32 values with the weights of their errors.
float search_scale(const float* x, const float* weights) {
  const float extreme = extreme_of({x, kBlock});
  if (std::abs(extreme) < kTiny) return 0;
  float scale = 0, best = 0;
  const auto attempt = [&](float inverse, bool first) {
    int codes[kBlock];
    nearest_codes(x, inverse, codes);
    float xt = 0, tt = 0;
    for (int i = 0; i < kBlock; ++i) {
      const auto t = static_cast<float>(kIq4Values[codes[i]]);
      xt += weights[i] * t * x[i];
      tt += weights[i] * t * t;
    }
    if (!(tt > 0 && (first || xt * xt > best * tt))) return;
    scale = xt / tt;
    best = scale * xt;
  };
  const auto lowest = static_cast<float>(kIq4Values[0]);
  attempt(-lowest / extreme, true);
  for (int k = -kTries; k <= kTries; ++k) attempt((static_cast<float>(k) + lowest) / extreme, false);
  return scale;
}

// The scale of each of the `n` sub-blocks of a block.
void search_scales(const float* x, const Importance& importance, int n, float* scales) {
  float variance = 0;
  for (int i = 0; i < n * kBlock; ++i) variance += x[i] * x[i];
  variance *= 2.0f / static_cast<float>(n * kBlock);
  for (int g = 0; g < n; ++g) {
    float weights[kBlock];
    for (int i = 0; i < kBlock; ++i) {
      const int at = g * kBlock + i;
      weights[i] = importance ? importance.columns[at] * std::sqrt(variance + x[at] * x[at]) : x[at] * x[at];
    }
    scales[g] = search_scale(x + g * kBlock, weights);
  }
}

void pack(const float* x, float inverse, uint8_t* qs) {
  int codes[kBlock];
  nearest_codes(x, inverse, codes);
  for (int j = 0; j < 16; ++j) qs[j] = static_cast<uint8_t>(codes[j] | codes[j + 16] << 4);
}

}  // namespace

void encode(const float* x, const Importance& importance, BlockIQ4_NL& b) {
  float scale = 0;
  search_scales(x, importance, 1, &scale);
  b.d = f32_to_f16(scale);
  pack(x, inverse_of(scale), b.qs);
}

void encode(const float* x, const Importance& importance, BlockIQ4_XS& b) {
  float scales[8];
  search_scales(x, importance, 8, scales);
  const float d = -extreme_of(scales) / 32, inverse = inverse_of(d);
  b.d = f32_to_f16(d);
  b.scales_h = 0;
  std::fill_n(b.scales_l, 4, uint8_t{0});
  for (int g = 0; g < 8; ++g) {
    const int code = std::clamp(nearest_int(inverse * scales[g]), -32, 31);
    pack(x + 32 * g, inverse_of(d * static_cast<float>(code)), b.qs + 16 * g);
    const auto bits = static_cast<unsigned>(code + 32);
    b.scales_l[g / 2] |= static_cast<uint8_t>((bits & 15) << (4 * (g % 2)));
    b.scales_h |= static_cast<uint16_t>((bits >> 4) << (2 * g));
  }
}

}  // namespace minnow
