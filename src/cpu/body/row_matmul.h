// Products with float weights as they lie in the file: tiles of R rows by C columns of dot products along K.
// Each output has one vector accumulator, so its value does not depend on the tile it was computed in.
#pragma once

#include "cpu/body/elementwise.h"

namespace minnow::body {

inline constexpr int kRowPrefetchBytes = 2048;

template <class V>
struct LoadF32 {
  using T = float;
  static typename V::F whole(const float* p) { return V::load(p); }
};
template <class V>
struct LoadF16 {
  using T = uint16_t;
  static typename V::F whole(const uint16_t* p) { return V::load_f16(p); }
};
template <class V>
struct LoadBF16 {
  using T = uint16_t;
  static typename V::F whole(const uint16_t* p) { return V::load_bf16(p); }
};

// The first n < kLanes values, zeros after them (all these types have 0 as the zero bit pattern).
template <class V, class Load>
inline typename V::F load_part(const typename Load::T* p, int n) {
  typename Load::T padded[V::kLanes] = {};
  for (int i = 0; i < n; ++i) padded[i] = p[i];
  return Load::whole(padded);
}

template <class V, class Load, int R, int C>
inline __attribute__((always_inline)) void row_tile(const typename Load::T* w, const float* x, int64_t k, float* y,
                                                    int64_t y_stride) {
  typename V::F acc[R][C];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) acc[r][c] = V::zero();

  int64_t i = 0;
  for (; i + V::kLanes <= k; i += V::kLanes) {
    typename V::F wv[R];
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      wv[r] = Load::whole(w + r * k + i);
      if (C == 1) __builtin_prefetch(reinterpret_cast<const char*>(w + r * k + i) + kRowPrefetchBytes);
    }
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) {
      const auto xv = V::load(x + c * k + i);
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) acc[r][c] = V::fma(wv[r], xv, acc[r][c]);
    }
  }
  if (i < k) {
    const int n = static_cast<int>(k - i);
    for (int r = 0; r < R; ++r) {
      const auto wv = load_part<V, Load>(w + r * k + i, n);
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) acc[r][c] = V::fma(wv, V::load_n(x + c * k + i, n), acc[r][c]);
    }
  }
#pragma GCC unroll 8
  for (int c = 0; c < C; ++c)
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) y[c * y_stride + r] = V::sum(acc[r][c]);
}

// All rows of the task for C columns.
template <class V, class Load, int C>
inline void row_columns(const RowMatMul& m, int64_t column) {
  const auto* w = static_cast<const typename Load::T*>(m.w);
  const float* x = m.x + column * m.k;
  float* y = m.y + column * m.y_stride;
  // For one column the weights are what is read: row after row is one contiguous stream.
  constexpr int kRows = C == 1 ? 1 : V::kTileRows;
  int64_t r = m.row_begin;
  for (; r + kRows <= m.row_end; r += kRows) row_tile<V, Load, kRows, C>(w + r * m.k, x, m.k, y + r, m.y_stride);
  for (; r < m.row_end; ++r) row_tile<V, Load, 1, C>(w + r * m.k, x, m.k, y + r, m.y_stride);
}

template <class V, template <class> class LoadOf>
void row_matmul(const RowMatMul& m) {
  using Load = LoadOf<V>;
  int64_t c = 0;
  for (; c + V::kTileColumns <= m.n_cols; c += V::kTileColumns) row_columns<V, Load, V::kTileColumns>(m, c);
  for (; c + 2 <= m.n_cols; c += 2) row_columns<V, Load, 2>(m, c);
  for (; c < m.n_cols; ++c) row_columns<V, Load, 1>(m, c);
}

}  // namespace minnow::body
