// Products with quantized weights in panels (panels.h): 8-bit integer dot products. With integer scales, the sums of the
// sub-blocks of a step are scaled and added up as integers, and become one f32 term of the output; other scales are
// applied to each sub-block's sum. Every (row, column) sees the same operations in the same order whatever the tile, so
// results are equal bit for bit for any batch.
#pragma once

#include "cpu/body/panel_reader.h"
#include "cpu/body/prefetch.h"

namespace minnow::body {

// Many columns are done in blocks, whose activations stay in a core's second-level cache while the panels of the task
// pass by.
inline constexpr int64_t kActivationBytes = 512 << 10, kMostColumns = 96;

// What a pass over a panel asks for beside its work, a part of it with every step.
struct Fetch {
  const uint8_t* from = nullptr;
  int64_t bytes = 0;
};

// R vectors of rows from row0 of a panel by C columns. Lane i of vector r belongs to row row0 + r * kLanes + i.
template <class V, PanelType kType, int R, int C>
struct PanelTile {
  using Reader = PanelReader<V, kType>;
  using Act = typename Reader::Act;
  using I = typename V::I;
  using Sums = typename V::Sums;
  static constexpr int kSubBlock = Reader::kSubBlock;
  static constexpr PanelFormat kFormat = Reader::kFormat;
  static constexpr bool kCorrects = !V::kWideSums && Reader::kOffset != 0;  // at the end
  // Lines are asked for in bursts, two for each 32 columns, so that they neither come one by one nor fill the queues that
  // the loads of the step need.
  static constexpr int kBurstGroups = 2, kBursts = kFormat.columns / 32 * (8 / kBurstGroups);

  typename V::F acc[R][C];
  const uint8_t* ahead;  // the next line to ask for
  int64_t burst, left;   // lines: of a burst, and of this step that are not asked for yet

  inline __attribute__((always_inline)) void fetch_burst() {
    const int64_t n = burst < left ? burst : left;
    for (int64_t line = 0; line < n; ++line, ahead += 64) prefetch(ahead);
    left -= n;
  }

