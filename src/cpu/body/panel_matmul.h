// Products with quantized weights in panels (panels.h): 8-bit integer dot products within a sub-block of 16 or 32
// columns, scaled into an f32 accumulator per output. Every (row, column) sees the same operations in the same order whatever
// the tile, so results are equal bit for bit for any batch.
#pragma once

#include "cpu/body/panel_reader.h"

namespace minnow::body {

inline constexpr int kPrefetchBytes = 4096;

template <class V>
constexpr int kVectors = kPanelRows / V::kLanes;  // vectors that hold the rows of a panel

// Accumulators of P panels by C columns. Lane i of vector r belongs to row r * kLanes + i of its panel.
template <class V, int P, int C>
struct Outputs {
  typename V::F acc[P][kVectors<V>][C];
};

// Calls f(p, r) for every vector of rows.
template <class V, int P, class F>
inline __attribute__((always_inline)) void for_rows(F f) {
#pragma GCC unroll 2
  for (int p = 0; p < P; ++p)
#pragma GCC unroll 8
    for (int r = 0; r < kVectors<V>; ++r) f(p, r);
}

// One sub-block of P panels against C columns: groups 4 * half .. of the 32 columns of `block`. Each activation word is
// fetched once for all panels.
template <class V, PanelType kType, int P, int C>
inline __attribute__((always_inline)) void multiply_sub_block(const uint8_t* const (&w)[P], int block, int half,
                                                              const ActBlock* const (&x)[C], Outputs<V, P, C>& out) {
  using Reader = PanelReader<V, kType>;
  constexpr int kSub = Reader::kSubBlock;
  const auto sum_of = [&](int c) { return kSub == 32 ? x[c]->sum[0] + x[c]->sum[1] : x[c]->sum[half]; };

  typename V::I dot[P][kVectors<V>][C];
#pragma GCC unroll 8
  for (int c = 0; c < C; ++c) {
    const auto first = V::set_i(-Reader::kOffset * sum_of(c));
    for_rows<V, P>([&](int p, int r) { dot[p][r][c] = first; });
  }
#pragma GCC unroll 8
  for (int i = 0; i < kSub / 4; ++i) {
    const int g = 4 * half + i;
    typename V::B codes[P][kVectors<V>];
    for_rows<V, P>([&](int p, int r) { codes[p][r] = Reader::codes(w[p], block, g, r * V::kLanes); });
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) {
      for_rows<V, P>([&](int p, int r) { dot[p][r][c] = Reader::dot(dot[p][r][c], codes[p][r], x[c]->q + 4 * g); });
    }
  }

  const int sub = (32 / kSub) * block + half;
  for_rows<V, P>([&](int p, int r) {
    const auto scale = Reader::scale(w[p], sub, r * V::kLanes);
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) {
      out.acc[p][r][c] = V::fma(V::to_f(dot[p][r][c]), V::mul(scale, V::set(x[c]->d)), out.acc[p][r][c]);
    }
  });
  if constexpr (Reader::kFormat.has_min) {
    for_rows<V, P>([&](int p, int r) {
      const auto min = Reader::min(w[p], sub, r * V::kLanes);
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) {
        const float sum = x[c]->d * static_cast<float>(sum_of(c));
        out.acc[p][r][c] = V::fma(min, V::set(sum), out.acc[p][r][c]);
      }
    });
  }
}

// One step along K; w[p] is the step's part of panel p.
template <class V, PanelType kType, int P, int C>
inline __attribute__((always_inline)) void multiply_step(const uint8_t* const (&w)[P], const ActBlock* const (&x0)[C],
                                                         Outputs<V, P, C>& out) {
  for (int block = 0; block < panel_format(kType).columns / 32; ++block) {
    const ActBlock* x[C];
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) x[c] = x0[c] + block;
    multiply_sub_block<V, kType, P, C>(w, block, 0, x, out);
    if constexpr (PanelReader<V, kType>::kSubBlock == 16) multiply_sub_block<V, kType, P, C>(w, block, 1, x, out);
  }
}

// P panels by C columns over the whole of K.
template <class V, PanelType kType, int P, int C>
inline void panel_tile(const PanelMatMul& m, int64_t panel, int64_t column) {
  const int64_t blocks = m.k / 32;
  constexpr int kActBlocks = panel_format(kType).columns / 32, kStepBytes = panel_format(kType).step_bytes();
  const int64_t steps = blocks / kActBlocks;
  const auto* first = static_cast<const uint8_t*>(m.w) + panel * steps * kStepBytes;
  Outputs<V, P, C> out;
  for_rows<V, P>([&](int p, int r) {
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) out.acc[p][r][c] = V::zero();
  });

  for (int64_t s = 0; s < steps; ++s) {
    const ActBlock* x[C];
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) x[c] = m.x + (column + c) * blocks + s * kActBlocks;
    const uint8_t* w[P];
#pragma GCC unroll 2
    for (int p = 0; p < P; ++p) w[p] = first + (p * steps + s) * kStepBytes;
    if (P == 1) {  // one stream that is read once: fetch ahead of what the hardware does
      for (int b = 0; b < kStepBytes; b += 64) __builtin_prefetch(w[0] + b + kPrefetchBytes);
    }
    multiply_step<V, kType, P, C>(w, x, out);
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
template <class V, PanelType kType, int P>
inline void panel_columns(const PanelMatMul& m, int64_t panel) {
  int64_t c = 0;
  for (; c + V::kPanelColumns <= m.n_cols; c += V::kPanelColumns) panel_tile<V, kType, P, V::kPanelColumns>(m, panel, c);
  if constexpr (V::kPanelColumns > 4) {
    for (; c + 4 <= m.n_cols; c += 4) panel_tile<V, kType, P, 4>(m, panel, c);
  }
  if constexpr (V::kPanelColumns > 2) {
    for (; c + 2 <= m.n_cols; c += 2) panel_tile<V, kType, P, 2>(m, panel, c);
  }
  for (; c < m.n_cols; ++c) panel_tile<V, kType, P, 1>(m, panel, c);
}

template <class V, PanelType kType>
void panel_matmul(const PanelMatMul& m) {
  int64_t panel = m.panel_begin;
  if constexpr (V::kPanelPair) {
    // With few columns the weights are what is read: one contiguous stream is faster than two.
    if (m.n_cols >= V::kPanelColumns) {
      for (; panel + 2 <= m.panel_end; panel += 2) panel_columns<V, kType, 2>(m, panel);
    }
  }
  for (; panel < m.panel_end; ++panel) panel_columns<V, kType, 1>(m, panel);
}

}  // namespace minnow::body
