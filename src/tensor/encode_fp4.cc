// Four-bit floats (E2M1) under a scale that is a float itself.
#include <algorithm>
#include <cmath>

#include "tensor/decode.h"
#include "tensor/encode.h"
#include "tensor/scale_search.h"

namespace minnow {
namespace {

// The code whose value times `scale` is nearest to x; the first of equals.
uint8_t nearest_code(float x, float scale) {
  int best = 0;
  float least = std::abs(x);
  for (int q = 1; q < 16; ++q) {
    const float error = std::abs(static_cast<float>(kE2M1Values[q]) * scale - x);
    if (error < least) least = error, best = q;
  }
  return static_cast<uint8_t>(best);
}

void pack(const float* x, float scale, int bytes, uint8_t* qs) {
  for (int j = 0; j < bytes; ++j) {
    qs[j] = static_cast<uint8_t>(nearest_code(x[j], scale) | nearest_code(x[j + bytes], scale) << 4);
  }
}

}  // namespace

void encode(const float* x, BlockMXFP4& b) {
  const float largest = std::abs(extreme_of({x, kBlock}));
  // The largest value keeps its exponent: that of 6, the largest code, is 2.
  b.e = largest > 0 ? static_cast<uint8_t>(std::max(0, std::ilogb(largest) - 2 + 127)) : uint8_t{0};
  pack(x, half_e8m0(b.e), 16, b.qs);
}

uint8_t to_e4m3(float x) {
  if (!(x > 0)) return 0;
  if (x >= 256) return 0x7E;
  if (x < 0x1.0p-6f) return static_cast<uint8_t>(std::min(7, static_cast<int>(x * 512 + 0.5f)));
  int exponent = std::ilogb(x);
  int mantissa = static_cast<int>(std::ldexp(x, 3 - exponent) + 0.5f);  // 8..16, half up
  if (mantissa == 16) mantissa = 8, ++exponent;
  if (exponent + 7 >= 15) return 0x7E;
  return static_cast<uint8_t>((exponent + 7) << 3 | (mantissa - 8));
}

void encode(const float* x, BlockNVFP4& b) {
  for (int s = 0; s < 4; ++s) {
    const float* group = x + 16 * s;
    b.d[s] = to_e4m3(std::abs(extreme_of({group, 16})) / 6.0f);
    pack(group, half_e4m3(b.d[s]), 8, b.qs + 8 * s);
  }
}

}  // namespace minnow
