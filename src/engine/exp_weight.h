// e^x for softmax weights: the same bits on every machine, and a loop over it becomes SIMD code.
#pragma once

#include <bit>
#include <cstdint>

namespace minnow {

// e^x for x <= 0, within 2e-7 relative; 0 below -87 (where floats end) and for NaN; 1 above 0.
// x = n ln 2 + r with |r| <= ln(2) / 2, and e^r by its Taylor series to the seventh power. Comparisons become
// masks: compilers do not vectorize a choice between floats, as a comparison with NaN might trap.
inline float exp_weight(float x) {
  constexpr float kLowest = -87.0f;
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer in the low bits
  const uint32_t above = x > kLowest ? ~0u : 0u;
  const uint32_t below = x < 0.0f ? ~0u : 0u;
  const float inside = std::bit_cast<float>(std::bit_cast<uint32_t>(x) & above & below);
  const float shifted = inside * 1.44269504f + kRound;
  const float n = shifted - kRound;
  // ln 2 in two parts, the first with few enough bits that n times it is exact.
  const float r = (inside - n * 0.693359375f) + n * 2.12194440e-4f;
  float series = 1.0f / 5040.0f;
  series = series * r + 1.0f / 720.0f;
  series = series * r + 1.0f / 120.0f;
  series = series * r + 1.0f / 24.0f;
  series = series * r + 1.0f / 6.0f;
  series = series * r + 0.5f;
  series = series * r + 1.0f;
  series = series * r + 1.0f;
  const uint32_t exponent = (std::bit_cast<uint32_t>(shifted) + 127u) << 23;
  const float value = series * std::bit_cast<float>(exponent);
  return std::bit_cast<float>(std::bit_cast<uint32_t>(value) & above);
}

}  // namespace minnow
