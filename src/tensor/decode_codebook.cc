// Blocks whose codes choose points of a codebook. Layouts: blocks.h.
#include <bit>
#include <cstring>

#include "tensor/codebooks.h"
#include "tensor/decode.h"
#include "tensor/half.h"

namespace minnow {
namespace {

// The eight sign bits of seven: their number is even.
unsigned with_parity(unsigned seven) { return seven | static_cast<unsigned>(std::popcount(seven) & 1) << 7; }

// scale * point, negative where a bit of `signs` is set. Returns where the next values go.
template <typename Point>
float* put(const Point& point, float scale, unsigned signs, float* x) {
  for (std::size_t j = 0; j < point.size(); ++j) {
    const float value = scale * static_cast<float>(point[j]);
    *x++ = ((signs >> j) & 1) != 0 ? -value : value;
  }
  return x;
}

float* put_shifted(const Point8& point, float scale, bool down, float* x) {
  const float shift = down ? -0.125f : 0.125f;
  for (const int8_t element : point) *x++ = scale * (static_cast<float>(element) + shift);
  return x;
}

uint32_t u32_at(const uint8_t* bytes) {
  uint32_t value;
  std::memcpy(&value, bytes, sizeof(value));
  return value;
}

float half_up(int scale) { return 0.5f + static_cast<float>(scale); }
float odd(int scale) { return static_cast<float>(2 * scale + 1); }

}  // namespace

void decode(const BlockIQ2_XXS& b, float* x) {
  const auto points = iq2_xxs_points();
  const float d = f16_to_f32(b.d);
  for (int g = 0; g < 8; ++g) {
    const uint8_t* q = b.qs + 8 * g;
    const uint32_t rest = u32_at(q + 4);
    const float scale = d * half_up(static_cast<int>(rest >> 28)) * 0.25f;
    for (int l = 0; l < 4; ++l) x = put(points[q[l]], scale, with_parity(rest >> (7 * l) & 127), x);
  }
}

void decode(const BlockIQ2_XS& b, float* x) {
  const auto points = iq2_xs_points();
  const float d = f16_to_f32(b.d);
  for (int i = 0; i < 32; ++i) {
    const int scale = b.scales[i / 4] >> (i % 4 < 2 ? 0 : 4) & 15;
    x = put(points[b.qs[i] & 511], d * half_up(scale) * 0.25f, with_parity(b.qs[i] >> 9), x);
  }
}

void decode(const BlockIQ2_S& b, float* x) {
  const auto points = iq2_s_points();
  const float d = f16_to_f32(b.d);
  for (int i = 0; i < 32; ++i) {
    const int g = i / 4, l = i % 4;
    const int scale = b.scales[g] >> (l < 2 ? 0 : 4) & 15;
    const unsigned point = b.qs[i] | (b.qh[g] >> (2 * l) & 3u) << 8;
    x = put(points[point], d * half_up(scale) * 0.25f, b.signs[i], x);
  }
}

void decode(const BlockIQ3_XXS& b, float* x) {
  const auto points = iq3_xxs_points();
  const float d = f16_to_f32(b.d);
  for (int g = 0; g < 8; ++g) {
    const uint32_t rest = u32_at(b.scales_and_signs + 4 * g);
    const float scale = d * half_up(static_cast<int>(rest >> 28)) * 0.5f;
    for (int l = 0; l < 4; ++l) {
      const unsigned signs = with_parity(rest >> (7 * l) & 127);
      const uint8_t* q = b.qs + 8 * g + 2 * l;
      x = put(points[q[0]], scale, signs, x);
      x = put(points[q[1]], scale, signs >> 4, x);
    }
  }
}

void decode(const BlockIQ3_S& b, float* x) {
  const auto points = iq3_s_points();
  const float d = f16_to_f32(b.d);
  for (int i = 0; i < 64; ++i) {  // points of four
    const int g = i / 8;
    const int scale = b.scales[g / 2] >> (4 * (g % 2)) & 15;
    const unsigned point = b.qs[i] | (b.qh[g] >> (i % 8) & 1u) << 8;
    x = put(points[point], d * odd(scale), static_cast<unsigned>(b.signs[i / 2]) >> (4 * (i % 2)), x);
  }
}

void decode(const BlockIQ1_S& b, float* x) {
  const auto points = iq1_points();
  const float d = f16_to_f32(b.d);
  for (int i = 0; i < 32; ++i) {
    const unsigned high = b.qh[i / 4];
    const unsigned point = b.qs[i] | (high >> (3 * (i % 4)) & 7) << 8;
    x = put_shifted(points[point], d * odd(static_cast<int>(high >> 12 & 7)), (high & 0x8000) != 0, x);
  }
}

void decode(const BlockIQ1_M& b, float* x) {
  const auto points = iq1_points();
  const float d = f16_to_f32(iq1_m_d(b));
  for (int i = 0; i < 32; ++i) {
    const unsigned high = b.qh[i / 2] >> (4 * (i % 2)) & 15u;
    const int scale = b.scales[i / 8] >> (3 * (i / 2 % 4)) & 7;
    x = put_shifted(points[b.qs[i] | (high & 7) << 8], d * odd(scale), (high & 8) != 0, x);
  }
}

}  // namespace minnow
