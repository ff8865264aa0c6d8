// The backward pass of attention: for each tile of keys all tiles of queries that see it, with scores computed again.
// With p = e^(score - lse): dv += p^T dout, dp = dout v^T, ds = p (dp - out . dout), dq += ds k, dk += ds^T q.
// Whoever has a KV head has its dk, dv and the dq of its queries, and adds to each in the order of tiles.
#pragma once

#include "cpu/body/train_attention.h"

namespace minnow::body {

template <class V>
struct BackwardScratch {
  float *keys, *values, *key_columns;                       // of the tile of keys
  float *queries, *douts, *query_columns, *dout_columns;    // of the tile of queries
  float *scores, *gradients;                                // [kTile][kTile]
  float *weights_turned, *gradients_turned, *gradient_rows; // packed: sums over queries, and over keys
  float* delta;                                             // [kTile] out . dout

  BackwardScratch(float* memory, int64_t width) {
    ScratchFloats<V> m{memory};
    float** const wide[] = {&keys, &values, &key_columns, &queries, &douts, &query_columns, &dout_columns};
    float** const square[] = {&scores, &gradients, &weights_turned, &gradients_turned, &gradient_rows};
    for (float** piece : wide) *piece = m.take(width);
    for (float** piece : square) *piece = m.take(kTile);
    delta = m.take(1);
  }
};

template <class V>
inline float dot_rows(const float* a, const float* b, int64_t n) {
  auto sum = V::zero();
  for_vectors<V>(n, [&](int64_t i, int m) { sum = V::fma(load<V>(a + i, m), load<V>(b + i, m), sum); });
  return V::sum(sum);
}

// Scores to weights p, dp to ds; 0 where nothing is seen.
template <class V>
inline void gradient_row(const TrainAttention& t, float lse, float delta, float* s, float* dp, int64_t n) {
  for_vectors<V>(n, [&](int64_t i, int m) {
    auto x = V::mul(load<V>(s + i, m), V::set(t.scale));
    auto slope = V::set(t.scale);
    if (t.softcap > 0) {
      x = softcapped<V>(x, t.softcap);
      const auto u = V::mul(x, V::set(1 / t.softcap));
      slope = V::mul(slope, V::sub(V::set(1.0f), V::mul(u, u)));
    }
    const auto p = exp<V>(V::sub(x, V::set(lse)));
    store<V>(s + i, p, m);
    store<V>(dp + i, V::mul(V::mul(p, slope), V::sub(load<V>(dp + i, m), V::set(delta))), m);
  });
}

template <class V>
inline void gradient_tile(const PartRows<V>& rows, int g, int64_t first_query, const Visible<V>& v, const BackwardScratch<V>& s) {
  for (int64_t r = 0; r < v.n_queries; ++r) {
    float *score = s.scores + r * kTile, *gradient = s.gradients + r * kTile;
    float* const both[] = {score, gradient};
    for (float* row : both) {
      clear<V>(row, v.begin[r]);
      clear<V>(row + v.end[r], v.n_keys - v.end[r]);
    }
    gradient_row<V>(rows.t, rows.t.lse[rows.lse_at(g, first_query + r)], s.delta[r], score + v.begin[r],
                    gradient + v.begin[r], v.end[r] - v.begin[r]);
  }
}

// One tile of queries of one head with one tile of keys.
template <class U, class V = typename U::V>
void backward_tile(const PartRows<V>& rows, int g, int64_t first_query, int64_t first_key, const BackwardScratch<V>& s) {
  const TrainAttention& t = rows.t;
  const Visible<V> v = visible<V>(t, rows.part.count, first_query, first_key);
  if (v.none()) return;
  const int64_t d = t.head_dim, nq = v.n_queries, nk = v.n_keys, at = rows.q_at(g, first_query);
  const HeadRows q{t.q + at, rows.q_stride}, dout{t.dout + at, rows.q_stride};
  pack_left<U>(q, nq, d, true, s.queries);
  pack_left<U>(dout, nq, d, true, s.douts);
  pack_right<U>(q, d, nq, false, s.query_columns);
  pack_right<U>(dout, d, nq, false, s.dout_columns);
  for (int64_t r = 0; r < nq; ++r) s.delta[r] = dot_rows<V>(t.out + at + r * rows.q_stride, dout.x + r * dout.stride, d);

  score_tile<U>(s.queries, s.keys, d, v, s.scores);
  score_tile<U>(s.douts, s.values, d, v, s.gradients);
  gradient_tile<V>(rows, g, first_query, v, s);
  pack_left<U>({s.scores, kTile}, nk, nq, false, s.weights_turned);
  pack_left<U>({s.gradients, kTile}, nk, nq, false, s.gradients_turned);
  pack_left<U>({s.gradients, kTile}, nq, nk, true, s.gradient_rows);

  const auto queries = [&](int64_t c) { return queries_of<V>(v, c); };
  const int64_t kv = rows.kv_at(first_key);
  add_product<U>(s.weights_turned, s.dout_columns, nq, {t.dv + kv, rows.kv_stride, nk, d, true}, queries);
  add_product<U>(s.gradients_turned, s.query_columns, nq, {t.dk + kv, rows.kv_stride, nk, d, true}, queries);
  add_product<U>(s.gradient_rows, s.key_columns, nk, {t.dq + at, rows.q_stride, nq, d, true},
                 [&](int64_t r) { return keys_of<V>(v, r); });
}

template <class U>
void train_attention_backward(const TrainAttention& t, const AttentionPart& part, float* scratch) {
  using V = typename U::V;
  const PartRows<V> rows(t, part);
  const int64_t d = t.head_dim;
  const BackwardScratch<V> s(scratch, padded_width<V>(d));
  for (int64_t position = 0; position < part.count; ++position) {
    clear<V>(t.dk + rows.kv_at(position), d);
    clear<V>(t.dv + rows.kv_at(position), d);
    for (int g = 0; g < rows.group(); ++g) clear<V>(t.dq + rows.q_at(g, position), d);
  }
  for (int64_t key = 0; key < part.count; key += kTile) {
    const int64_t nk = part.count - key < kTile ? part.count - key : kTile;
    const HeadRows k{t.k + rows.kv_at(key), rows.kv_stride}, v{t.v + rows.kv_at(key), rows.kv_stride};
    pack_right<U>(k, nk, d, true, s.keys);
    pack_right<U>(v, nk, d, true, s.values);
    pack_right<U>(k, d, nk, false, s.key_columns);
    for (int g = 0; g < rows.group(); ++g) {
      for (int64_t query = t.causal ? key : 0; query < part.count; query += kTile) backward_tile<U>(rows, g, query, key, s);
    }
  }
}

}  // namespace minnow::body
