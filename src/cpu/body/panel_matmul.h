// Products with quantized weights in panels (panels.h): 8-bit integer dot products within a block of 32 columns,
// scaled into an f32 accumulator per output. Every (row, column) sees the same operations in the same order whatever
// the tile, so results are equal bit for bit for any batch.
#pragma once

#include "cpu/body/elementwise.h"

namespace minnow::body {

inline constexpr int kPrefetchBytes = 4096;

template <class V>
constexpr int kVectors = kPanelRows / V::kLanes;  // vectors that hold the rows of a panel

// Accumulators of one panel by C columns. Lane i of vector r belongs to row r * kLanes + i.
template <class V, int C>
struct Outputs {
  typename V::F acc[kVectors<V>][C];
};
template <class V, int C>
struct Dots {
  typename V::I dot[kVectors<V>][C];
};

template <class V, int C>
inline __attribute__((always_inline)) void start(Dots<V, C>& d, const ActBlock* const (&x)[C], int offset) {
#pragma GCC unroll 8
  for (int c = 0; c < C; ++c)
#pragma GCC unroll 8
    for (int r = 0; r < kVectors<V>; ++r) d.dot[r][c] = V::set_i(-offset * (x[c]->sum[0] + x[c]->sum[1]));
}

// acc += dot * (weight scale of the row) * (activation scale of the column)
template <class V, int C, class ScaleOf>
inline __attribute__((always_inline)) void finish(Outputs<V, C>& out, const Dots<V, C>& d,
                                                  const ActBlock* const (&x)[C], ScaleOf scale_of) {
#pragma GCC unroll 8
  for (int r = 0; r < kVectors<V>; ++r) {
    const auto scale = scale_of(r);
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) {
      out.acc[r][c] = V::fma(V::to_f(d.dot[r][c]), V::mul(scale, V::set(x[c]->d)), out.acc[r][c]);
    }
  }
}

// Four-bit codes of 32 columns against C activation blocks.
template <class V, int C>
inline __attribute__((always_inline)) void dot_nibbles(Dots<V, C>& d, const uint8_t (&q)[4][16][4],
                                                       const ActBlock* const (&x)[C]) {
#pragma GCC unroll 4
  for (int g = 0; g < 4; ++g)
#pragma GCC unroll 8
    for (int r = 0; r < kVectors<V>; ++r) {
      const auto codes = V::load_b(q[g][r * V::kLanes]);
      const auto low = V::low_nibbles(codes), high = V::high_nibbles(codes);
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) {
        d.dot[r][c] = V::dot(d.dot[r][c], low, x[c]->q + 4 * g);
        d.dot[r][c] = V::dot(d.dot[r][c], high, x[c]->q + 16 + 4 * g);
      }
    }
}

template <class V>
struct Q8_0 {
  using Panel = PanelQ8_0;
  static constexpr int kActBlocks = 1;
  template <int C>
  static inline __attribute__((always_inline)) void multiply(const Panel& w, const ActBlock* const (&x)[C],
                                                             Outputs<V, C>& out) {
    Dots<V, C> d;
    start<V, C>(d, x, V::kFullBias);
#pragma GCC unroll 8
    for (int g = 0; g < 8; ++g)
#pragma GCC unroll 8
      for (int r = 0; r < kVectors<V>; ++r) {
        const auto codes = V::load_b(w.q[g][r * V::kLanes]);
#pragma GCC unroll 8
        for (int c = 0; c < C; ++c) d.dot[r][c] = V::dot_full(d.dot[r][c], codes, x[c]->q + 4 * g);
      }
    finish<V, C>(out, d, x, [&](int r) { return V::load_f16(w.d + r * V::kLanes); });
  }
};

template <class V>
struct Q4_0 {
  using Panel = PanelQ4_0;
  static constexpr int kActBlocks = 1;
  template <int C>
  static inline __attribute__((always_inline)) void multiply(const Panel& w, const ActBlock* const (&x)[C],
                                                             Outputs<V, C>& out) {
    Dots<V, C> d;
    start<V, C>(d, x, 8);
    dot_nibbles<V, C>(d, w.q, x);
    finish<V, C>(out, d, x, [&](int r) { return V::load_f16(w.d + r * V::kLanes); });
  }
};

template <class V>
struct Q4_K {
  using Panel = PanelQ4_K;
  static constexpr int kActBlocks = 8;
  template <int C>
  static inline __attribute__((always_inline)) void multiply(const Panel& w, const ActBlock* const (&x0)[C],
                                                             Outputs<V, C>& out) {
    for (int s = 0; s < 8; ++s) {
      const auto& sub = w.sub[s];
      const ActBlock* x[C];
      for (int c = 0; c < C; ++c) x[c] = x0[c] + s;
      Dots<V, C> d;
      start<V, C>(d, x, 0);
      dot_nibbles<V, C>(d, sub.q, x);
      finish<V, C>(out, d, x, [&](int r) {
        return V::mul(V::load_f16(w.d + r * V::kLanes), V::load_u8(sub.scale + r * V::kLanes));
      });
#pragma GCC unroll 8
      for (int r = 0; r < kVectors<V>; ++r) {
        const auto min = V::mul(V::load_f16(w.dmin + r * V::kLanes), V::load_u8(sub.min + r * V::kLanes));
#pragma GCC unroll 8
        for (int c = 0; c < C; ++c) {
          const float sum = x[c]->d * static_cast<float>(x[c]->sum[0] + x[c]->sum[1]);
          out.acc[r][c] = V::fma(min, V::set(-sum), out.acc[r][c]);
        }
      }
    }
  }
};

