#include "tensor/decode.h"

#include <cmath>

#include "tensor/half.h"

namespace minnow {
namespace {

// Codes of both nibbles, in the order of a block of 32.
template <typename Value>
void decode_nibbles(const uint8_t* qs, int bytes, float* x, Value value) {
  for (int j = 0; j < bytes; ++j) {
    x[j] = value(qs[j] & 15);
    x[j + bytes] = value(qs[j] >> 4);
  }
}

}  // namespace

float half_e8m0(uint8_t e) { return std::ldexp(1.0f, e - 128); }

float half_e4m3(uint8_t code) {
  const int exponent = (code >> 3) & 15, mantissa = code & 7;
  if (exponent == 15 && mantissa == 7) return 0;
  const float value = exponent == 0 ? std::ldexp(static_cast<float>(mantissa), -9)
                                    : std::ldexp(static_cast<float>(8 + mantissa), exponent - 10);
  return value / 2;
}

void decode(const BlockQ4_0& b, float* x) {
  const float d = f16_to_f32(b.d);
  decode_nibbles(b.qs, 16, x, [d](int q) { return d * static_cast<float>(q - 8); });
}

void decode(const BlockQ4_1& b, float* x) {
  const float d = f16_to_f32(b.d), m = f16_to_f32(b.m);
  decode_nibbles(b.qs, 16, x, [d, m](int q) { return d * static_cast<float>(q) + m; });
}

void decode(const BlockQ5_0& b, float* x) {
  const float d = f16_to_f32(b.d);
  for (int i = 0; i < 32; ++i) x[i] = d * static_cast<float>(q5_code(b, i) - 16);
}

void decode(const BlockQ5_1& b, float* x) {
  const float d = f16_to_f32(b.d), m = f16_to_f32(b.m);
  for (int i = 0; i < 32; ++i) x[i] = d * static_cast<float>(q5_code(b, i)) + m;
}

void decode(const BlockQ8_0& b, float* x) {
  const float d = f16_to_f32(b.d);
  for (int i = 0; i < 32; ++i) x[i] = d * static_cast<float>(b.qs[i]);
}

void decode(const BlockQ2_K& b, float* x) {
  const float d = f16_to_f32(b.d), dmin = f16_to_f32(b.dmin);
  for (int i = 0; i < kSuperBlock; ++i) {
    const float scale = d * static_cast<float>(b.scales[i / 16] & 15);
    const float min = dmin * static_cast<float>(b.scales[i / 16] >> 4);
    x[i] = scale * static_cast<float>(two_bit_plane(b.qs, i)) - min;
  }
}

void decode(const BlockQ3_K& b, float* x) {
  const float d = f16_to_f32(b.d);
  for (int i = 0; i < kSuperBlock; ++i) {
    x[i] = d * static_cast<float>(q3_k_scale(b, i / 16)) * static_cast<float>(q3_k_code(b, i));
  }
}

void decode(const BlockQ4_K& b, float* x) {
  const float d = f16_to_f32(b.d), dmin = f16_to_f32(b.dmin);
  for (int g = 0; g < 8; ++g) {
    const auto [scale, min] = q4_k_scale_min(b.scales, g);
    const float s = d * static_cast<float>(scale), m = dmin * static_cast<float>(min);
    const uint8_t* q = b.qs + 32 * (g / 2);
    const int shift = 4 * (g % 2);
    for (int l = 0; l < 32; ++l) x[32 * g + l] = s * static_cast<float>((q[l] >> shift) & 15) - m;
  }
}

void decode(const BlockQ5_K& b, float* x) {
  const float d = f16_to_f32(b.d), dmin = f16_to_f32(b.dmin);
  for (int i = 0; i < kSuperBlock; ++i) {
    const auto [scale, min] = q4_k_scale_min(b.scales, i / 32);
    x[i] = d * static_cast<float>(scale) * static_cast<float>(q5_k_code(b, i)) - dmin * static_cast<float>(min);
  }
}

void decode(const BlockQ6_K& b, float* x) {
  const float d = f16_to_f32(b.d);
  for (int i = 0; i < kSuperBlock; ++i) {
    x[i] = d * static_cast<float>(b.scales[i / 16]) * static_cast<float>(q6_k_code(b, i) - 32);
  }
}

void decode(const BlockIQ4_NL& b, float* x) {
  const float d = f16_to_f32(b.d);
  decode_nibbles(b.qs, 16, x, [d](int q) { return d * static_cast<float>(kIq4Values[q]); });
}

void decode(const BlockNF4& b, float* x) {
  for (int i = 0; i < 32; ++i) {
    x[2 * i] = kNf4Values[b.qs[i] >> 4] * b.absmax;
    x[2 * i + 1] = kNf4Values[b.qs[i] & 15] * b.absmax;
  }
}

void decode(const BlockIQ4_XS& b, float* x) {
  const float d = f16_to_f32(b.d);
  for (int g = 0; g < 8; ++g) {
    const float scale = d * static_cast<float>(iq4_xs_scale(b, g));
    decode_nibbles(b.qs + 16 * g, 16, x + 32 * g, [scale](int q) { return scale * static_cast<float>(kIq4Values[q]); });
  }
}

void decode(const BlockTQ1_0& b, float* x) {
  const float d = f16_to_f32(b.d);
  for (int i = 0; i < kSuperBlock; ++i) x[i] = d * static_cast<float>(tq1_0_digit(b, i) - 1);
}

void decode(const BlockTQ2_0& b, float* x) {
  const float d = f16_to_f32(b.d);
  for (int i = 0; i < kSuperBlock; ++i) x[i] = d * static_cast<float>(two_bit_plane(b.qs, i) - 1);
}

void decode(const BlockI2_S& b, float* x) {
  for (int i = 0; i < BlockI2_S::kSize; ++i) x[i] = b.d * static_cast<float>(i2_s_code(b, i) - 1);
}

void decode(const BlockMXFP4& b, float* x) {
  const float scale = half_e8m0(b.e);
  decode_nibbles(b.qs, 16, x, [scale](int q) { return scale * static_cast<float>(kE2M1Values[q]); });
}

void decode(const BlockNVFP4& b, float* x) {
  for (int s = 0; s < 4; ++s) {
    const float scale = half_e4m3(b.d[s]);
    decode_nibbles(b.qs + 8 * s, 8, x + 16 * s, [scale](int q) { return scale * static_cast<float>(kE2M1Values[q]); });
  }
}

void decode(const BlockQ1_0& b, float* x) {
  const float d = f16_to_f32(b.d);
  for (int i = 0; i < BlockQ1_0::kSize; ++i) x[i] = ((b.qs[i / 8] >> (i % 8)) & 1) != 0 ? d : -d;
}

void decode(const BlockQ2_0& b, float* x) {
  const float d = f16_to_f32(b.d);
  for (int i = 0; i < BlockQ2_0::kSize; ++i) {
    x[i] = d * static_cast<float>(((b.qs[i / 4] >> (2 * (i % 4))) & 3) - 1);
  }
}

}  // namespace minnow
