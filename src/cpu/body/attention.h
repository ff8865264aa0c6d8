// Attention over a paged KV cache, page by page with a running softmax (Milakov and Gimelshein 2018; FlashAttention).
// Pages begin at multiples of kKvPage in every sequence, so a query's result does not depend on how the prompt was cut
// into chunks or on what else is in the batch.
#pragma once

#include "cpu/body/elementwise.h"

namespace minnow::body {

template <class V>
struct KvF32 {
  using T = float;
  static constexpr bool kScaled = false;
  static typename V::F load(const T* p) { return V::load(p); }
};
template <class V>
struct KvF16 {
  using T = uint16_t;
  static constexpr bool kScaled = false;
  static typename V::F load(const T* p) { return V::load_f16(p); }
};
template <class V>
struct KvQ8 {
  using T = int8_t;
  static constexpr bool kScaled = true;
  static typename V::F load(const T* p) { return V::load_i8(p); }
};

template <class V, class Kv>
inline typename V::F load_kv(const typename Kv::T* p, int n) {
  if (n == V::kLanes) return Kv::load(p);
  typename Kv::T padded[V::kLanes] = {};
  for (int i = 0; i < n; ++i) padded[i] = p[i];
  return Kv::load(padded);
}

// scores[m][j] = q[m] . k[j] for M queries and all positions of a page, kScoreVectors vectors of positions at a time.
template <class V, class Kv, int M>
inline __attribute__((always_inline)) void page_scores(const float* const* q, const char* page, int64_t head_dim,
                                                       float* scores) {
  constexpr int kNv = V::kScoreVectors;
  const auto* k = reinterpret_cast<const typename Kv::T*>(page);
  const auto* scales = reinterpret_cast<const float*>(page + head_dim * kKvPage * static_cast<int64_t>(sizeof(*k)));
  for (int j = 0; j < kKvPage; j += kNv * V::kLanes) {
    typename V::F acc[M][kNv], total[M][kNv];
#pragma GCC unroll 4
    for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
      for (int v = 0; v < kNv; ++v) acc[m][v] = total[m][v] = V::zero();
    for (int64_t d = 0; d < head_dim; ++d) {
      typename V::F kv[kNv];
#pragma GCC unroll 4
      for (int v = 0; v < kNv; ++v) kv[v] = Kv::load(k + d * kKvPage + j + v * V::kLanes);
#pragma GCC unroll 4
      for (int m = 0; m < M; ++m) {
        const auto qd = V::set(q[m][d]);
#pragma GCC unroll 4
        for (int v = 0; v < kNv; ++v) acc[m][v] = V::fma(qd, kv[v], acc[m][v]);
      }
      if (Kv::kScaled && d % 32 == 31) {
        for (int v = 0; v < kNv; ++v) {
          const auto s = V::load(scales + d / 32 * kKvPage + j + v * V::kLanes);
          for (int m = 0; m < M; ++m) {
            total[m][v] = V::fma(acc[m][v], s, total[m][v]);
            acc[m][v] = V::zero();
          }
        }
      }
    }
#pragma GCC unroll 4
    for (int m = 0; m < M; ++m)
#pragma GCC unroll 4
      for (int v = 0; v < kNv; ++v) {
        V::store(scores + m * kKvPage + j + v * V::kLanes, Kv::kScaled ? total[m][v] : acc[m][v]);
      }
  }
}

// out[m][d] = out[m][d] * keep[m] + sum over j of p[m][j] * v[j][d] for positions j_begin <= j < j_end of a page.
template <class V, class Kv, int M>
inline __attribute__((always_inline)) void page_values(const float* p, const float* keep, const char* page,
                                                       int64_t head_dim, int j_begin, int j_end, float* out) {
  const auto* values = reinterpret_cast<const typename Kv::T*>(page);
  const auto* scales = reinterpret_cast<const float*>(page + head_dim * kKvPage * static_cast<int64_t>(sizeof(*values)));
  const int64_t n_scales = head_dim / 32;
  for_vectors<V>(head_dim, [&](int64_t d, int n) {
    typename V::F acc[M];
#pragma GCC unroll 4
    for (int m = 0; m < M; ++m) acc[m] = V::mul(load<V>(out + m * head_dim + d, n), V::set(keep[m]));
    for (int j = j_begin; j < j_end; ++j) {
      auto v = load_kv<V, Kv>(values + j * head_dim + d, n);
      if (Kv::kScaled) v = V::mul(v, V::set(scales[j * n_scales + d / 32]));
#pragma GCC unroll 4
      for (int m = 0; m < M; ++m) acc[m] = V::fma(V::set(p[m * kKvPage + j]), v, acc[m]);
    }
#pragma GCC unroll 4
    for (int m = 0; m < M; ++m) store<V>(out + m * head_dim + d, acc[m], n);
  });
}

// Turns the scores of one query on one page into weights, relative to the new running maximum. Returns the factor
// by which what was summed before shrinks.
template <class V>
inline float page_softmax(float* s, const AttentionTask& t, int m, int64_t page_begin, float* maximum, float* sum) {
  const float infinity = __builtin_inff();
  const int lo = static_cast<int>(t.begin[m] > page_begin ? t.begin[m] - page_begin : 0);
  const int hi = static_cast<int>(t.end[m] < page_begin + kKvPage ? t.end[m] - page_begin : kKvPage);
  auto largest = V::set(-infinity);
  for (int j = 0; j < kKvPage; j += V::kLanes) {
    auto v = V::mul(V::load(s + j), V::set(t.scale));
    if (t.softcap > 0) v = softcapped<V>(v, t.softcap);
    V::store(s + j, v);
  }
  for (int j = 0; j < lo && j < kKvPage; ++j) s[j] = -infinity;
  for (int j = hi < 0 ? 0 : hi; j < kKvPage; ++j) s[j] = -infinity;
  for (int j = 0; j < kKvPage; j += V::kLanes) largest = V::max(largest, V::load(s + j));
  const float page_maximum = V::max_lane(largest);
  const float next = page_maximum > *maximum ? page_maximum : *maximum;
  if (next == -infinity) {  // nothing visible so far
    for (int j = 0; j < kKvPage; ++j) s[j] = 0;
    return 1.0f;
  }
  auto total = V::zero();
  for (int j = 0; j < kKvPage; j += V::kLanes) {
    const auto p = exp<V>(V::sub(V::load(s + j), V::set(next)));
    V::store(s + j, p);
    total = V::add(total, p);
  }
  const float keep = *maximum == -infinity ? 0.0f : V::max_lane(exp<V>(V::set(*maximum - next)));
  *sum = *sum * keep + V::sum(total);
  *maximum = next;
  return keep;
}

template <class V, class Kv>
void attention_pages(const AttentionTask& t) {
  constexpr int kM = V::kScoreRows;
  const int64_t head_dim = t.head_dim;
  float* scores = t.scratch;
  float* out = scores + kAttentionRows * kKvPage;
  float* maximum = out + kAttentionRows * head_dim;
  float* sum = maximum + kAttentionRows;
  float keep[kAttentionRows];

  int64_t begin = t.begin[0], end = t.end[0];
  for (int m = 0; m < t.n_q; ++m) {
    begin = t.begin[m] < begin ? t.begin[m] : begin;
    end = t.end[m] > end ? t.end[m] : end;
    maximum[m] = -__builtin_inff();
    sum[m] = 0;
  }
  for (int64_t i = 0; i < t.n_q * head_dim; ++i) out[i] = 0;

  for (int64_t page = begin / kKvPage; page * kKvPage < end; ++page) {
    const int64_t offset = t.pages[page] * t.page_stride;
    int m = 0;
    for (; m + kM <= t.n_q; m += kM) page_scores<V, Kv, kM>(t.q + m, t.k_base + offset, head_dim, scores + m * kKvPage);
    for (; m < t.n_q; ++m) page_scores<V, Kv, 1>(t.q + m, t.k_base + offset, head_dim, scores + m * kKvPage);

    const int64_t page_begin = page * kKvPage;
    for (m = 0; m < t.n_q; ++m) keep[m] = page_softmax<V>(scores + m * kKvPage, t, m, page_begin, maximum + m, sum + m);

    // Slots outside what some query sees may hold a former sequence's data: they are not read at all.
    const int lo = static_cast<int>(begin > page_begin ? begin - page_begin : 0);
    const int hi = static_cast<int>(end < page_begin + kKvPage ? end - page_begin : kKvPage);
    for (m = 0; m + kM <= t.n_q; m += kM) {
      page_values<V, Kv, kM>(scores + m * kKvPage, keep + m, t.v_base + offset, head_dim, lo, hi, out + m * head_dim);
    }
    for (; m < t.n_q; ++m) {
      page_values<V, Kv, 1>(scores + m * kKvPage, keep + m, t.v_base + offset, head_dim, lo, hi, out + m * head_dim);
    }
  }
  for (int m = 0; m < t.n_q; ++m) scale<V>(out + m * head_dim, 1.0f / sum[m], t.out[m], head_dim);
}

template <class V>
void attention(const AttentionTask& t) {
  switch (t.type) {
    case KvType::kF32: return attention_pages<V, KvF32<V>>(t);
    case KvType::kF16: return attention_pages<V, KvF16<V>>(t);
    case KvType::kQ8_0: return attention_pages<V, KvQ8<V>>(t);
  }
}

template <class V>
inline float quantize_block_q8(const float* x, int8_t* q) {
  auto largest = V::zero();
  for (int i = 0; i < 32; i += V::kLanes) largest = V::max(largest, V::abs(V::load(x + i)));
  const float amax = V::max_lane(largest);
  const float inverse = inverse_scale<V>(amax);
  for (int i = 0; i < 32; i += V::kLanes) V::store_i8(q + i, V::mul(V::load(x + i), V::set(inverse)));
  return amax / 127.0f;
}

template <class V>
void kv_store(const KvStore& t) {
  const int64_t n = t.head_dim;
  if (t.type == KvType::kF32) {
    auto* k = static_cast<float*>(t.k_page);
    auto* v = static_cast<float*>(t.v_page) + t.slot * n;
    for (int64_t d = 0; d < n; ++d) k[d * kKvPage + t.slot] = t.k[d];
    for (int64_t d = 0; d < n; ++d) v[d] = t.v[d];
  } else if (t.type == KvType::kF16) {
    auto* k = static_cast<uint16_t*>(t.k_page);
    auto* v = static_cast<uint16_t*>(t.v_page) + t.slot * n;
    for_vectors<V>(n, [&](int64_t d, int m) {
      uint16_t half[V::kLanes];
      V::store_f16(half, load<V>(t.k + d, m));
      for (int i = 0; i < m; ++i) k[(d + i) * kKvPage + t.slot] = half[i];
      V::store_f16(half, load<V>(t.v + d, m));
      for (int i = 0; i < m; ++i) v[d + i] = half[i];
    });
  } else {
    auto* k = static_cast<int8_t*>(t.k_page);
    auto* v = static_cast<int8_t*>(t.v_page) + t.slot * n;
    auto* k_scales = reinterpret_cast<float*>(static_cast<char*>(t.k_page) + n * kKvPage);
    auto* v_scales = reinterpret_cast<float*>(static_cast<char*>(t.v_page) + n * kKvPage) + t.slot * (n / 32);
    for (int64_t b = 0; b < n / 32; ++b) {
      int8_t q[32];
      k_scales[b * kKvPage + t.slot] = quantize_block_q8<V>(t.k + 32 * b, q);
      for (int i = 0; i < 32; ++i) k[(32 * b + i) * kKvPage + t.slot] = q[i];
      v_scales[b] = quantize_block_q8<V>(t.v + 32 * b, v + 32 * b);
    }
  }
}

}  // namespace minnow::body