template <class V>
struct Q6_K {
  using Panel = PanelQ6_K;
  static constexpr int kActBlocks = 8;
  template <int C>
  static inline __attribute__((always_inline)) void multiply(const Panel& w, const ActBlock* const (&x0)[C],
                                                             Outputs<V, C>& out) {
    for (int s = 0; s < 8; ++s) {
      const auto& sub = w.sub[s];
      const ActBlock* x[C];
      for (int c = 0; c < C; ++c) x[c] = x0[c] + s;
      half<0, C>(w, sub, x, out);
      half<1, C>(w, sub, x, out);
    }
  }

  // Columns 16 H .. 16 H + 15 of a sub-block: groups 4 H .. 4 H + 3.
  template <int H, int C>
  static inline __attribute__((always_inline)) void half(const Panel& w, const typename Panel::Sub& sub,
                                                         const ActBlock* const (&x)[C], Outputs<V, C>& out) {
    Dots<V, C> d;
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c)
#pragma GCC unroll 8
      for (int r = 0; r < kVectors<V>; ++r) d.dot[r][c] = V::set_i(-32 * x[c]->sum[H]);
#pragma GCC unroll 8
    for (int r = 0; r < kVectors<V>; ++r) {
      auto high = V::load_b(sub.high[H][r * V::kLanes]);
#pragma GCC unroll 4
      for (int g = 0; g < 4; ++g) {
        const auto packed = V::load_b(sub.low[g][r * V::kLanes]);
        const auto codes = V::six_bits(H == 0 ? V::low_nibbles(packed) : V::high_nibbles(packed), high);
        high = V::shift_right_2(high);
#pragma GCC unroll 8
        for (int c = 0; c < C; ++c) d.dot[r][c] = V::dot(d.dot[r][c], codes, x[c]->q + 16 * H + 4 * g);
      }
    }
    finish<V, C>(out, d, x, [&](int r) {
      return V::mul(V::load_f16(w.d + r * V::kLanes), V::load_i8(sub.scale[H] + r * V::kLanes));
    });
  }
};

// P panels by C columns over the whole of K.
template <class V, class Type, int P, int C>
inline __attribute__((always_inline)) void panel_tile(const PanelMatMul& m, int64_t panel, int64_t column) {
  const int64_t blocks = m.k / 32;
  const int64_t steps = blocks / Type::kActBlocks;
  const auto* w = static_cast<const typename Type::Panel*>(m.w) + panel * steps;
  Outputs<V, C> out[P];
#pragma GCC unroll 2
  for (int p = 0; p < P; ++p)
#pragma GCC unroll 8
    for (int r = 0; r < kVectors<V>; ++r)
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) out[p].acc[r][c] = V::zero();

  for (int64_t s = 0; s < steps; ++s) {
    const ActBlock* x[C];
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) x[c] = m.x + (column + c) * blocks + s * Type::kActBlocks;
    if (P == 1) {  // one stream that is read once: fetch ahead of what the hardware does
      for (int64_t b = 0; b < static_cast<int64_t>(sizeof(*w)); b += 64) {
        __builtin_prefetch(reinterpret_cast<const char*>(w + s) + b + kPrefetchBytes);
      }
    }
#pragma GCC unroll 2
    for (int p = 0; p < P; ++p) Type::template multiply<C>(w[p * steps + s], x, out[p]);
  }

#pragma GCC unroll 2
  for (int p = 0; p < P; ++p) {
    const int64_t row = (panel + p) * kPanelRows;
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) {
      float* y = m.y + (column + c) * m.y_stride + row;
#pragma GCC unroll 8
      for (int r = 0; r < kVectors<V>; ++r) {
        const int64_t left = m.n_rows - row - r * V::kLanes;
        if (left >= V::kLanes) {
          V::store(y + r * V::kLanes, out[p].acc[r][c]);
        } else if (left > 0) {
          V::store_n(y + r * V::kLanes, out[p].acc[r][c], static_cast<int>(left));
        }
      }
    }
  }
}

// All columns for P panels.
template <class V, class Type, int P>
inline void panel_columns(const PanelMatMul& m, int64_t panel) {
  int64_t c = 0;
  for (; c + V::kPanelColumns <= m.n_cols; c += V::kPanelColumns) panel_tile<V, Type, P, V::kPanelColumns>(m, panel, c);
  if constexpr (V::kPanelColumns > 4) {
    for (; c + 4 <= m.n_cols; c += 4) panel_tile<V, Type, P, 4>(m, panel, c);
  }
  if constexpr (V::kPanelColumns > 2) {
    for (; c + 2 <= m.n_cols; c += 2) panel_tile<V, Type, P, 2>(m, panel, c);
  }
  for (; c < m.n_cols; ++c) panel_tile<V, Type, P, 1>(m, panel, c);
}

template <class V, template <class> class TypeOf>
void panel_matmul(const PanelMatMul& m) {
  using Type = TypeOf<V>;
  int64_t panel = m.panel_begin;
  if constexpr (V::kPanelPair) {
    // With few columns the weights are what is read: one contiguous stream is faster than two.
    if (m.n_cols >= V::kPanelColumns) {
      for (; panel + 2 <= m.panel_end; panel += 2) panel_columns<V, Type, 2>(m, panel);
    }
  }
  for (; panel < m.panel_end; ++panel) panel_columns<V, Type, 1>(m, panel);
}

}  // namespace minnow::body
