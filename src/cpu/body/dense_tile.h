// Dense products of operands in panels (dense_pack.h): a tile of C in registers takes one vector of columns times one
// broadcast row after another. Every output has its own lane and the same order of summation in every tile.
#pragma once

#include "cpu/body/dense_pack.h"

namespace minnow::body {

template <class V>
inline constexpr int kDenseColumns = V::kDenseVectors * V::kLanes;

// Where a tile goes: its upper left corner, and how many rows and columns of it C has.
struct TileOutput {
  float* c;
  int64_t stride;
  int64_t rows, columns;
  bool add;  // to what is there
};

// The lines that will be written, while there is still work to do until they are needed.
template <class V>
inline void prefetch_tile(const TileOutput& out) {
  const int64_t rows = out.rows < V::kDenseRows ? out.rows : V::kDenseRows;
  for (int64_t m = 0; m < rows; ++m) {
    for (int64_t c = 0; c < kDenseColumns<V>; c += 16) __builtin_prefetch(out.c + m * out.stride + c, 1, 3);
  }
}

template <class U, int N>
inline void dense_tile_of(const float* a, const float* b, int64_t units, const TileOutput& out) {
  using V = typename U::V;
  constexpr int kM = V::kDenseRows;
  prefetch_tile<V>(out);
  typename V::F acc[kM][N];
#pragma GCC unroll 16
  for (int m = 0; m < kM; ++m)
#pragma GCC unroll 4
    for (int v = 0; v < N; ++v) acc[m][v] = V::zero();
  for (int64_t u = 0; u < units; ++u, a += kM, b += kDenseColumns<V>) {
    typename V::F y[N];
#pragma GCC unroll 4
    for (int v = 0; v < N; ++v) y[v] = V::load(b + v * V::kLanes);
#pragma GCC unroll 16
    for (int m = 0; m < kM; ++m) {
      const auto x = V::set(a[m]);
#pragma GCC unroll 4
      for (int v = 0; v < N; ++v) acc[m][v] = U::dot(acc[m][v], x, y[v]);
    }
  }
  const int last = static_cast<int>(out.columns < N * V::kLanes ? out.columns - (N - 1) * V::kLanes : V::kLanes);
#pragma GCC unroll 16
  for (int m = 0; m < kM; ++m) {
    if (m >= out.rows) break;
    float* c = out.c + m * out.stride;
#pragma GCC unroll 4
    for (int v = 0; v < N; ++v) {
      const int n = v + 1 < N ? V::kLanes : last;
      const auto sum = out.add ? V::add(load<V>(c + v * V::kLanes, n), acc[m][v]) : acc[m][v];
      store<V>(c + v * V::kLanes, sum, n);
    }
  }
}

// The product of a panel of either operand, over `units` from where a and b point.
template <class U, int N = U::V::kDenseVectors>
inline void dense_tile(const float* a, const float* b, int64_t units, const TileOutput& out) {
  if constexpr (N > 1) {
    if (out.columns <= (N - 1) * U::V::kLanes) return dense_tile<U, N - 1>(a, b, units, out);
  }
  dense_tile_of<U, N>(a, b, units, out);
}

template <class U>
void multiply_dense(const DenseProduct& p) {
  using V = typename U::V;
  constexpr int64_t kM = V::kDenseRows, kN = kDenseColumns<V>;
  const int64_t units = p.to - p.from;
  const auto* right = static_cast<const float*>(p.right);
  for (int64_t j = p.right_begin; j < p.right_end; ++j) {
    const float* a = static_cast<const float*>(p.left);
    const float* b = right + (j * p.right_units + p.from) * kN;
    for (int64_t row = 0; row < p.n_rows; row += kM, a += units * kM) {
      const TileOutput out{p.c + row * p.c_stride + j * kN, p.c_stride, p.n_rows - row, p.n_columns - j * kN, p.add};
      dense_tile<U>(a, b, units, out);
    }
  }
}

}  // namespace minnow::body
