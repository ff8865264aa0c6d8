// Pages of the cache as attention multiplies with them. A page is read where it lies when few queries want it or when it
// needs no conversion; otherwise it is converted once for all of them.
#pragma once

#include "cpu/body/pairs.h"

namespace minnow::body {

// A page's keys to [n_pairs][kKvPage][2].
template <class A, class Cache>
void convert_keys(const char* page, int64_t head_dim, int64_t ahead, typename A::Number* out) {
  using V = typename A::V;
  const auto* numbers = reinterpret_cast<const typename Cache::T*>(page);
  const int64_t n_pairs = (head_dim + 1) / 2;
  if constexpr (Cache::kScaled) {
    const auto* scales = reinterpret_cast<const float*>(numbers + head_dim * kKvPage);  // [head_dim / 32][kKvPage]
    for (int64_t d = 0; d < n_pairs; ++d) {
      for (int j = 0; j < kKvPage; j += V::kLanes) {
        const int64_t at = (d * kKvPage + j) * 2;
        const float* s = scales + d / 16 * kKvPage + j;
        prefetch(reinterpret_cast<const char*>(numbers + at) + ahead);
        const auto low = V::mul(Cache::template load<V>(numbers + at), V::load_twice(s));
        const auto high = V::mul(Cache::template load<V>(numbers + at + V::kLanes), V::load_twice(s + V::kLanes / 2));
        A::store(out + at, A::unit(low, high));
      }
    }
  } else {
    const PageUnits<A, Cache, true> units{numbers, ahead};
    for (int64_t at = 0; at < n_pairs * kKvPage * 2; at += A::kUnit) A::store(out + at, units.load(at));
  }
}

// Slots lo .. hi - 1 of a page's values to [kKvPage / 2][row_pairs][2], padded with zeros. What lies in other slots may
// be a former sequence's: it does not get through.
struct ValueSlots {
  int64_t head_dim, row_pairs;
  int lo, hi;
};
template <class A, class Cache>
void convert_values(const char* page, const ValueSlots& t, int64_t ahead, typename A::Number* out) {
  using V = typename A::V;
  const auto* numbers = reinterpret_cast<const typename Cache::T*>(page);
  for (int64_t j = t.lo / 2; j < (t.hi + 1) / 2; ++j) {
    const auto* from = numbers + j * t.head_dim * 2;
    auto* to = out + j * t.row_pairs * 2;
    int64_t d = 0;
    if constexpr (Cache::kScaled) {
      const auto* scales = reinterpret_cast<const float*>(numbers + t.head_dim * kKvPage) + j * (t.head_dim / 32) * 2;
      for (; d < t.head_dim; d += V::kLanes) {
        prefetch(reinterpret_cast<const char*>(from + 2 * d) + ahead);
        const auto s = V::set_two(scales + d / 32 * 2);
        const auto low = V::mul(Cache::template load<V>(from + 2 * d), s);
        const auto high = V::mul(Cache::template load<V>(from + 2 * d + V::kLanes), s);
        A::store(to + 2 * d, A::unit(low, high));
      }
    } else {
      for (; d + V::kLanes <= t.head_dim; d += V::kLanes) {
        A::store(to + 2 * d, PageUnits<A, Cache, true>{from, ahead}.load(2 * d));
      }
      if (d < t.head_dim) {
        typename Cache::T padded[A::kUnit] = {};
        for (int64_t i = 2 * d; i < 2 * t.head_dim; ++i) padded[i - 2 * d] = from[i];
        A::store(to + 2 * d, PageUnits<A, Cache, false>{padded, 0}.load(0));
      }
    }
  }
  if (t.lo % 2 != 0) {
    for (int64_t d = 0; d < t.head_dim; ++d) out[(t.lo / 2 * t.row_pairs + d) * 2] = 0;
  }
  if (t.hi % 2 != 0) {
    for (int64_t d = 0; d < t.head_dim; ++d) out[(t.hi / 2 * t.row_pairs + d) * 2 + 1] = 0;
  }
}

}  // namespace minnow::body
