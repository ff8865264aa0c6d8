// Loops that only the machine bounds: the yardsticks of doctor and bench.
#pragma once

#include "cpu/body/panel_matmul.h"

namespace minnow::body {

inline constexpr int kReadAhead = 2048;  // bytes

template <class V>
double read_memory(const void* bytes, int64_t n) {
  const auto* p = static_cast<const float*>(bytes);
  typename V::F a = V::zero(), b = V::zero(), c = V::zero(), d = V::zero();
  for (int64_t i = 0; i + 4 * V::kLanes <= n / 4; i += 4 * V::kLanes) {
    __builtin_prefetch(p + i + kReadAhead / 4);
    a = V::max(a, V::load(p + i));
    b = V::max(b, V::load(p + i + V::kLanes));
    c = V::max(c, V::load(p + i + 2 * V::kLanes));
    d = V::max(d, V::load(p + i + 3 * V::kLanes));
  }
  return V::sum(V::add(V::add(a, b), V::add(c, d)));
}

// Independent chains, as many as hide the latency of a multiply-add.
inline constexpr int kChains = 12;

// As a panel's block of 32 columns of four-bit codes: 8 groups into each chain.
template <class V>
double int8_rate(int64_t rounds, int64_t* operations) {
  constexpr int kGroups = 8;
  uint8_t codes[kChains][64];
  int8_t x[kGroups][4];
  for (int i = 0; i < kChains * 64; ++i) codes[i / 64][i % 64] = static_cast<uint8_t>(i & 15);
  for (int i = 0; i < kGroups * 4; ++i) x[i / 4][i % 4] = static_cast<int8_t>(i);
  typename V::I acc[kChains];
#pragma GCC unroll 16
  for (int i = 0; i < kChains; ++i) acc[i] = V::set_i(i);
  for (int64_t r = 0; r < rounds; ++r) {
    asm volatile("" : "+m"(x), "+m"(codes));  // constants would be folded
#pragma GCC unroll 16
    for (int i = 0; i < kChains; ++i) {
      const auto w = V::load_b(codes[i]);
      if constexpr (V::kWideSums) {
#pragma GCC unroll 8
        for (int g = 0; g < kGroups; ++g) acc[i] = V::dot(acc[i], w, x[g]);
      } else {
        auto sums = V::no_sums();
#pragma GCC unroll 8
        for (int g = 0; g < kGroups; ++g) sums = V::dot(sums, w, x[g]);
        acc[i] = V::widen(acc[i], sums);
      }
    }
  }
  auto total = V::to_f(acc[0]);
  for (int i = 1; i < kChains; ++i) total = V::add(total, V::to_f(acc[i]));
  *operations = rounds * kChains * kGroups * V::kLanes * 4 * 2;
  return V::sum(total);
}

template <class V>
double bf16_rate(int64_t rounds, int64_t* operations) {
  constexpr int kGroups = 8;
  uint16_t pair[kGroups][2];
  for (int g = 0; g < kGroups; ++g) pair[g][0] = pair[g][1] = 0x3F80;  // 1
  typename V::F acc[kChains];
#pragma GCC unroll 16
  for (int i = 0; i < kChains; ++i) acc[i] = V::set(static_cast<float>(i));
  for (int64_t r = 0; r < rounds; ++r) {
    asm volatile("" : "+m"(pair));
#pragma GCC unroll 16
    for (int i = 0; i < kChains; ++i) {
#pragma GCC unroll 8
      for (int g = 0; g < kGroups; ++g) {
        const auto a = V::set_pair(pair[g]);
        acc[i] = V::dot_bf16(acc[i], a, a);
      }
    }
  }
  auto total = acc[0];
  for (int i = 1; i < kChains; ++i) total = V::add(total, acc[i]);
  *operations = rounds * kChains * kGroups * V::kLanes * 2 * 2;
  return V::sum(total);
}

template <class V>
double f32_rate(int64_t rounds, int64_t* operations) {
  typename V::F acc[kChains];
#pragma GCC unroll 16
  for (int i = 0; i < kChains; ++i) acc[i] = V::set(static_cast<float>(i));
  float factor = 0.999f;
  asm volatile("" : "+m"(factor));
  const auto a = V::set(factor), b = V::set(1.0f - factor);
  for (int64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 16
    for (int i = 0; i < kChains; ++i) acc[i] = V::fma(acc[i], a, b);
  }
  auto total = acc[0];
  for (int i = 1; i < kChains; ++i) total = V::add(total, acc[i]);
  *operations = rounds * kChains * V::kLanes * 2;
  return V::sum(total);
}

}  // namespace minnow::body