  // Products of 16 or 32 columns: groups first .. first + n - 1 of a block of 32. When sums are narrow, `flush` gets
  // them before they can overflow.
  template <int kGroups, class Flush>
  inline __attribute__((always_inline)) void multiply(const uint8_t* step, int block, int first_group, int row0,
                                                      const Act* const (&x)[C], int at, Sums (&sums)[R][C], Flush flush) {
#pragma GCC unroll 8
    for (int i = 0; i < kGroups; ++i) {
      const int g = first_group + i;
      if (g % kBurstGroups == 0) fetch_burst();
      typename V::B codes[R];
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) codes[r] = Reader::codes(step, block, g, row0 + r * V::kLanes);
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) {
        const int8_t* q = x[c]->q + at + 32 * block + 4 * g;
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) {
          if constexpr (!V::kWideSums) {
            if (i % Reader::kRun == 0) sums[r][c] = V::no_sums();
          }
          sums[r][c] = Reader::dot(sums[r][c], codes[r], q);
        }
      }
      if constexpr (!V::kWideSums) {
        if ((i + 1) % Reader::kRun == 0 || i + 1 == kGroups) flush();
      }
    }
  }

  template <class F>
  static inline __attribute__((always_inline)) void each(F f) {
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) f(r, c);
  }

  inline __attribute__((always_inline)) void step_with_integer_scales(const uint8_t* step, int row0,
                                                                      const Act* const (&x)[C], int at) {
    constexpr int kPairs = Reader::kSubs / 2;
    I total[R][C];
    each([&](int r, int c) { total[r][c] = V::set_i(0); });
#pragma GCC unroll 1
    for (int pair = 0; pair < kPairs; ++pair) {
      I scales[R];
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) scales[r] = Reader::scale_pair(step, pair, row0 + r * V::kLanes);
#pragma GCC unroll 2
      for (int half = 0; half < 2; ++half) {
        typename V::Scales scale[R];
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) scale[r] = half == 0 ? V::low_scales(scales[r]) : V::high_scales(scales[r]);
        const int sub = 2 * pair + half;
        Sums sums[R][C];
        if constexpr (V::kWideSums) {
#pragma GCC unroll 8
          for (int c = 0; c < C; ++c) {
            const I start = Reader::start(x[c], at, sub);
#pragma GCC unroll 8
            for (int r = 0; r < R; ++r) sums[r][c] = start;
          }
        }
        const auto flush = [&] { each([&](int r, int c) { total[r][c] = V::add_scaled(total[r][c], sums[r][c], scale[r]); }); };
        const int block = kSubBlock == 16 ? pair : sub, first = kSubBlock == 16 ? 4 * half : 0;
        multiply<kSubBlock / 4>(step, block, first, row0, x, at, sums, flush);
        if constexpr (V::kWideSums) flush();
      }
    }

    if constexpr (kCorrects) {
      I offsets[R][C];
      add_pairs(offsets, step, row0, x, [](const uint8_t* s, int p, int row) __attribute__((always_inline)) { return Reader::scale_pair(s, p, row); });
      each([&](int r, int c) { total[r][c] = V::sub_i(total[r][c], Reader::times_offset(offsets[r][c])); });
    }
    I mins[R][C];
    if constexpr (kFormat.has_min) {
      add_pairs(mins, step, row0, x, [](const uint8_t* s, int p, int row) __attribute__((always_inline)) { return Reader::min_pair(s, p, row); });
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const auto scale = Reader::scale_factor(step, row0 + r * V::kLanes);
      typename V::F min;
      if constexpr (kFormat.has_min) min = Reader::min(step, row0 + r * V::kLanes);
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) {
        auto y = V::mul(V::to_f(total[r][c]), scale);
        if constexpr (kFormat.has_min) y = V::fma(V::to_f(mins[r][c]), min, y);
        acc[r][c] = V::fma(y, V::set(x[c]->d), acc[r][c]);
      }
    }
  }

  // sum over the sub-blocks of what `read` gives of them times the sum of x there.
  template <class Read>
  static inline __attribute__((always_inline)) void add_pairs(I (&sums)[R][C], const uint8_t* step, int row0,
                                                              const Act* const (&x)[C], Read read) {
    each([&](int r, int c) { sums[r][c] = V::set_i(0); });
#pragma GCC unroll 1
    for (int pair = 0; pair < Reader::kSubs / 2; ++pair) {
      I weights[R];
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) weights[r] = read(step, pair, row0 + r * V::kLanes);
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) {
        const I sum = Reader::sum_pair(x[c], pair);
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) sums[r][c] = V::dot_pairs(sums[r][c], weights[r], sum);
      }
    }
  }

  inline __attribute__((always_inline)) void step_with_float_scales(const uint8_t* step, int row0,
                                                                    const Act* const (&x)[C], int at) {
    for (int sub = 0; sub < Reader::kSubs; ++sub) {
      I dot[R][C];
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) {
        const I start = Reader::start(x[c], at, sub);
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) dot[r][c] = start;
      }
      const auto multiply_into_dot = [&](auto groups, int block, int first) __attribute__((always_inline)) {
        if constexpr (V::kWideSums) {
          multiply<groups.value>(step, block, first, row0, x, at, dot, [] {});
        } else {
          Sums sums[R][C];
          multiply<groups.value>(step, block, first, row0, x, at, sums,
                                 [&] { each([&](int r, int c) { dot[r][c] = V::widen(dot[r][c], sums[r][c]); }); });
        }
      };
      if constexpr (kSubBlock == 16) {
        multiply_into_dot(Groups<4>{}, sub / 2, 4 * (sub % 2));
      } else {
#pragma GCC unroll 1
        for (int block = 0; block < kSubBlock / 32; ++block) multiply_into_dot(Groups<8>{}, sub * (kSubBlock / 32) + block, 0);
      }
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) {
        const auto scale = Reader::scale(step, sub, row0 + r * V::kLanes);
#pragma GCC unroll 8
        for (int c = 0; c < C; ++c) acc[r][c] = V::fma(V::to_f(dot[r][c]), V::mul(scale, V::set(x[c]->d)), acc[r][c]);
      }
    }
    if constexpr (kFormat.has_min) {
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) {
        const auto min = Reader::min(step, row0 + r * V::kLanes);
#pragma GCC unroll 8
        for (int c = 0; c < C; ++c) acc[r][c] = V::fma(min, V::set(x[c]->d_sum), acc[r][c]);
      }
    }
  }

  // Rows from row0 of a panel, over the whole of K.
  static inline void run(const PanelMatMul& m, int64_t panel, int row0, int64_t column, Fetch fetch) {
    constexpr int kColumns = kFormat.columns, kStepBytes = Reader::kStepBytes;
    const int64_t steps = m.k / kColumns, blocks = (m.k + Act::kColumns - 1) / Act::kColumns;
    const auto* w = static_cast<const uint8_t*>(m.w) + panel * steps * kStepBytes;
    const auto* first = static_cast<const Act*>(m.x) + column * blocks;
    PanelTile tile;
    const int64_t lines = (fetch.bytes / 64 + steps - 1) / steps;  // with each step
    tile.burst = (lines + kBursts - 1) / kBursts;
    tile.ahead = fetch.from;
    each([&](int r, int c) { tile.acc[r][c] = V::zero(); });

    for (int64_t s = 0; s < steps; ++s, w += kStepBytes) {
      const int64_t block = s * kColumns / Act::kColumns;
      const int at = kColumns == Act::kColumns ? 0 : static_cast<int>(s * kColumns % Act::kColumns);
      const Act* x[C];
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) x[c] = first + c * blocks + block;
      tile.left = lines;
      if constexpr (kFormat.integer_scales()) {
        tile.step_with_integer_scales(w, row0, x, at);
      } else {
        tile.step_with_float_scales(w, row0, x, at);
      }
    }

    each([&](int r, int c) {
      const int64_t row = panel * kPanelRows + row0 + r * V::kLanes, left = m.n_rows - row;
      float* y = m.y + (column + c) * m.y_stride + row;
      if (left >= V::kLanes) {
        V::store(y, tile.acc[r][c]);
      } else if (left > 0) {
        V::store_n(y, tile.acc[r][c], static_cast<int>(left));
      }
    });
  }

 private:
  template <int kN>
  struct Groups {
    static constexpr int value = kN;
  };
};

