// Operands of dense products in panels, as the tiles of dense_tile.h read them.
//
// A unit is 32 bits: one f32, or two bf16 that are neighbours along the sum. A panel holds W lines of an operand, rows of
// the left one or columns of the right one, side by side: [units][W]. What is missing to a whole panel or pair is 0.
#pragma once

#include "cpu/body/elementwise.h"
#include "cpu/train_kernels.h"

namespace minnow::body {

// Units are moved, shuffled and stored as lanes of F whatever they hold; only dot() computes with them.
template <class Vec>
struct UnitsF32 {
  using V = Vec;
  using F = typename V::F;
  static constexpr int kNumbers = 1;
  static F dot(F acc, F a, F b) { return V::fma(a, b, acc); }
  // The units of n numbers at p, n at most kLanes.
  static F along(const float* p, int64_t n) { return n >= V::kLanes ? V::load(p) : V::load_n(p, static_cast<int>(n)); }
  // The units of n columns of one row.
  static F across(const float* row, const float*, int n) { return load<V>(row, n); }
};

template <class Vec>
struct UnitsBf16 {
  using V = Vec;
  using F = typename V::F;
  static constexpr int kNumbers = 2;
  static F dot(F acc, F a, F b) {
    return V::dot_bf16(acc, reinterpret_cast<typename V::B>(a), reinterpret_cast<typename V::B>(b));
  }
  static F along(const float* p, int64_t n) {
    if (n >= 2 * V::kLanes) return reinterpret_cast<F>(V::to_bf16(V::load(p), V::load(p + V::kLanes)));
    const int low = static_cast<int>(n < V::kLanes ? n : V::kLanes), high = static_cast<int>(n) - low;
    return reinterpret_cast<F>(V::to_bf16(load<V>(p, low), high > 0 ? V::load_n(p + V::kLanes, high) : V::zero()));
  }
  // Of two rows, the second of which may be null: zeros.
  static F across(const float* first, const float* second, int n) {
    return reinterpret_cast<F>(V::to_bf16_pairs(load<V>(first, n), second != nullptr ? load<V>(second, n) : V::zero()));
  }
};

template <class U>
constexpr int64_t units_of(int64_t k) { return (k + U::kNumbers - 1) / U::kNumbers; }

// A panel narrower than a vector is written by whole vectors, each of which overwrites what the one before wrote too
// far; only the last may not.
template <class V, int W>
inline void store_units(float* p, typename V::F x, bool last) {
  static_assert(W % V::kLanes == 0 || (W < V::kLanes && 2 * W >= V::kLanes));
  if constexpr (W < V::kLanes) {
    if (last) return V::store_n(p, x, W);
  }
  V::store(p, x);
}

// One panel of n lines at x, x + stride, ..., each of k numbers in a row.
template <class U, int W>
void pack_along(const float* x, int64_t stride, int n, int64_t k, float* out) {
  using V = typename U::V;
  constexpr int kL = V::kLanes;
  const int64_t units = units_of<U>(k);
  for (int64_t unit = 0; unit < units; unit += kL) {
    const int64_t at = unit * U::kNumbers;
    const int many = static_cast<int>(units - unit < kL ? units - unit : kL);
    for (int first = 0; first < W; first += kL) {
      typename V::F lines[kL];
#pragma GCC unroll 16
      for (int i = 0; i < kL; ++i) {
        lines[i] = i < W && first + i < n ? U::along(x + (first + i) * stride + at, k - at) : V::zero();
      }
      V::transpose(lines);
      float* to = out + unit * W + first;
      if (many == kL) {
#pragma GCC unroll 16
        for (int i = 0; i < kL; ++i) store_units<V, W>(to + i * W, lines[i], unit + i + 1 == units);
      } else {
        for (int i = 0; i < many; ++i) store_units<V, W>(to + i * W, lines[i], unit + i + 1 == units);
      }
    }
  }
}

// Units unit .. end - 1 of one panel of n lines that are columns: x has k rows.
template <class U, int W>
inline void pack_across(const float* x, int64_t stride, int n, int64_t k, int64_t unit, int64_t end, float* out) {
  using V = typename U::V;
  constexpr int kWidth = W < V::kLanes ? W : V::kLanes;
  for (; unit < end; ++unit) {
    const int64_t row = unit * U::kNumbers;
    const float* first = x + row * stride;
    const float* second = row + 1 < k ? first + stride : nullptr;
    for (int c = 0; c < W; c += V::kLanes) {
      const int many = n - c < kWidth ? n - c : kWidth;
      const auto units = many > 0 ? U::across(first + c, second != nullptr ? second + c : nullptr, many) : V::zero();
      store_units<V, W>(out + unit * W + c, units, unit + 1 == units_of<U>(k));
    }
  }
}

// Rows of the matrix are read whole, so that each of its lines comes from memory once.
inline constexpr int64_t kAcrossUnits = 32;

template <class U, int W>
void pack_panels(const PackPanels& t) {
  const int64_t units = units_of<U>(t.k), panel = units * W;
  auto* out = static_cast<float*>(t.panels);
  const auto lines_of = [&](int64_t p) { return static_cast<int>(t.n_lines - p * W < W ? t.n_lines - p * W : W); };
  if (t.along) {
    for (int64_t p = t.panel_begin; p < t.panel_end; ++p) {
      pack_along<U, W>(t.x + p * W * t.stride, t.stride, lines_of(p), t.k, out + p * panel);
    }
    return;
  }
  for (int64_t unit = 0; unit < units; unit += kAcrossUnits) {
    const int64_t end = unit + kAcrossUnits < units ? unit + kAcrossUnits : units;
    for (int64_t p = t.panel_begin; p < t.panel_end; ++p) {
      pack_across<U, W>(t.x + p * W, t.stride, lines_of(p), t.k, unit, end, out + p * panel);
    }
  }
}

}  // namespace minnow::body
