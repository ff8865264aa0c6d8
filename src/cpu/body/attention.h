// Attention over a paged KV cache, page by page with a running softmax (Milakov and Gimelshein 2018; FlashAttention).
// Pages and segments begin at multiples of their size in every sequence, and each segment's result is folded into that
// of those before, so a query's result does not depend on how the prompt was cut into chunks, on what else is in the
// batch, or on who computed which segment.
#pragma once

#include "cpu/body/attention_page.h"
#include "cpu/body/attention_tile.h"

namespace minnow::body {

inline constexpr int kMaximumAt = 0, kSumAt = 1, kOutAt = 16;  // in a row of partial results

// Where a call keeps what: a division of its scratch memory.
template <class A>
struct Scratch {
  using V = typename A::V;
  int64_t q_stride, row_pairs, partial_floats;
  typename A::Number *q, *keys, *values, *weights;
  float *scores, *sums, *partial, *total;
  RunningSoftmax<V>* softmax;

  Scratch(float* memory, int64_t head_dim)
      : q_stride((head_dim + A::kUnit - 1) / A::kUnit * A::kUnit),
        row_pairs((head_dim + V::kLanes - 1) / V::kLanes * V::kLanes),
        partial_floats((head_dim + 15) / 16 * 16 + kOutAt) {
    static_assert(attention_partial_floats(33) == 48 + kOutAt, "said again here: no function is shared (README.md)");
    auto address = reinterpret_cast<uintptr_t>(memory);
    const auto take = [&](int64_t bytes) {
      const uintptr_t at = (address + 63) / 64 * 64;
      address = at + static_cast<uintptr_t>(bytes);
      return at;
    };
    constexpr int64_t kRows = kAttentionRows, kNumber = sizeof(typename A::Number), kFloat = sizeof(float);
    q = reinterpret_cast<typename A::Number*>(take(kRows * q_stride * kNumber));
    keys = reinterpret_cast<typename A::Number*>(take((head_dim + 1) / 2 * 2 * kKvPage * kNumber));
    values = reinterpret_cast<typename A::Number*>(take(row_pairs * kKvPage * kNumber));
    weights = reinterpret_cast<typename A::Number*>(take(kRows * kKvPage * kNumber));
    scores = reinterpret_cast<float*>(take(V::kScoreRows * kKvPage * kFloat));
    sums = reinterpret_cast<float*>(take(kRows * row_pairs / V::kLanes * A::kAcc * kFloat));
    partial = reinterpret_cast<float*>(take(kRows * partial_floats * kFloat));
    total = reinterpret_cast<float*>(take(kRows * partial_floats * kFloat));
    softmax = reinterpret_cast<RunningSoftmax<V>*>(take(kRows * static_cast<int64_t>(sizeof(RunningSoftmax<V>))));
  }
};

template <int kN>
struct Rows {
  static constexpr int kCount = kN;
};
// Calls f(first row, Rows<number of rows>) for n rows, V::kScoreRows at a time.
template <class V, class F>
inline void for_row_blocks(int n, F f) {
  static_assert(V::kScoreRows <= 4);
  int m = 0;
  for (; m + V::kScoreRows <= n; m += V::kScoreRows) f(m, Rows<V::kScoreRows>{});
  if (n - m == 3) f(m, Rows<3>{});
  if (n - m == 2) f(m, Rows<2>{});
  if (n - m == 1) f(m, Rows<1>{});
}

template <class A>
void pack_queries(const AttentionTask& t, const Scratch<A>& s) {
  using V = typename A::V;
  const float factor = !A::kBase2 ? 1.0f : t.softcap > 0 ? t.scale : t.scale * kLog2E;
  for (int m = 0; m < t.n_q; ++m) {
    for (int64_t d = 0; d < t.head_dim; d += A::kUnit) {
      float padded[A::kUnit] = {};
      const int64_t n = t.head_dim - d < A::kUnit ? t.head_dim - d : A::kUnit;
      for (int64_t i = 0; i < n; ++i) padded[i] = t.q[m][d + i] * factor;
      A::store(s.q + m * s.q_stride + d, A::unit(V::load(padded), V::load(padded + V::kLanes)));
    }
  }
}

// A page that some of the queries see: slots lo .. hi - 1 of it.
struct VisiblePage {
  const char *keys, *values;
  int64_t begin;  // its first position
  int lo, hi;
  int64_t ahead;  // how far the page after it lies
};

template <class V>
constexpr int slot_of(int64_t position, int64_t page_begin) {
  const int64_t slot = position - page_begin;
  return static_cast<int>(slot < 0 ? 0 : slot > kKvPage ? kKvPage : slot);
}

template <class A, class Cache>
void weigh_page(const AttentionTask& t, const Scratch<A>& s, const VisiblePage& page) {
  using V = typename A::V;
  const bool convert = Cache::kScaled || (!kNative<A, Cache> && t.n_q > V::kScoreRows);
  if (convert) convert_keys<A, Cache>(page.keys, t.head_dim, page.ahead, s.keys);
  const auto* stored = reinterpret_cast<const typename Cache::T*>(page.keys);
  for_row_blocks<V>(t.n_q, [&](int first, auto rows) {
    constexpr int kM = decltype(rows)::kCount;
    const QueryRows<A> q{s.q + first * s.q_stride, s.q_stride, (t.head_dim + 1) / 2};
    if (convert) {
      page_scores<A, kM>(q, PackedUnits<A>{s.keys}, s.scores);
    } else if constexpr (!Cache::kScaled) {
      if (first == 0) {
        page_scores<A, kM>(q, PageUnits<A, Cache, true>{stored, page.ahead}, s.scores);
      } else {
        page_scores<A, kM>(q, PageUnits<A, Cache, false>{stored, 0}, s.scores);
      }
    }
    for (int m = 0; m < kM; ++m) {
      page_weights<A>(s.scores + m * kKvPage, {t.scale, t.softcap}, slot_of<V>(t.begin[first + m], page.begin),
                      slot_of<V>(t.end[first + m], page.begin), s.softmax + first + m, s.weights + (first + m) * kKvPage);
    }
  });
}

template <class A, class Cache>
void add_values(const AttentionTask& t, const Scratch<A>& s, const VisiblePage& page) {
  using V = typename A::V;
  // A pair with one slot that nobody sees, and padding, are made by conversion.
  const bool convert = Cache::kScaled || (!kNative<A, Cache> && t.n_q > V::kScoreRows) || s.row_pairs != t.head_dim ||
                       page.lo % 2 != 0 || page.hi % 2 != 0;
  if (convert) {
    convert_values<A, Cache>(page.values, {t.head_dim, s.row_pairs, page.lo, page.hi}, page.ahead, s.values);
  }
  const auto* stored = reinterpret_cast<const typename Cache::T*>(page.values);
  for_row_blocks<V>(t.n_q, [&](int first, auto rows) {
    constexpr int kM = decltype(rows)::kCount;
    const WeighedValues<A> w{s.weights + first * kKvPage, s.softmax + first, s.row_pairs, page.lo / 2,
                             (page.hi + 1) / 2, s.sums + first * (s.row_pairs / V::kLanes) * A::kAcc};
    if (convert) {
      page_values<A, kM>(w, PackedUnits<A>{s.values});
    } else if constexpr (!Cache::kScaled) {
      if (first == 0) {
        page_values<A, kM>(w, PageUnits<A, Cache, true>{stored, page.ahead});
      } else {
        page_values<A, kM>(w, PageUnits<A, Cache, false>{stored, 0});
      }
    }
  });
}

// The positions that any of the queries sees.
struct Reach {
  int64_t begin, end;
};
template <class V>
constexpr Reach reach_of(const AttentionTask& t) {
  Reach r{t.begin[0], t.end[0]};
  for (int m = 1; m < t.n_q; ++m) {
    r.begin = t.begin[m] < r.begin ? t.begin[m] : r.begin;
    r.end = t.end[m] > r.end ? t.end[m] : r.end;
  }
  return r;
}

// The queries' results of one segment, to rows of partial results.
template <class A, class Cache>
void compute_segment(const AttentionTask& t, const Scratch<A>& s, int64_t segment, float* partial) {
  using V = typename A::V;
  const Reach reach = reach_of<V>(t);
  const int64_t from = segment * kKvSegment > reach.begin ? segment * kKvSegment : reach.begin;
  const int64_t to = (segment + 1) * kKvSegment < reach.end ? (segment + 1) * kKvSegment : reach.end;
  const int64_t units = s.row_pairs / V::kLanes;
  for (int64_t i = 0; i < t.n_q * units * A::kAcc; ++i) s.sums[i] = 0;
  for (int m = 0; m < t.n_q; ++m) s.softmax[m] = {-__builtin_inff(), 1, {}};

  for (int64_t page = from / kKvPage; page * kKvPage < to; ++page) {
    const int64_t at = t.pages[page] * t.page_stride;
    const int64_t next = (page + 1) * kKvPage < reach.end ? t.pages[page + 1] * t.page_stride : at;
    const VisiblePage visible{t.k_base + at, t.v_base + at, page * kKvPage,
                              slot_of<V>(from, page * kKvPage), slot_of<V>(to, page * kKvPage), next - at};
    weigh_page<A, Cache>(t, s, visible);
    add_values<A, Cache>(t, s, visible);
  }
  for (int m = 0; m < t.n_q; ++m) {
    float* row = partial + m * s.partial_floats;
    row[kMaximumAt] = s.softmax[m].maximum;
    row[kSumAt] = V::sum(V::load(s.softmax[m].sum));
    for (int64_t u = 0; u < units; ++u) {
      V::store(row + kOutAt + u * V::kLanes, A::finish(A::load_acc(s.sums + (m * units + u) * A::kAcc)));
    }
  }
}

// Folds a segment's results into those of the segments before it.
template <class A>
void fold_segment(const AttentionTask& t, const Scratch<A>& s, const float* partial) {
  using V = typename A::V;
  for (int m = 0; m < t.n_q; ++m) {
    const float* part = partial + m * s.partial_floats;
    float* total = s.total + m * s.partial_floats;
    if (part[kSumAt] == 0) continue;  // saw nothing here
    const float top = part[kMaximumAt] > total[kMaximumAt] ? part[kMaximumAt] : total[kMaximumAt];
    const float keep = total[kSumAt] == 0 ? 0.0f : A::factor(total[kMaximumAt] - top);
    const float join = A::factor(part[kMaximumAt] - top);
    total[kMaximumAt] = top;
    total[kSumAt] = total[kSumAt] * keep + part[kSumAt] * join;
    for (int64_t d = kOutAt; d < kOutAt + s.row_pairs; d += V::kLanes) {
      V::store(total + d, V::fma(V::load(part + d), V::set(join), V::mul(V::load(total + d), V::set(keep))));
    }
  }
}

template <class A>
void clear_total(const AttentionTask& t, const Scratch<A>& s) {
  for (int m = 0; m < t.n_q; ++m) {
    float* total = s.total + m * s.partial_floats;
    for (int64_t d = 0; d < kOutAt + s.row_pairs; ++d) total[d] = 0;
    total[kMaximumAt] = -__builtin_inff();
  }
}

template <class A>
void write_total(const AttentionTask& t, const Scratch<A>& s) {
  for (int m = 0; m < t.n_q; ++m) {
    const float* total = s.total + m * s.partial_floats;
    scale<typename A::V>(total + kOutAt, 1.0f / total[kSumAt], t.out[m], t.head_dim);
  }
}

// The fastest products.
template <class V, bool = V::kBf16Dot>
struct FastPairs {
  using Type = PairsF32<V>;
};
template <class V>
struct FastPairs<V, true> {
  using Type = PairsBf16<V>;
};

template <class Arithmetic, class CacheType>
struct Way {
  using A = Arithmetic;
  using Cache = CacheType;
};
// Calls f(Way) with how keys and values of a type are multiplied. Rounding to bf16 takes nothing from a bf16 cache's
// numbers and little from q8_0's, but three bits from those of f16, eight times what f16 is off by.
template <class V, class F>
inline void with_way(KvType type, F f) {
  using Fast = typename FastPairs<V>::Type;
  switch (type) {
    case KvType::kF32: return f(Way<PairsF32<V>, CacheF32>{});
    case KvType::kF16: return f(Way<PairsF32<V>, CacheF16>{});
    case KvType::kBf16: return f(Way<Fast, CacheBf16>{});
    case KvType::kQ8_0: return f(Way<Fast, CacheQ8>{});
  }
}

template <class V>
void attention(const AttentionTask& t) {
  with_way<V>(t.type, [&](auto way) {
    using A = typename decltype(way)::A;
    const Scratch<A> s(t.scratch, t.head_dim);
    const Reach reach = reach_of<V>(t);
    pack_queries<A>(t, s);
    clear_total<A>(t, s);
    for (int64_t segment = reach.begin / kKvSegment; segment * kKvSegment < reach.end; ++segment) {
      compute_segment<A, typename decltype(way)::Cache>(t, s, segment, s.partial);
      fold_segment<A>(t, s, s.partial);
    }
    write_total<A>(t, s);
  });
}

template <class V>
void attention_segment(const AttentionTask& t, int64_t segment, float* partial) {
  with_way<V>(t.type, [&](auto way) {
    using A = typename decltype(way)::A;
    const Scratch<A> s(t.scratch, t.head_dim);
    pack_queries<A>(t, s);
    compute_segment<A, typename decltype(way)::Cache>(t, s, segment, partial);
  });
}

template <class V>
void attention_fold(const AttentionTask& t, const float* partials, int64_t n_segments) {
  with_way<V>(t.type, [&](auto way) {
    using A = typename decltype(way)::A;
    const Scratch<A> s(t.scratch, t.head_dim);
    clear_total<A>(t, s);
    for (int64_t i = 0; i < n_segments; ++i) fold_segment<A>(t, s, partials + i * t.n_q * s.partial_floats);
    write_total<A>(t, s);
  });
}

}  // namespace minnow::body
