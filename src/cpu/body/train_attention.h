// Attention for training, over contiguous rows: tiles of queries by keys whose scores never leave the cache
// (FlashAttention 2, Dao 2023). Products go through the panels and tiles of dense_tile.h. Tiles begin at multiples of
// kAttentionTile from a document's first row, so results do not depend on what else is in the batch.
#pragma once

#include "cpu/body/cross_entropy.h"
#include "cpu/body/dense_tile.h"

namespace minnow::body {

inline constexpr int64_t kTile = kAttentionTile;

// A division of a call's scratch memory: pieces of kTile rows, or columns, of so many floats. (Where V is not used, as
// here, it keeps the copies of different instruction sets apart: README.md.)
template <class V>
struct ScratchFloats {
  float* next;
  float* take(int64_t width) {
    float* piece = next;
    next += kTile * width;
    return piece;
  }
};

template <class V>
constexpr int64_t padded_width(int64_t head_dim) {
  static_assert(kTile % V::kDenseRows == 0 && kTile % kDenseColumns<V> == 0);
  static_assert(train_attention_floats(2, 2, 33) == kTile * (2 * 96 + 2 + 8 * 96 + 6 * kTile) + 1024, "multiples of 96");
  return (head_dim + kTile - 1) / kTile * kTile;
}

// Rows of one head: queries, keys, values or what belongs to them.
struct HeadRows {
  const float* x;
  int64_t stride;
};

// Panels of n rows (the sum goes along them) or of n columns of k rows, at most kTile.
template <class U>
inline void pack_left(HeadRows t, int64_t n, int64_t k, bool along, float* panels) {
  constexpr int64_t kM = U::V::kDenseRows;
  pack_panels<U, kM>({t.x, t.stride, n, k, along, panels, 0, (n + kM - 1) / kM});
}
template <class U>
inline void pack_right(HeadRows t, int64_t n, int64_t k, bool along, float* panels) {
  constexpr int64_t kN = kDenseColumns<typename U::V>;
  pack_panels<U, kN>({t.x, t.stride, n, k, along, panels, 0, (n + kN - 1) / kN});
}

// What the queries of a tile see of a tile of keys: slots begin[r] .. end[r] - 1, neither of which ever falls.
template <class V>
struct Visible {
  int16_t begin[kTile], end[kTile];
  int64_t n_queries, n_keys;

