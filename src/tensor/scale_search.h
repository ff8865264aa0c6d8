// Searches for the scale (and min) with which the integer codes of a few values fit best. Each tries a number of ranges
// around the obvious one and keeps what makes the weighted error smallest. The order of the sums is part of the result:
// with it the blocks come out as the field's reference encoder makes them.
#pragma once

#include <bit>
#include <cstdint>
#include <span>

namespace minnow {

// Values in one search at most (a sub-block).
inline constexpr int kMaxSearchValues = 32;

// The nearest integer, ties to even, of a number below 2^22 in size; some integer for any other.
inline int nearest_int(float x) {
  constexpr float kShift = 0x1.8p23f;  // floats from here on are integers
  return static_cast<int>(std::bit_cast<uint32_t>(x + kShift) - std::bit_cast<uint32_t>(kShift));
}

// Values below this in size are as good as zero.
inline constexpr float kTiny = 1e-15f;

// In all: x has 1 to kMaxSearchValues finite values, `weights` (none negative) says how much each one's error counts,
// `codes` receives a code for each value. All three have one length. 0 is returned when nothing better is known.

// x = scale * code, code in -limit .. limit - 1 (of nothing but zeros: -limit).
float symmetric_scale(int limit, std::span<const float> x, std::span<const float> weights, std::span<int8_t> codes);

// The same, by moving one code at a time as long as that helps.
float coordinate_scale(int limit, std::span<const float> x, std::span<const float> weights, std::span<int8_t> codes);

// x = scale * code with code in 0 .. limit, for x that are not negative themselves.
float unsigned_scale(int limit, std::span<const float> x, std::span<const float> weights, std::span<int8_t> codes);

// x = scale * code - min with code in 0 .. limit and min >= 0.
struct AffineSearch {
  int limit;
  float first, step;  // the ranges tried: limit + first + k * step steps over the span of the values, k = 0 .. n_steps
  int n_steps;
  bool squared;  // weighs squared errors; else their sizes
};
struct ScaleAndMin {
  float scale, min;
};
ScaleAndMin affine_scale(const AffineSearch& search, std::span<const float> x, std::span<const float> weights,
                         std::span<int8_t> codes);

// The value of largest size (the first of equals), with its sign; 0 when all are 0, NaN when one is.
float extreme_of(std::span<const float> x);

}  // namespace minnow
