// Products with quantized weights in panels (panels.h): 8-bit integer dot products within a block of 32 columns,
// scaled into an f32 accumulator per output. Every (row, column) sees the same operations in the same order whatever
// the tile, so results are equal bit for bit for any batch.
#pragma once

#include "cpu/body/elementwise.h"

namespace minnow::body {

inline constexpr int kPrefetchBytes = 4096;

template <class V>
constexpr int kVectors = kPanelRows / V::kLanes;  // vectors that hold the rows of a panel

// Accumulators of P panels by C columns. Lane i of vector r belongs to row r * kLanes + i of its panel.
template <class V, int P, int C>
struct Outputs {
  typename V::F acc[P][kVectors<V>][C];
};
template <class V, int P, int C>
struct Dots {
  typename V::I dot[P][kVectors<V>][C];
};

// Calls f(p, r) for every vector of rows.
template <class V, int P, class F>
inline __attribute__((always_inline)) void for_rows(F f) {
#pragma GCC unroll 2
  for (int p = 0; p < P; ++p)
#pragma GCC unroll 8
    for (int r = 0; r < kVectors<V>; ++r) f(p, r);
}

// Starts each dot product with `-offset * sum`, which takes the codes' offset out again.
template <class V, int P, int C, class SumOf>
inline __attribute__((always_inline)) void start(Dots<V, P, C>& d, int offset, SumOf sum_of) {
#pragma GCC unroll 8
  for (int c = 0; c < C; ++c) {
    const auto first = V::set_i(-offset * sum_of(c));
    for_rows<V, P>([&](int p, int r) { d.dot[p][r][c] = first; });
  }
}

// acc += dot * (weight scale of the row) * (activation scale of the column)
template <class V, int P, int C, class ScaleOf>
inline __attribute__((always_inline)) void finish(Outputs<V, P, C>& out, const Dots<V, P, C>& d,
                                                  const ActBlock* const (&x)[C], ScaleOf scale_of) {
  for_rows<V, P>([&](int p, int r) {
    const auto scale = scale_of(p, r);
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) {
      out.acc[p][r][c] = V::fma(V::to_f(d.dot[p][r][c]), V::mul(scale, V::set(x[c]->d)), out.acc[p][r][c]);
    }
  });
}

// Four-bit codes of 32 columns against C activation blocks. `codes_of(p, g)` gives the bytes of group g of panel p.
// Each activation word is fetched once for all panels.
template <class V, int P, int C, class CodesOf>
inline __attribute__((always_inline)) void dot_nibbles(Dots<V, P, C>& d, const ActBlock* const (&x)[C],
                                                       CodesOf codes_of) {
#pragma GCC unroll 4
  for (int g = 0; g < 4; ++g) {
    typename V::B low[P][kVectors<V>], high[P][kVectors<V>];
    for_rows<V, P>([&](int p, int r) {
      const auto codes = V::load_b(codes_of(p, g) + 4 * V::kLanes * r);
      low[p][r] = V::low_nibbles(codes);
      high[p][r] = V::high_nibbles(codes);
    });
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) {
      for_rows<V, P>([&](int p, int r) { d.dot[p][r][c] = V::dot(d.dot[p][r][c], low[p][r], x[c]->q + 4 * g); });
      for_rows<V, P>([&](int p, int r) { d.dot[p][r][c] = V::dot(d.dot[p][r][c], high[p][r], x[c]->q + 16 + 4 * g); });
    }
  }
}

// Each weight type: what one step along K does for P panels, w[p] being the step's part of panel p.
template <class V>
struct Q8_0 {
  using Panel = PanelQ8_0;
  static constexpr int kActBlocks = 1;
  template <int P, int C>
  static inline __attribute__((always_inline)) void multiply(const Panel* const (&w)[P], const ActBlock* const (&x)[C],
                                                             Outputs<V, P, C>& out) {
    Dots<V, P, C> d;
    start<V, P, C>(d, V::kFullBias, [&](int c) { return x[c]->sum[0] + x[c]->sum[1]; });
#pragma GCC unroll 8
    for (int g = 0; g < 8; ++g) {
      typename V::B codes[P][kVectors<V>];
      for_rows<V, P>([&](int p, int r) { codes[p][r] = V::load_b(w[p]->q[g][r * V::kLanes]); });
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) {
        for_rows<V, P>([&](int p, int r) { d.dot[p][r][c] = V::dot_full(d.dot[p][r][c], codes[p][r], x[c]->q + 4 * g); });
      }
    }
    finish<V, P, C>(out, d, x, [&](int p, int r) { return V::load_f16(w[p]->d + r * V::kLanes); });
  }
};

template <class V>
struct Q4_0 {
  using Panel = PanelQ4_0;
  static constexpr int kActBlocks = 1;
  template <int P, int C>
  static inline __attribute__((always_inline)) void multiply(const Panel* const (&w)[P], const ActBlock* const (&x)[C],
                                                             Outputs<V, P, C>& out) {
    Dots<V, P, C> d;
    start<V, P, C>(d, 8, [&](int c) { return x[c]->sum[0] + x[c]->sum[1]; });
    dot_nibbles<V, P, C>(d, x, [&](int p, int g) { return w[p]->q[g][0]; });
    finish<V, P, C>(out, d, x, [&](int p, int r) { return V::load_f16(w[p]->d + r * V::kLanes); });
  }
};

