// Two ways to do attention's products. Both take numbers in pairs along the dimension that is summed: two features of a
// key, two positions of a value. A unit is as many pairs as a vector has lanes, 2 * kLanes numbers in the order in which
// they lie in the cache, so that nothing is ever shuffled on the way from there.
#pragma once

#include "cpu/body/elementwise.h"
#include "cpu/body/prefetch.h"

namespace minnow::body {

inline constexpr float kLog2E = 1.44269504088896341f;

// f32 multiply-adds: the two products of a pair are summed apart until the end.
template <class Vec>
struct PairsF32 {
  using V = Vec;
  using F = typename V::F;
  using Number = float;  // what queries, weights of positions and converted pages are kept as
  struct Unit {
    F low, high;
  };
  using Pair = F;
  using Acc = Unit;
  static constexpr int kUnit = 2 * V::kLanes;
  static constexpr int kAcc = 2 * V::kLanes;           // floats of an accumulator in memory
  static constexpr int kUnits = V::kScoreVectors / 2;  // side by side in registers
  static constexpr bool kBase2 = false;                // scores are exponents of e, and queries are left as they are

  static Unit unit(F low, F high) { return {low, high}; }
  static Unit load(const Number* p) { return {V::load(p), V::load(p + V::kLanes)}; }
  static void store(Number* p, Unit u) {
    V::store(p, u.low);
    V::store(p + V::kLanes, u.high);
  }
  static Pair pair(const Number* p) { return V::set_two(p); }
  static Acc zero() { return {V::zero(), V::zero()}; }
  static Acc dot(Acc acc, Unit u, Pair p) { return {V::fma(u.low, p, acc.low), V::fma(u.high, p, acc.high)}; }
  static Acc shrink(Acc acc, F factor) { return {V::mul(acc.low, factor), V::mul(acc.high, factor)}; }
  static Acc load_acc(const float* p) { return load(p); }
  static void store_acc(float* p, Acc acc) { store(p, acc); }
  static F finish(Acc acc) { return V::add_neighbours(acc.low, acc.high); }
  static F sum_of(Unit u) { return V::add(u.low, u.high); }  // all lanes of the result together: the unit's numbers

  static F weight(F x) { return exp<V>(x); }
  static float factor(float x) { return V::max_lane(exp<V>(V::set(x))); }
};

// The bf16 unit: products of bf16 numbers, summed in f32. Scores are exponents of 2.
template <class Vec>
struct PairsBf16 {
  using V = Vec;
  using F = typename V::F;
  using Number = uint16_t;
  using Unit = typename V::B;
  using Pair = typename V::B;
  using Acc = F;
  static constexpr int kUnit = 2 * V::kLanes;
  static constexpr int kAcc = V::kLanes;
  static constexpr int kUnits = V::kScoreVectors;
  static constexpr bool kBase2 = true;

  static Unit unit(F low, F high) { return V::to_bf16(low, high); }
  static Unit load(const Number* p) { return V::load_b(p); }
  static void store(Number* p, Unit u) { V::store_b(p, u); }
  static Pair pair(const Number* p) { return V::set_pair(p); }
  static Acc zero() { return V::zero(); }
  static Acc dot(Acc acc, Unit u, Pair p) { return V::dot_bf16(acc, u, p); }
  static Acc shrink(Acc acc, F factor) { return V::mul(acc, factor); }
  static Acc load_acc(const float* p) { return V::load(p); }
  static void store_acc(float* p, Acc acc) { V::store(p, acc); }
  static F finish(Acc acc) { return acc; }
  // Of the rounded numbers, so that what positions weigh adds up to one.
  static F sum_of(Unit u) {
    const Number ones[2] = {0x3F80, 0x3F80};
    return V::dot_bf16(V::zero(), u, V::set_pair(ones));
  }

  // 2^x for x <= 0 within 3e-6, a thousandth of what rounding to bf16 takes away; 0 for -infinity.
  static F weight(F x) {
    const auto bounded = V::max(x, V::set(-200.0f));
    const auto n = V::round(bounded);
    const auto r = V::sub(bounded, n);
    auto p = V::set(9.5701e-3f);  // minimax polynomial of degree 4 for -1/2 <= r <= 1/2
    p = V::fma(p, r, V::set(5.591786e-2f));
    p = V::fma(p, r, V::set(0.24024745f));
    p = V::fma(p, r, V::set(0.69312181f));
    p = V::fma(p, r, V::set(0.99999926f));
    return V::times_pow2(p, n);
  }
  static float factor(float x) { return V::max_lane(exp<V>(V::set(x * 0.69314718055994531f))); }
};

// How the numbers of a page become units. Scales of q8_0 are handled by whoever knows the page.
struct CacheF32 {
  using T = float;
  static constexpr bool kScaled = false;
  template <class V>
  static typename V::F load(const T* p) { return V::load(p); }
};
struct CacheF16 {
  using T = uint16_t;
  static constexpr bool kScaled = false;
  template <class V>
  static typename V::F load(const T* p) { return V::load_f16(p); }
};
struct CacheBf16 {
  using T = uint16_t;
  static constexpr bool kScaled = false;
  template <class V>
  static typename V::F load(const T* p) { return V::load_bf16(p); }
};
struct CacheQ8 {
  using T = int8_t;
  static constexpr bool kScaled = true;
  template <class V>
  static typename V::F load(const T* p) { return V::load_i8(p); }
};

// Whether a page can be multiplied with as it lies.
template <class A, class Cache> inline constexpr bool kNative = false;
template <class V> inline constexpr bool kNative<PairsF32<V>, CacheF32> = true;
template <class V> inline constexpr bool kNative<PairsBf16<V>, CacheBf16> = true;

// Units of a page, converted on the way into registers. With kAhead the same place of another page, `ahead` bytes away,
// is called for meanwhile: pages are scattered, so the hardware cannot guess it.
template <class A, class Cache, bool kAhead>
struct PageUnits {
  using V = typename A::V;
  const typename Cache::T* numbers;
  int64_t ahead;
  typename A::Unit load(int64_t at) const {
    if constexpr (kAhead) prefetch(reinterpret_cast<const char*>(numbers + at) + ahead);
    if constexpr (kNative<A, Cache>) {
      return A::load(numbers + at);
    } else {
      return A::unit(Cache::template load<V>(numbers + at), Cache::template load<V>(numbers + at + V::kLanes));
    }
  }
};

// Units that were converted before.
template <class A>
struct PackedUnits {
  const typename A::Number* numbers;
  typename A::Unit load(int64_t at) const { return A::load(numbers + at); }
};

}  // namespace minnow::body
