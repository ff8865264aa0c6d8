// Writing keys and values to a page of the cache (its layout: kernels.h).
#pragma once

#include "cpu/body/elementwise.h"

namespace minnow::body {

// Where feature d of a slot lies among a page's keys, and among its values.
template <class V>
constexpr int64_t key_at(int64_t d, int64_t slot) {
  return (d / 2 * kKvPage + slot) * 2 + d % 2;
}
template <class V>
constexpr int64_t value_at(int64_t d, int64_t slot, int64_t head_dim) {
  return (slot / 2 * head_dim + d) * 2 + slot % 2;
}

struct ToF32 {
  using T = float;
  template <class V>
  static void store(T* p, typename V::F x) { V::store(p, x); }
};
struct ToF16 {
  using T = uint16_t;
  template <class V>
  static void store(T* p, typename V::F x) { V::store_f16(p, x); }
};
struct ToBf16 {
  using T = uint16_t;
  template <class V>
  static void store(T* p, typename V::F x) { V::store_bf16(p, x); }
};

template <class V, class To>
void store_plain(const KvStore& t) {
  auto* keys = static_cast<typename To::T*>(t.k_page);
  auto* values = static_cast<typename To::T*>(t.v_page);
  for_vectors<V>(t.head_dim, [&](int64_t d, int n) {
    typename To::T x[V::kLanes];
    To::template store<V>(x, load<V>(t.k + d, n));
    for (int i = 0; i < n; ++i) keys[key_at<V>(d + i, t.slot)] = x[i];
    To::template store<V>(x, load<V>(t.v + d, n));
    for (int i = 0; i < n; ++i) values[value_at<V>(d + i, t.slot, t.head_dim)] = x[i];
  });
  if (t.head_dim % 2 != 0) keys[key_at<V>(t.head_dim, t.slot)] = 0;  // the last pair's other half
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
void store_q8(const KvStore& t) {
  const int64_t n = t.head_dim, n_blocks = n / 32;
  auto* keys = static_cast<int8_t*>(t.k_page);
  auto* values = static_cast<int8_t*>(t.v_page);
  auto* key_scales = reinterpret_cast<float*>(keys + n * kKvPage);
  auto* value_scales = reinterpret_cast<float*>(values + n * kKvPage);
  for (int64_t b = 0; b < n_blocks; ++b) {
    int8_t q[32];
    key_scales[b * kKvPage + t.slot] = quantize_block_q8<V>(t.k + 32 * b, q);
    for (int i = 0; i < 32; ++i) keys[key_at<V>(32 * b + i, t.slot)] = q[i];
    value_scales[value_at<V>(b, t.slot, n_blocks)] = quantize_block_q8<V>(t.v + 32 * b, q);
    for (int i = 0; i < 32; ++i) values[value_at<V>(32 * b + i, t.slot, n)] = q[i];
  }
}

template <class V>
void kv_store(const KvStore& t) {
  switch (t.type) {
    case KvType::kF32: return store_plain<V, ToF32>(t);
    case KvType::kF16: return store_plain<V, ToF16>(t);
    case KvType::kBf16: return store_plain<V, ToBf16>(t);
    case KvType::kQ8_0: return store_q8<V>(t);
  }
}

}  // namespace minnow::body