template <class V>
struct Q4_K {
  using Panel = PanelQ4_K;
  static constexpr int kActBlocks = 8;
  template <int P, int C>
  static inline __attribute__((always_inline)) void multiply(const Panel* const (&w)[P], const ActBlock* const (&x0)[C],
                                                             Outputs<V, P, C>& out) {
    for (int s = 0; s < 8; ++s) {
      const ActBlock* x[C];
      for (int c = 0; c < C; ++c) x[c] = x0[c] + s;
      Dots<V, P, C> d;
      start<V, P, C>(d, 0, [](int) { return 0; });
      dot_nibbles<V, P, C>(d, x, [&](int p, int g) { return w[p]->sub[s].q[g][0]; });
      finish<V, P, C>(out, d, x, [&](int p, int r) {
        return V::mul(V::load_f16(w[p]->d + r * V::kLanes), V::load_u8(w[p]->sub[s].scale + r * V::kLanes));
      });
      for_rows<V, P>([&](int p, int r) {
        const auto min = V::mul(V::load_f16(w[p]->dmin + r * V::kLanes), V::load_u8(w[p]->sub[s].min + r * V::kLanes));
#pragma GCC unroll 8
        for (int c = 0; c < C; ++c) {
          const float sum = x[c]->d * static_cast<float>(x[c]->sum[0] + x[c]->sum[1]);
          out.acc[p][r][c] = V::fma(min, V::set(-sum), out.acc[p][r][c]);
        }
      });
    }
  }
};

template <class V>
struct Q6_K {
  using Panel = PanelQ6_K;
  static constexpr int kActBlocks = 8;
  template <int P, int C>
  static inline __attribute__((always_inline)) void multiply(const Panel* const (&w)[P], const ActBlock* const (&x0)[C],
                                                             Outputs<V, P, C>& out) {
    for (int s = 0; s < 8; ++s) {
      const ActBlock* x[C];
      for (int c = 0; c < C; ++c) x[c] = x0[c] + s;
      half<0, P, C>(w, s, x, out);
      half<1, P, C>(w, s, x, out);
    }
  }

  // Columns 16 H .. 16 H + 15 of sub-block s: groups 4 H .. 4 H + 3.
  template <int H, int P, int C>
  static inline __attribute__((always_inline)) void half(const Panel* const (&w)[P], int s, const ActBlock* const (&x)[C],
                                                         Outputs<V, P, C>& out) {
    Dots<V, P, C> d;
    start<V, P, C>(d, 32, [&](int c) { return x[c]->sum[H]; });
    typename V::B high[P][kVectors<V>];
    for_rows<V, P>([&](int p, int r) { high[p][r] = V::load_b(w[p]->sub[s].high[H][r * V::kLanes]); });
#pragma GCC unroll 4
    for (int g = 0; g < 4; ++g) {
      typename V::B codes[P][kVectors<V>];
      for_rows<V, P>([&](int p, int r) {
        const auto packed = V::load_b(w[p]->sub[s].low[g][r * V::kLanes]);
        codes[p][r] = V::six_bits(H == 0 ? V::low_nibbles(packed) : V::high_nibbles(packed), high[p][r]);
        high[p][r] = V::shift_right_2(high[p][r]);
      });
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) {
        for_rows<V, P>([&](int p, int r) { d.dot[p][r][c] = V::dot(d.dot[p][r][c], codes[p][r], x[c]->q + 16 * H + 4 * g); });
      }
    }
    finish<V, P, C>(out, d, x, [&](int p, int r) {
      return V::mul(V::load_f16(w[p]->d + r * V::kLanes), V::load_i8(w[p]->sub[s].scale[H] + r * V::kLanes));
    });
  }
};

// P panels by C columns over the whole of K.
template <class V, class Type, int P, int C>
inline void panel_tile(const PanelMatMul& m, int64_t panel, int64_t column) {
  const int64_t blocks = m.k / 32;
  const int64_t steps = blocks / Type::kActBlocks;
  const auto* first = static_cast<const typename Type::Panel*>(m.w) + panel * steps;
  Outputs<V, P, C> out;
  for_rows<V, P>([&](int p, int r) {
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) out.acc[p][r][c] = V::zero();
  });

  for (int64_t s = 0; s < steps; ++s) {
    const ActBlock* x[C];
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) x[c] = m.x + (column + c) * blocks + s * Type::kActBlocks;
    const typename Type::Panel* w[P];
#pragma GCC unroll 2
    for (int p = 0; p < P; ++p) w[p] = first + p * steps + s;
    if (P == 1) {  // one stream that is read once: fetch ahead of what the hardware does
      for (int64_t b = 0; b < static_cast<int64_t>(sizeof(*w[0])); b += 64) {
        __builtin_prefetch(reinterpret_cast<const char*>(w[0]) + b + kPrefetchBytes);
      }
    }
    Type::template multiply<P, C>(w, x, out);
  }

  for_rows<V, P>([&](int p, int r) {
    const int64_t row = (panel + p) * kPanelRows + r * V::kLanes;
    const int64_t left = m.n_rows - row;
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) {
      float* y = m.y + (column + c) * m.y_stride + row;
      if (left >= V::kLanes) {
        V::store(y, out.acc[p][r][c]);
      } else if (left > 0) {
        V::store_n(y, out.acc[p][r][c], static_cast<int>(left));
      }
    }
  });
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