  bool none() const {
    for (int64_t r = 0; r < n_queries; ++r) {
      if (begin[r] < end[r]) return false;
    }
    return true;
  }
};
// Positions from .. to - 1.
struct Stretch {
  int64_t from, to;
};
// The positions that a query sees.
template <class V>
inline Stretch seen_by(const TrainAttention& t, int64_t count, int64_t position) {
  const int64_t reach = t.causal ? t.window - 1 : t.window / 2;
  const int64_t from = t.window > 0 && position > reach ? position - reach : 0;
  if (t.causal) return {from, position + 1};
  return {from, t.window > 0 && position + reach + 1 < count ? position + reach + 1 : count};
}
template <class V>
inline Visible<V> visible(const TrainAttention& t, int64_t count, int64_t first_query, int64_t first_key) {
  Visible<V> v;
  v.n_queries = count - first_query < kTile ? count - first_query : kTile;
  v.n_keys = count - first_key < kTile ? count - first_key : kTile;
  for (int64_t r = 0; r < v.n_queries; ++r) {
    const Stretch seen = seen_by<V>(t, count, first_query + r);
    const int64_t from = seen.from - first_key, to = seen.to - first_key;
    v.end[r] = static_cast<int16_t>(to < 0 ? 0 : to > v.n_keys ? v.n_keys : to);
    v.begin[r] = static_cast<int16_t>(from < 0 ? 0 : from > v.end[r] ? v.end[r] : from);
  }
  return v;
}
// Keys that any of rows r .. r + kM - 1 sees.
template <class V>
inline Stretch keys_of(const Visible<V>& v, int64_t r) {
  const int64_t last = r + V::kDenseRows < v.n_queries ? r + V::kDenseRows - 1 : v.n_queries - 1;
  Stretch keys{v.n_keys, 0};
  for (int64_t i = r; i <= last; ++i) {
    if (v.begin[i] == v.end[i]) continue;
    keys.from = v.begin[i] < keys.from ? v.begin[i] : keys.from;
    keys.to = v.end[i];
  }
  return keys;
}
// Queries that see any of keys c .. c + kM - 1.
template <class V>
inline Stretch queries_of(const Visible<V>& v, int64_t c) {
  int64_t from = 0, to = v.n_queries;
  while (from < v.n_queries && v.end[from] <= c) ++from;
  while (to > from && v.begin[to - 1] >= c + V::kDenseRows) --to;
  return {from, to};
}

// c[query][key] = left row . right row, over k numbers, where any query of a panel sees a key of a panel.
template <class U, class V = typename U::V>
inline void score_tile(const float* left, const float* right, int64_t k, const Visible<V>& v, float* c) {
  constexpr int64_t kM = V::kDenseRows, kN = kDenseColumns<V>;
  const int64_t units = units_of<U>(k);
  for (int64_t r = 0; r < v.n_queries; r += kM) {
    const Stretch keys = keys_of<V>(v, r);
    for (int64_t j = keys.from / kN * kN; j < keys.to; j += kN) {
      dense_tile<U>(left + r * units, right + j * units, units, {c + r * kTile + j, kTile, v.n_queries - r, v.n_keys - j, false});
    }
  }
}

// out (rows of a head) += left right, where the sum runs over k positions, for each panel of left over those that `over`
// gives for its first line.
template <class U, class Over>
inline void add_product(const float* left, const float* right, int64_t k, const TileOutput& out, Over over) {
  using V = typename U::V;
  constexpr int64_t kM = V::kDenseRows, kN = kDenseColumns<V>;
  const int64_t units = units_of<U>(k);
  for (int64_t r = 0; r < out.rows; r += kM) {
    const Stretch s = over(r);
    if (s.from >= s.to) continue;
    const int64_t from = s.from / U::kNumbers, many = units_of<U>(s.to) - from;
    for (int64_t j = 0; j < out.columns; j += kN) {
      const TileOutput tile{out.c + r * out.stride + j, out.stride, out.rows - r, out.columns - j, out.add};
      dense_tile<U>(left + r * units + from * kM, right + j * units + from * kN, many, tile);
    }
  }
}

// The rows of a part.
template <class V>
struct PartRows {
  int64_t q_stride, kv_stride;  // floats from position to position
  const TrainAttention& t;
  const AttentionPart& part;