// C columns of all rows of a panel.
template <class V, PanelType kType, int C>
inline void panel_columns(const PanelMatMul& m, int64_t panel, int64_t column, Fetch fetch) {
  // A single column takes all rows at once: the weights are what is read, as one stream.
  constexpr int kVectors = C == 1 ? V::kStreamVectors : V::kPanelVectors;
  for (int row0 = 0; row0 < kPanelRows; row0 += kVectors * V::kLanes) {
    PanelTile<V, kType, kVectors, C>::run(m, panel, row0, column, row0 == 0 ? fetch : Fetch{});
  }
}

// Columns [begin, end) in the widest tiles; what is left at the end is cut in equal parts. While a panel comes from memory,
// the first pass over it asks for what lies a little ahead, and others for their parts of the next panel, so that memory is
// never idle while tiles multiply. A panel that the passes before have fetched leaves all of its own to the next.
template <class V, PanelType kType>
inline void panel_tiles(const PanelMatMul& m, int64_t panel, int64_t begin, int64_t end) {
  constexpr int kMost = V::kPanelColumns;
  const int64_t bytes = m.k / panel_format(kType).columns * PanelReader<V, kType>::kStepBytes;
  const auto* here = static_cast<const uint8_t*>(m.w) + panel * bytes;
  const int64_t passes = (end - begin + kMost - 1) / kMost;
  const bool fetched = passes > 1 && panel > m.panel_begin;
  const int64_t sharing = panel + 1 < m.panel_end ? passes - (fetched ? 0 : 1) : 0;
  const int64_t part = sharing > 0 ? (bytes / 64 + sharing - 1) / sharing * 64 : 0;
  const uint8_t* next = here + bytes;
  for (int64_t c = begin; c < end;) {
    Fetch fetch;
    if (begin == 0 && c == 0 && !fetched) {
      // Sub-blocks of 16 columns are no plain stream: the hardware does not keep up.
      const bool asks = m.asks_ahead || m.n_cols > 1 || panel_format(kType).sub_block == 16;
      if (asks) fetch = {here + kFetchAhead, bytes};
    } else if (begin == 0) {
      fetch = {next, part};
      next += part;
    }
    const int64_t left = end - c;
    const int64_t n = left >= 2 * kMost ? kMost : left > kMost ? (left + 1) / 2 : left;
    if (n == 1) panel_columns<V, kType, 1>(m, panel, c, fetch);
    if constexpr (kMost >= 2) if (n == 2) panel_columns<V, kType, 2>(m, panel, c, fetch);
    if constexpr (kMost >= 3) if (n == 3) panel_columns<V, kType, 3>(m, panel, c, fetch);
    if constexpr (kMost >= 4) if (n == 4) panel_columns<V, kType, 4>(m, panel, c, fetch);
    if constexpr (kMost >= 5) if (n == 5) panel_columns<V, kType, 5>(m, panel, c, fetch);
    if constexpr (kMost >= 6) if (n == 6) panel_columns<V, kType, 6>(m, panel, c, fetch);
    c += n;
  }
}

template <class V, PanelType kType>
void panel_matmul(const PanelMatMul& m) {
  using Act = typename PanelReader<V, kType>::Act;
  constexpr int64_t kLeast = 24;  // columns, whole tiles at every level
  const int64_t row_bytes = (m.k + Act::kColumns - 1) / Act::kColumns * static_cast<int64_t>(sizeof(Act));
  const int64_t fit = kActivationBytes / row_bytes / kLeast * kLeast;
  const int64_t width = fit < kLeast ? kLeast : fit < kMostColumns ? fit : kMostColumns;
  for (int64_t c = 0; c < m.n_cols; c += width) {
    const int64_t end = c + width < m.n_cols ? c + width : m.n_cols;
    for (int64_t panel = m.panel_begin; panel < m.panel_end; ++panel) panel_tiles<V, kType>(m, panel, c, end);
  }
}

}  // namespace minnow::body
