// Products with float weights as they lie in the file, the way through a matrix: which rows, columns and pieces of K
// meet when. What an output's bits are is row_tile.h's matter.
#pragma once

#include "cpu/body/elementwise.h"
#include "cpu/body/row_tile.h"

namespace minnow::body {

// So few columns that they stay in the first-level cache: row after row is one contiguous stream.
inline constexpr int64_t kStreamInputBytes = 32 << 10;

template <class V, class Source, int C = V::kTileColumns>
void stream_rows(const RowMatMul& m) {
  if constexpr (C > 1) {
    if (m.n_cols < C) return stream_rows<V, Source, C - 1>(m);
  }
  using T = typename Source::T;
  using Unit = typename Source::Unit;
  constexpr int64_t kPiece = kBlock<Unit>;
  const int64_t stride = Unit::row_stride(m.k);
  const T* w = static_cast<const T*>(m.w) + m.row_begin * m.k;
  for (int64_t r = m.row_begin; r < m.row_end; ++r, w += m.k) {
    for (int64_t at = 0; at < m.k; at += kPiece) {
      const int64_t n = m.k - at < kPiece ? m.k - at : kPiece;
      const auto* x = static_cast<const typename Unit::T*>(m.x) + at;
      const Ahead ahead{reinterpret_cast<const char*>(w + at) + kFetchAhead, 0, Unit::kStep * sizeof(T)};
      row_tile<V, Source, 1, C, true>({w + at, 0, x, stride, n, m.y + r, m.y_stride, at == 0}, ahead);
    }
  }
}

// Rows [begin, end) and columns [at, at + n) of a weight matrix: what meets all columns of the input before the next.
struct Piece {
  int64_t begin, end, at, n;
};

// The pieces of `rows` rows and at most kBlock columns in the order that they are multiplied.
template <class Unit>
struct Pieces {
  const RowMatMul& m;
  int64_t rows;

  Piece first() const { return cut(m.row_begin, 0); }
  Piece after(const Piece& p) const { return p.at + p.n < m.k ? cut(p.begin, p.at + p.n) : cut(p.end, 0); }
  bool is_end(const Piece& p) const { return p.begin == m.row_end; }