  PartRows(const TrainAttention& attention, const AttentionPart& p)
      : q_stride(int64_t{attention.n_heads} * attention.head_dim),
        kv_stride(int64_t{attention.n_kv_heads} * attention.head_dim),
        t(attention),
        part(p) {}
  int group() const { return t.n_heads / t.n_kv_heads; }
  int head(int g) const { return part.kv_head * group() + g; }
  int64_t q_at(int g, int64_t position) const { return (part.first + position) * q_stride + int64_t{head(g)} * t.head_dim; }
  int64_t kv_at(int64_t position) const { return (part.first + position) * kv_stride + int64_t{part.kv_head} * t.head_dim; }
  int64_t lse_at(int g, int64_t position) const { return (part.first + position) * t.n_heads + head(g); }
};

// What the queries of a tile have found so far.
struct QueryState {
  float* panels;   // queries, packed
  float* out;      // [kTile][width]
  float* maximum;  // [kTile]
  float* sum;      // [kTile]
};

// Turns a row of scores into weights relative to the largest score so far; gives what the sums before shrink by.
template <class V>
inline float weigh_row(const TrainAttention& t, float* row, int begin, int end, float* maximum, float* sum) {
  float* s = row + begin;
  for_vectors<V>(end - begin, [&](int64_t i, int m) {
    const auto x = V::mul(load<V>(s + i, m), V::set(t.scale));
    store<V>(s + i, t.softcap > 0 ? softcapped<V>(x, t.softcap) : x, m);
  });
  const float here = largest_of<V>(s, end - begin), top = here > *maximum ? here : *maximum;
  const float keep = top == *maximum ? 1.0f : V::max_lane(exp<V>(V::set(*maximum - top)));
  auto total = V::zero();
  for_vectors<V>(end - begin, [&](int64_t i, int m) {
    const auto e = exp<V>(V::sub(load_filled<V>(s + i, m, -__builtin_inff()), V::set(top)));
    total = V::add(total, e);
    store<V>(s + i, e, m);
  });
  *sum = *sum * keep + V::sum(total);
  *maximum = top;
  return keep;
}

template <class V>
inline void clear(float* x, int64_t n) {
  for (int64_t i = 0; i < n; ++i) x[i] = 0;
}

// The scores of a tile become weights, and what was found before shrinks.
template <class V>
inline void weigh_tile(const TrainAttention& t, const Visible<V>& v, float* scores, int64_t width, const QueryState& q) {
  for (int64_t r = 0; r < v.n_queries; ++r) {
    float* row = scores + r * kTile;
    clear<V>(row, v.begin[r]);
    clear<V>(row + v.end[r], v.n_keys - v.end[r]);
    if (v.begin[r] == v.end[r]) continue;
    const float keep = weigh_row<V>(t, row, v.begin[r], v.end[r], q.maximum + r, q.sum + r);
    if (keep != 1) scale<V>(q.out + r * width, keep, q.out + r * width, width);
  }
}

template <class U>
void train_attention_forward(const TrainAttention& t, const AttentionPart& part, int64_t block, float* scratch) {
  using V = typename U::V;
  const PartRows<V> rows(t, part);
  const int64_t first_query = block * kTile;
  const int64_t d = t.head_dim, width = padded_width<V>(d);
  ScratchFloats<V> memory{scratch};
  float *keys = memory.take(width), *values = memory.take(width), *scores = memory.take(kTile), *weights = memory.take(kTile);
  const auto state_of = [&, first = memory.next](int g) {
    ScratchFloats<V> piece{first + g * kTile * (2 * width + 2)};
    return QueryState{piece.take(width), piece.take(width), piece.take(1), piece.take(1)};
  };
  const int64_t n = part.count - first_query < kTile ? part.count - first_query : kTile;
  for (int g = 0; g < rows.group(); ++g) {
    const QueryState q = state_of(g);
    pack_left<U>({t.q + rows.q_at(g, first_query), rows.q_stride}, n, d, true, q.panels);
    clear<V>(q.out, n * width);
    clear<V>(q.sum, n);
    for (int64_t r = 0; r < n; ++r) q.maximum[r] = -__builtin_inff();
  }
  const Stretch seen{seen_by<V>(t, part.count, first_query).from, seen_by<V>(t, part.count, first_query + n - 1).to};
  for (int64_t first_key = seen.from / kTile * kTile; first_key < seen.to; first_key += kTile) {
    const Visible<V> v = visible<V>(t, part.count, first_query, first_key);
    pack_right<U>({t.k + rows.kv_at(first_key), rows.kv_stride}, v.n_keys, d, true, keys);
    pack_right<U>({t.v + rows.kv_at(first_key), rows.kv_stride}, d, v.n_keys, false, values);
    for (int g = 0; g < rows.group(); ++g) {
      const QueryState q = state_of(g);
      score_tile<U>(q.panels, keys, d, v, scores);
      weigh_tile<V>(t, v, scores, width, q);
      pack_left<U>({scores, kTile}, n, v.n_keys, true, weights);
      add_product<U>(weights, values, v.n_keys, {q.out, width, n, d, true}, [&](int64_t r) { return keys_of<V>(v, r); });
    }
  }
  for (int g = 0; g < rows.group(); ++g) {
    const QueryState q = state_of(g);
    for (int64_t r = 0; r < n; ++r) {
      scale<V>(q.out + r * width, 1 / q.sum[r], t.out + rows.q_at(g, first_query + r), d);
      t.lse[rows.lse_at(g, first_query + r)] = q.maximum[r] + static_cast<float>(__builtin_log(static_cast<double>(q.sum[r])));
    }
  }
}

}  // namespace minnow::body
