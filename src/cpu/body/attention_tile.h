// The three inner loops of attention, for M queries that share a page: scores, weights of positions, sums of values.
// Each query has its own accumulators and one order of summation, however many go together.
#pragma once

#include "cpu/body/pairs.h"

namespace minnow::body {

// Rows of queries, of which the first n_pairs pairs count.
template <class A>
struct QueryRows {
  const typename A::Number* numbers;
  int64_t stride, n_pairs;
};

// scores[m][j] = q[m] . k[j] for all positions of a page. Keys: [n_pairs][kKvPage][2].
template <class A, int M, class Keys>
inline __attribute__((always_inline)) void page_scores(QueryRows<A> q, Keys keys, float* scores) {
  using V = typename A::V;
  constexpr int kN = A::kUnits;
  for (int j = 0; j < kKvPage; j += kN * V::kLanes) {
    typename A::Acc acc[M][kN];
#pragma GCC unroll 8
    for (int m = 0; m < M; ++m)
#pragma GCC unroll 8
      for (int v = 0; v < kN; ++v) acc[m][v] = A::zero();
    for (int64_t d = 0; d < q.n_pairs; ++d) {
      typename A::Unit k[kN];
#pragma GCC unroll 8
      for (int v = 0; v < kN; ++v) k[v] = keys.load((d * kKvPage + j + v * V::kLanes) * 2);
#pragma GCC unroll 8
      for (int m = 0; m < M; ++m) {
        const auto pair = A::pair(q.numbers + m * q.stride + 2 * d);
#pragma GCC unroll 8
        for (int v = 0; v < kN; ++v) acc[m][v] = A::dot(acc[m][v], k[v], pair);
      }
    }
#pragma GCC unroll 8
    for (int m = 0; m < M; ++m)
#pragma GCC unroll 8
      for (int v = 0; v < kN; ++v) V::store(scores + m * kKvPage + j + v * V::kLanes, A::finish(acc[m][v]));
  }
}

// What a query's scores are multiplied with and capped to (0: not capped).
struct Scoring {
  float scale, softcap;
};

// One query's running softmax over the pages of a segment.
template <class V>
struct RunningSoftmax {
  float maximum;
  float keep;            // by which the sums of the pages before shrink
  float sum[V::kLanes];  // lane by lane
};

template <class A>
inline void finish_scores(float* s, Scoring scoring, int lo, int hi) {
  using V = typename A::V;
  if (!A::kBase2 || scoring.softcap > 0) {
    for (int j = 0; j < kKvPage; j += V::kLanes) {
      auto v = V::load(s + j);
      if (!A::kBase2) v = V::mul(v, V::set(scoring.scale));
      if (scoring.softcap > 0) v = softcapped<V>(v, scoring.softcap);
      if (A::kBase2) v = V::mul(v, V::set(kLog2E));
      V::store(s + j, v);
    }
  }
  for (int j = 0; j < lo; ++j) s[j] = -__builtin_inff();
  for (int j = hi; j < kKvPage; ++j) s[j] = -__builtin_inff();
}

// Turns the scores of one query on one page, of which it sees slots lo .. hi - 1, into weights relative to the largest
// score so far.
template <class A>
inline void page_weights(float* s, Scoring scoring, int lo, int hi, RunningSoftmax<typename A::V>* state,
                         typename A::Number* weights) {
  using V = typename A::V;
  finish_scores<A>(s, scoring, lo, hi);
  auto largest = V::load(s);
  for (int j = V::kLanes; j < kKvPage; j += V::kLanes) largest = V::max(largest, V::load(s + j));
  state->keep = 1;
  if (V::any_less(V::set(state->maximum), largest)) {
    const float next = V::max_lane(largest);
    state->keep = state->maximum == -__builtin_inff() ? 0.0f : A::factor(state->maximum - next);
    state->maximum = next;
  }
  // Nothing visible so far: any finite number gives weights of 0.
  const auto top = V::set(state->maximum == -__builtin_inff() ? 0.0f : state->maximum);
  auto sum = V::mul(V::load(state->sum), V::set(state->keep));
  for (int j = 0; j < kKvPage; j += A::kUnit) {
    const auto unit = A::unit(A::weight(V::sub(V::load(s + j), top)), A::weight(V::sub(V::load(s + j + V::kLanes), top)));
    A::store(weights + j, unit);
    sum = V::add(sum, A::sum_of(unit));
  }
  V::store(state->sum, sum);
}

// What page_values works on.
template <class A>
struct WeighedValues {
  const typename A::Number* weights;              // [M][kKvPage]
  const RunningSoftmax<typename A::V>* softmax;   // [M]
  int64_t row_pairs;                              // pairs of a row of values: one for each feature, and padding
  int begin, end;                                 // pairs of positions
  float* sums;                                    // [M] rows of row_pairs / kLanes accumulators
};

// sums[m] = sums[m] * keep[m] + weights[m] . values, for N units of features.
template <class A, int M, int N, class Values>
inline __attribute__((always_inline)) void unit_values(const WeighedValues<A>& t, Values values, int64_t unit) {
  using V = typename A::V;
  const int64_t row_floats = t.row_pairs / V::kLanes * A::kAcc;
  typename A::Acc acc[M][N];
#pragma GCC unroll 8
  for (int m = 0; m < M; ++m) {
    const auto keep = V::set(t.softmax[m].keep);
#pragma GCC unroll 8
    for (int v = 0; v < N; ++v) {
      acc[m][v] = A::shrink(A::load_acc(t.sums + m * row_floats + (unit + v) * A::kAcc), keep);
    }
  }
  for (int j = t.begin; j < t.end; ++j) {
    typename A::Unit x[N];
#pragma GCC unroll 8
    for (int v = 0; v < N; ++v) x[v] = values.load((j * t.row_pairs + (unit + v) * V::kLanes) * 2);
#pragma GCC unroll 8
    for (int m = 0; m < M; ++m) {
      const auto pair = A::pair(t.weights + m * kKvPage + 2 * j);
#pragma GCC unroll 8
      for (int v = 0; v < N; ++v) acc[m][v] = A::dot(acc[m][v], x[v], pair);
    }
  }
#pragma GCC unroll 8
  for (int m = 0; m < M; ++m)
#pragma GCC unroll 8
    for (int v = 0; v < N; ++v) A::store_acc(t.sums + m * row_floats + (unit + v) * A::kAcc, acc[m][v]);
}

template <class A, int M, class Values>
inline void page_values(const WeighedValues<A>& t, Values values) {
  const int64_t units = t.row_pairs / A::V::kLanes;
  int64_t unit = 0;
  if constexpr (M <= 2) {  // the memory's speed counts: as long a stretch at once as there are registers
    constexpr int kWide = 2 * A::kUnits;
    for (; unit + kWide <= units; unit += kWide) unit_values<A, M, kWide>(t, values, unit);
  }
  for (; unit + A::kUnits <= units; unit += A::kUnits) unit_values<A, M, A::kUnits>(t, values, unit);
  for (; unit < units; ++unit) unit_values<A, M, 1>(t, values, unit);
}

}  // namespace minnow::body
