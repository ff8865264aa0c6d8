#include "tensor/half.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/random.h"

namespace minnow {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// What the bits mean (IEEE 754-2008, 3.4), for finite values.
double f16_value(uint16_t h) {
  const int exponent = (h >> 10) & 31, mantissa = h & 1023;
  const double magnitude =
      exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
  return (h & 0x8000) != 0 ? -magnitude : magnitude;
}

double bf16_value(uint16_t b) {
  const int exponent = (b >> 7) & 255, mantissa = b & 127;
  const double magnitude =
      exponent == 0 ? std::ldexp(mantissa, -133) : std::ldexp(128 + mantissa, exponent - 134);
  return (b & 0x8000) != 0 ? -magnitude : magnitude;
}

// The result of rounding to nearest even must be at least as near as both neighbours, and even when it is no
// nearer. `largest` is the bit pattern of the largest finite value; past it comes infinity, standing for the
// next power of two.
template <typename Value>
void expect_nearest(double exact, uint16_t bits, uint16_t largest, Value value) {
  const uint16_t sign = bits & 0x8000, magnitude = bits & 0x7FFF;
  ASSERT_EQ(sign != 0, std::signbit(exact));
  const auto at = [&](int m) {
    if (m > largest) return 2 * value(largest) - value(static_cast<uint16_t>(largest - 1));
    return value(static_cast<uint16_t>(m));
  };
  const double error = std::abs(std::abs(exact) - at(magnitude));
  for (const int neighbour : {magnitude - 1, magnitude + 1}) {
    if (neighbour < 0 || neighbour > largest + 1) continue;
    const double other = std::abs(std::abs(exact) - at(neighbour));
    if (magnitude == largest + 1 && std::abs(exact) > at(magnitude)) continue;  // beyond: infinity it is
    ASSERT_LE(error, other) << exact;
    if (error == other) {
      ASSERT_EQ(magnitude % 2, 0) << exact;
    }
  }
}

template <typename Check>
void for_many_floats(Check check) {
  Random random(1);
  for (uint32_t bits = 0; bits < 0x7F800000u; bits += 997) {
    check(std::bit_cast<float>(bits));
    check(std::bit_cast<float>(bits | 0x80000000u));
  }
  for (int i = 0; i < 200000; ++i) {  // where f16 lives
    check(static_cast<float>(std::ldexp(random.uniform() * 2 - 1, static_cast<int>(random.below(44)) - 26)));
  }
}

TEST(Half, EveryF16HasItsExactValueAndComesBack) {
  for (uint32_t i = 0; i < 65536; ++i) {
    const auto h = static_cast<uint16_t>(i);
    const float f = f16_to_f32(h);
    if ((h & 0x7C00) != 0x7C00) {
      ASSERT_EQ(f, f16_value(h));
      ASSERT_EQ(std::signbit(f), (h & 0x8000) != 0);
      ASSERT_EQ(f32_to_f16(f), h);
    } else if ((h & 0x3FF) == 0) {
      ASSERT_EQ(f, (h & 0x8000) != 0 ? -kInfinity : kInfinity);
      ASSERT_EQ(f32_to_f16(f), h);
    } else {
      ASSERT_TRUE(std::isnan(f));
      ASSERT_EQ(f32_to_f16(f), h | 0x200) << "a quiet NaN of the same sign and payload";
    }
  }
}

TEST(Half, F16RoundsToNearestEven) {
  for_many_floats([](float f) { expect_nearest(f, f32_to_f16(f), 0x7BFF, f16_value); });
}

// All ties: the middle of any two neighbours, and the floats on both sides of it.
TEST(Half, F16RoundsTiesToEvenAndWhatIsNearThemToTheNearer) {
  for (uint16_t h = 0; h < 0x7BFF; ++h) {
    const auto middle = static_cast<float>((f16_value(h) + f16_value(h + 1)) / 2);
    const auto even = static_cast<uint16_t>(h + h % 2);
    ASSERT_EQ(f32_to_f16(middle), even);
    ASSERT_EQ(f32_to_f16(-middle), even | 0x8000);
    ASSERT_EQ(f32_to_f16(std::nextafter(middle, kInfinity)), h + 1);
    ASSERT_EQ(f32_to_f16(std::nextafter(middle, 0.0f)), h);
  }
}

TEST(Half, F16OverflowsToInfinityFromTheMiddleOfTheLastStep) {
  EXPECT_EQ(f32_to_f16(65504.0f), 0x7BFF);
  EXPECT_EQ(f32_to_f16(std::nextafter(65520.0f, 0.0f)), 0x7BFF);
  EXPECT_EQ(f32_to_f16(65520.0f), 0x7C00);
  EXPECT_EQ(f32_to_f16(-1e30f), 0xFC00);
}

TEST(Half, NanStaysNan) {
  for (const uint32_t bits : {0x7F800001u, 0x7FC00000u, 0x7FFFFFFFu, 0xFF800001u, 0xFFC12345u}) {
    const auto nan = std::bit_cast<float>(bits);
    EXPECT_TRUE(std::isnan(f16_to_f32(f32_to_f16(nan)))) << bits;
    EXPECT_TRUE(std::isnan(bf16_to_f32(f32_to_bf16(nan)))) << bits;
  }
}

TEST(Half, EveryBf16HasItsExactValueAndComesBack) {
  for (uint32_t i = 0; i < 65536; ++i) {
    const auto b = static_cast<uint16_t>(i);
    const float f = bf16_to_f32(b);
    if ((b & 0x7F80) != 0x7F80) {
      ASSERT_EQ(f, bf16_value(b));
    }
    if (!std::isnan(f)) {
      ASSERT_EQ(f32_to_bf16(f), b);
    }
  }
}

TEST(Half, Bf16RoundsToNearestEven) {
  for_many_floats([](float f) { expect_nearest(f, f32_to_bf16(f), 0x7F7F, bf16_value); });
  for (uint32_t b = 0; b < 0x7F7F; ++b) {
    const float middle = std::bit_cast<float>((b << 16) | 0x8000);
    ASSERT_EQ(f32_to_bf16(middle), b + b % 2);
    ASSERT_EQ(f32_to_bf16(std::nextafter(middle, kInfinity)), b + 1);
    ASSERT_EQ(f32_to_bf16(std::nextafter(middle, 0.0f)), b);
  }
}

}  // namespace
}  // namespace minnow
