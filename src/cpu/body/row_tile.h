// Products with float weights, the inside: a tile of R rows by C columns of dot products along K.
//
// K is contiguous in both operands, so weights are used as they lie in the file and each load feeds R or C products.
// Every output has one vector accumulator for each kBlock of K, and the sums of these are added in order: its bits do
// not depend on the tile or the path that it was computed in.
#pragma once

#include "cpu/body/prefetch.h"
#include "cpu/kernels.h"

namespace minnow::body {

// The arithmetic of a product: what the vectors hold that meet in it.
template <class V>
struct F32Unit {
  using T = float;
  using Vec = typename V::F;
  static constexpr int kStep = V::kLanes;  // columns in a vector
  static Vec load(const T* p) { return V::load(p); }
  static Vec load_n(const T* p, int n) { return V::load_n(p, n); }
  static typename V::F dot(typename V::F acc, Vec w, Vec x) { return V::fma(w, x, acc); }
  static int64_t row_stride(int64_t k) { return k; }
};
// Pairs of bf16, summed in f32. Input rows are padded with zeros.
template <class V>
struct Bf16Unit {
  using T = uint16_t;
  using Vec = typename V::B;
  static constexpr int kStep = 2 * V::kLanes;
  static_assert(kBf16Columns % kStep == 0);
  static Vec load(const T* p) { return V::load_b(p); }
  static Vec load_n(const T* p, int) { return V::load_b(p); }
  static typename V::F dot(typename V::F acc, Vec w, Vec x) { return V::dot_bf16(acc, w, x); }
  static int64_t row_stride(int64_t k) { return bf16_row(k); }
};

// Where a vector of weights comes from: stored in the form that the unit multiplies, or brought into it.
template <class U>
struct AsStored {
  using T = typename U::T;
  using Unit = U;
  static typename Unit::Vec load(const T* p) { return Unit::load(p); }
};
template <class V>
struct F32FromF16 {
  using T = uint16_t;
  using Unit = F32Unit<V>;
  static typename Unit::Vec load(const T* p) { return V::load_f16(p); }
};
template <class V>
struct F32FromBf16 {
  using T = uint16_t;
  using Unit = F32Unit<V>;
  static typename Unit::Vec load(const T* p) { return V::load_bf16(p); }
};
template <class V>
struct Bf16FromF16 {
  using T = uint16_t;
  using Unit = Bf16Unit<V>;
  static typename Unit::Vec load(const T* p) { return V::to_bf16(V::load_f16(p), V::load_f16(p + V::kLanes)); }
};

// The first n values, zeros after them (in all these types 0 is the zero bit pattern).
template <class Source>
inline typename Source::Unit::Vec load_part(const typename Source::T* p, int n) {
  typename Source::T padded[Source::Unit::kStep] = {};
  for (int i = 0; i < n; ++i) padded[i] = p[i];
  return Source::load(padded);
}

// Bytes of a row that are summed in one accumulator: R + C such pieces fit a first-level cache.
inline constexpr int kBlockBytes = 4096;
template <class Unit>
inline constexpr int64_t kBlock = kBlockBytes / static_cast<int64_t>(sizeof(typename Unit::T));

template <class Source>
struct RowTile {
  const typename Source::T* w;
  int64_t w_stride;
  const typename Source::Unit::T* x;
  int64_t x_stride;
  int64_t n;  // columns of K, at most kBlock
  float* y;
  int64_t y_stride;
  bool first;  // whether this block of K is the first, which sets y; others add to it
};

// Weights that are needed next: with every step of a tile's loop, one line of each of its R rows is fetched.
struct Ahead {
  const char* p;
  int64_t stride;  // bytes from row to row
  int64_t step;    // bytes from step to step
};

// out[i] = the sum of acc[i]'s lanes, added in the same order for every N and i.
template <class V, int N>
inline __attribute__((always_inline)) void lane_sums(const typename V::F (&acc)[N], float* out) {
  if constexpr (requires { &V::sum4; }) {
    constexpr int kFours = N / 4 * 4;
#pragma GCC unroll 8
    for (int i = 0; i < kFours; i += 4) V::sum4(out + i, acc[i], acc[i + 1], acc[i + 2], acc[i + 3]);
    if constexpr (kFours < N) {
      float rest[4];
      const auto at = [&](int i) { return i < N ? acc[i < N ? i : 0] : V::zero(); };
      V::sum4(rest, at(kFours), at(kFours + 1), at(kFours + 2), at(kFours + 3));
      for (int i = kFours; i < N; ++i) out[i] = rest[i - kFours];
    }
  } else {
#pragma GCC unroll 32
    for (int i = 0; i < N; ++i) out[i] = V::sum(acc[i]);
  }
}

template <class V, class Source, int R, int C, bool kFetch>
inline __attribute__((always_inline)) void row_tile(const RowTile<Source>& t, Ahead ahead) {
  using Unit = typename Source::Unit;
  typename V::F acc[C * R];
#pragma GCC unroll 32
  for (int i = 0; i < C * R; ++i) acc[i] = V::zero();

  int64_t i = 0;
  for (; i + Unit::kStep <= t.n; i += Unit::kStep) {
    typename Unit::Vec w[R];
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      w[r] = Source::load(t.w + r * t.w_stride + i);
      if (kFetch) prefetch(ahead.p + r * ahead.stride);
    }
    ahead.p += ahead.step;
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) {
      const auto x = Unit::load(t.x + c * t.x_stride + i);
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) acc[c * R + r] = Unit::dot(acc[c * R + r], w[r], x);
    }
  }
  if (i < t.n) {
    const int n = static_cast<int>(t.n - i);
    for (int r = 0; r < R; ++r) {
      const auto w = load_part<Source>(t.w + r * t.w_stride + i, n);
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) acc[c * R + r] = Unit::dot(acc[c * R + r], w, Unit::load_n(t.x + c * t.x_stride + i, n));
    }
  }
  float sums[C * R];
  lane_sums<V, C * R>(acc, sums);
#pragma GCC unroll 8
  for (int c = 0; c < C; ++c) {
    float* y = t.y + c * t.y_stride;
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) y[r] = t.first ? sums[c * R + r] : y[r] + sums[c * R + r];
  }
}

}  // namespace minnow::body