 private:
  Piece cut(int64_t begin, int64_t at) const {
    const int64_t end = m.row_end - begin < rows ? m.row_end : begin + rows;
    return {begin, end, at, m.k - at < kBlock<Unit> ? m.k - at : kBlock<Unit>};
  }
};

// `rows` rows and C columns.
template <class V, class Source, int C, bool kFetch>
inline void tile_rows(RowTile<Source> t, int64_t rows, Ahead ahead) {
  constexpr int kRows = V::kTileRows;
  int64_t r = 0;
  for (; r + kRows <= rows; r += kRows) {
    row_tile<V, Source, kRows, C, kFetch>(t, ahead);
    t.w += kRows * t.w_stride;
    t.y += kRows;
    ahead.p += kRows * ahead.stride;
  }
  for (; r < rows; ++r) {
    row_tile<V, Source, 1, C, false>(t, ahead);
    t.w += t.w_stride;
    ++t.y;
  }
}

// The same for a number of columns known at run time: 1 <= columns <= C.
template <class V, class Source, bool kFetch, int C = V::kTileColumns>
inline void tile_columns(const RowTile<Source>& t, int64_t rows, int64_t columns, const Ahead& ahead) {
  if constexpr (C > 0) {
    if (columns == C) return tile_rows<V, Source, C, kFetch>(t, rows, ahead);
    tile_columns<V, Source, kFetch, C - 1>(t, rows, columns, ahead);
  }
}

// All columns of the input meet a piece whose weights lie at w. The first groups of columns share the work of fetching
// the next piece, which then comes while this one is multiplied.
inline constexpr int64_t kFetchingGroups = 4;

template <class V, class Source, class Stored>
void multiply_piece(const RowMatMul& m, const Piece& piece, const typename Source::T* w, int64_t w_stride,
                    const typename Stored::T* next) {
  using Unit = typename Source::Unit;
  const int64_t stride = Unit::row_stride(m.k), rows = piece.end - piece.begin;
  const int64_t groups = (m.n_cols + V::kTileColumns - 1) / V::kTileColumns;
  const int64_t fetching = next == nullptr ? 0 : groups < kFetchingGroups ? groups : kFetchingGroups;
  constexpr auto kBytes = static_cast<int64_t>(sizeof(typename Stored::T));
  for (int64_t g = 0; g < groups; ++g) {
    const int64_t c = m.n_cols * g / groups, columns = m.n_cols * (g + 1) / groups - c;
    const auto* x = static_cast<const typename Unit::T*>(m.x) + c * stride + piece.at;
    const RowTile<Source> tile{w, w_stride, x, stride, piece.n, m.y + c * m.y_stride + piece.begin, m.y_stride, piece.at == 0};
    if (g < fetching) {
      const Ahead ahead{reinterpret_cast<const char*>(next + piece.n * g / fetching), m.k * kBytes, Unit::kStep * kBytes / fetching};
      tile_columns<V, Source, true>(tile, rows, columns, ahead);
    } else {
      tile_columns<V, Source, false>(tile, rows, columns, {});
    }
  }
}

// Few columns: tiles read the weights where they lie.
template <class V, class Source>
void few_columns(const RowMatMul& m) {
  const auto* w = static_cast<const typename Source::T*>(m.w);
  const Pieces<typename Source::Unit> pieces{m, V::kTileRows};
  for (Piece p = pieces.first(); !pieces.is_end(p);) {
    const Piece next = pieces.after(p);
    multiply_piece<V, Source, Source>(m, p, w + p.begin * m.k + p.at, m.k, pieces.is_end(next) ? nullptr : w + next.begin * m.k + next.at);
    p = next;
  }
}

// Many columns: a piece is brought into the form that the tiles multiply, once for all columns. It stays in the
// second-level cache while groups of columns, which stay in the first-level one, pass by.
inline constexpr int64_t kBlockRows = 64;

template <class Source>
void fill(typename Source::Unit::T* out, int64_t out_stride, const typename Source::T* w, int64_t w_stride, int64_t rows, int64_t n) {
  using Unit = typename Source::Unit;
  for (int64_t r = 0; r < rows; ++r, w += w_stride, out += out_stride) {
    int64_t i = 0;
    for (; i + Unit::kStep <= n; i += Unit::kStep) {
      const auto v = Source::load(w + i);
      __builtin_memcpy(out + i, &v, sizeof(v));
    }
    if (i < n) {
      const auto v = load_part<Source>(w + i, static_cast<int>(n - i));
      __builtin_memcpy(out + i, &v, sizeof(v));
    }
  }
}

template <class V, class Source>
void many_columns(const RowMatMul& m) {
  using Unit = typename Source::Unit;
  const auto* w = static_cast<const typename Source::T*>(m.w);
  alignas(64) typename Unit::T block[kBlockRows * kBlock<Unit>];
  const Pieces<Unit> pieces{m, kBlockRows};
  for (Piece p = pieces.first(); !pieces.is_end(p);) {
    const Piece next = pieces.after(p);
    const int64_t stride = (p.n + Unit::kStep - 1) / Unit::kStep * Unit::kStep;
    fill<Source>(block, stride, w + p.begin * m.k + p.at, m.k, p.end - p.begin, p.n);
    multiply_piece<V, AsStored<Unit>, Source>(m, p, block, stride, pieces.is_end(next) ? nullptr : w + next.begin * m.k + next.at);
    p = next;
  }
}

inline constexpr int64_t kManyColumns = 17;

template <class V, class Source>
void row_matmul(const RowMatMul& m) {
  const int64_t input_bytes = m.n_cols * m.k * static_cast<int64_t>(sizeof(typename Source::Unit::T));
  const bool stays = m.n_cols <= V::kTileColumns && input_bytes <= kStreamInputBytes;
  if (m.n_cols == 1 || stays) return stream_rows<V, Source>(m);
  if (m.n_cols < kManyColumns) return few_columns<V, Source>(m);
  many_columns<V, Source>(m);
}

// x of k values to bf16, rounded to nearest even, with zeros up to bf16_row(k).
template <class V>
void round_bf16(const float* x, uint16_t* y, int64_t k) {
  for (int64_t i = 0; i < k; i += 2 * V::kLanes) {
    const int64_t left = k - i;
    const auto part = [&](int64_t from) {
      const int64_t n = left - from;
      return n >= V::kLanes ? V::load(x + i + from) : V::load_n(x + i + from, n > 0 ? static_cast<int>(n) : 0);
    };
    const auto pairs = V::to_bf16(part(0), part(V::kLanes));
    __builtin_memcpy(y + i, &pairs, sizeof(pairs));
  }
}

}  // namespace minnow::body
