// Generic bodies of the element-wise kernels over a vector type V (see avx2/vector.h for what V offers).
#pragma once

#include "cpu/kernels.h"

namespace minnow::body {

// Calls f(offset, n) for whole vectors and once for the rest; n is V::kLanes except in that last call.
template <class V, class F>
inline void for_vectors(int64_t n, F f) {
  int64_t i = 0;
  for (; i + V::kLanes <= n; i += V::kLanes) f(i, V::kLanes);
  if (i < n) f(i, static_cast<int>(n - i));
}

template <class V>
inline typename V::F load(const float* p, int n) {
  return n == V::kLanes ? V::load(p) : V::load_n(p, n);
}
template <class V>
inline void store(float* p, typename V::F x, int n) {
  if (n == V::kLanes) {
    V::store(p, x);
  } else {
    V::store_n(p, x, n);
  }
}

// e^x with about 2 ulp; inputs are clamped to the range of normal results, -infinity gives 0.
template <class V>
inline typename V::F exp(typename V::F x) {
  const auto clamped = V::min(V::max(x, V::set(-87.3f)), V::set(88.3f));
  const auto n = V::round(V::mul(clamped, V::set(1.44269504088896341f)));
  auto r = V::fma(n, V::set(-0.693359375f), clamped);  // ln 2 in two parts (Cody and Waite)
  r = V::fma(n, V::set(2.12194440e-4f), r);
  auto p = V::set(1.9875691500e-4f);  // minimax polynomial of Cephes' expf
  p = V::fma(p, r, V::set(1.3981999507e-3f));
  p = V::fma(p, r, V::set(8.3334519073e-3f));
  p = V::fma(p, r, V::set(4.1665795894e-2f));
  p = V::fma(p, r, V::set(1.6666665459e-1f));
  p = V::fma(p, r, V::set(5.0000001201e-1f));
  const auto y = V::add(V::fma(V::mul(r, r), p, r), V::set(1.0f));
  return V::select_less(x, V::set(-87.3f), V::zero(), V::mul(y, V::pow2(n)));
}

// 1 / (1 + e^-x)
template <class V>
inline typename V::F sigmoid(typename V::F x) {
  return V::div(V::set(1.0f), V::add(V::set(1.0f), exp<V>(V::sub(V::zero(), x))));
}

template <class V>
struct Silu {
  static typename V::F apply(typename V::F x) { return V::mul(x, sigmoid<V>(x)); }
};

// x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))), using (1 + tanh u) / 2 = sigmoid(2u).
template <class V>
struct GeluTanh {
  static typename V::F apply(typename V::F x) {
    const auto cubic = V::fma(V::mul(V::mul(x, x), V::set(0.044715f)), x, x);
    return V::mul(x, sigmoid<V>(V::mul(cubic, V::set(1.5957691216057308f))));
  }
};

// Phi(x), the share of a normal distribution below x, and e^(-x^2 / 2), which it is made with.
template <class V>
struct NormalShare {
  typename V::F below, bell;
};

// With erf by formula 7.1.26 of Abramowitz and Stegun: |error| < 1.5e-7.
template <class V>
inline NormalShare<V> normal_share(typename V::F x) {
  const auto z = V::mul(V::abs(x), V::set(0.70710678118654752f));
  const auto t = V::div(V::set(1.0f), V::fma(z, V::set(0.3275911f), V::set(1.0f)));
  auto p = V::set(1.061405429f);
  p = V::fma(p, t, V::set(-1.453152027f));
  p = V::fma(p, t, V::set(1.421413741f));
  p = V::fma(p, t, V::set(-0.284496736f));
  p = V::fma(p, t, V::set(0.254829592f));
  const auto bell = exp<V>(V::sub(V::zero(), V::mul(z, z)));
  const auto tail = V::mul(V::mul(V::mul(p, t), bell), V::set(0.5f));  // 1 - Phi(|x|)
  return {V::select_less(x, V::zero(), tail, V::sub(V::set(1.0f), tail)), bell};
}

template <class V>
struct Gelu {
  static typename V::F apply(typename V::F x) { return V::mul(x, normal_share<V>(x).below); }
};

template <class V>
struct Relu {
  static typename V::F apply(typename V::F x) { return V::select_less(x, V::zero(), V::zero(), x); }
};
template <class V>
struct ReluSquared {
  static typename V::F apply(typename V::F x) { return V::mul(Relu<V>::apply(x), Relu<V>::apply(x)); }
};

template <class V>
struct Tanh {
  static typename V::F apply(typename V::F x) {
    const auto y = V::fma(sigmoid<V>(V::mul(x, V::set(2.0f))), V::set(2.0f), V::set(-1.0f));
    return V::select_less(x, V::set(10.0f), y, V::add(V::sub(x, x), V::set(1.0f)));  // what is not a number stays so
  }
};

template <class V, template <class> class Fn>
void unary(const float* x, float* y, int64_t n) {
  for_vectors<V>(n, [&](int64_t i, int m) { store<V>(y + i, Fn<V>::apply(load<V>(x + i, m)), m); });
}

template <class V, template <class> class Fn>
void gated(const float* gate, const float* up, float* y, int64_t n) {
  for_vectors<V>(n, [&](int64_t i, int m) {
    store<V>(y + i, V::mul(Fn<V>::apply(load<V>(gate + i, m)), load<V>(up + i, m)), m);
  });
}

template <class V>
void add(const float* a, const float* b, float* y, int64_t n) {
  for_vectors<V>(n, [&](int64_t i, int m) { store<V>(y + i, V::add(load<V>(a + i, m), load<V>(b + i, m)), m); });
}

template <class V>
void mul(const float* a, const float* b, float* y, int64_t n) {
  for_vectors<V>(n, [&](int64_t i, int m) { store<V>(y + i, V::mul(load<V>(a + i, m), load<V>(b + i, m)), m); });
}

template <class V>
void scale(const float* x, float factor, float* y, int64_t n) {
  for_vectors<V>(n, [&](int64_t i, int m) { store<V>(y + i, V::mul(load<V>(x + i, m), V::set(factor)), m); });
}

// cap * tanh(x / cap), with tanh u = 2 sigmoid(2u) - 1.
template <class V>
inline typename V::F softcapped(typename V::F x, float cap) {
  const auto s = sigmoid<V>(V::mul(x, V::set(2.0f / cap)));
  return V::mul(V::set(cap), V::fma(s, V::set(2.0f), V::set(-1.0f)));
}

template <class V>
void softcap(const float* x, float cap, float* y, int64_t n) {
  for_vectors<V>(n, [&](int64_t i, int m) { store<V>(y + i, softcapped<V>(load<V>(x + i, m), cap), m); });
}

template <class V>
void rms_norm(const float* x, const float* w, float* y, int64_t n, float eps) {
  auto sum = V::zero();
  for_vectors<V>(n, [&](int64_t i, int m) {
    const auto v = load<V>(x + i, m);
    sum = V::fma(v, v, sum);
  });
  const float factor = 1.0f / __builtin_sqrtf(V::sum(sum) / static_cast<float>(n) + eps);
  for_vectors<V>(n, [&](int64_t i, int m) {
    store<V>(y + i, V::mul(V::mul(load<V>(x + i, m), V::set(factor)), load<V>(w + i, m)), m);
  });
}

template <class V>
void layer_norm(const float* x, const float* w, const float* bias, float* y, int64_t n, float eps) {
  auto sum = V::zero();
  for_vectors<V>(n, [&](int64_t i, int m) { sum = V::add(sum, load<V>(x + i, m)); });
  const auto mean = V::set(V::sum(sum) / static_cast<float>(n));
  auto squares = V::zero();
  for_vectors<V>(n, [&](int64_t i, int m) {
    const auto d = V::sub(load<V>(x + i, m), mean);
    store<V>(y + i, d, m);
    const auto kept = load<V>(y + i, m);  // lanes past the end are 0 again
    squares = V::fma(kept, kept, squares);
  });
  const auto factor = V::set(1.0f / __builtin_sqrtf(V::sum(squares) / static_cast<float>(n) + eps));
  for_vectors<V>(n, [&](int64_t i, int m) {
    auto v = V::mul(V::mul(load<V>(y + i, m), factor), load<V>(w + i, m));
    if (bias != nullptr) v = V::add(v, load<V>(bias + i, m));
    store<V>(y + i, v, m);
  });
}

template <class V>
void add_scaled(const float* x, float factor, float* y, int64_t n) {
  for_vectors<V>(n, [&](int64_t i, int m) {
    store<V>(y + i, V::fma(load<V>(x + i, m), V::set(factor), load<V>(y + i, m)), m);
  });
}

template <class V>
void rope_halves(const float* x, const float* table, float* y, int64_t head_dim, int64_t n_freq) {
  for_vectors<V>(n_freq, [&](int64_t i, int m) {
    const auto a = load<V>(x + i, m), b = load<V>(x + n_freq + i, m);
    const auto c = load<V>(table + i, m), s = load<V>(table + n_freq + i, m);
    store<V>(y + i, V::sub(V::mul(a, c), V::mul(b, s)), m);
    store<V>(y + n_freq + i, V::add(V::mul(a, s), V::mul(b, c)), m);
  });
  for (int64_t i = 2 * n_freq; i < head_dim; ++i) y[i] = x[i];
}

template <class V>
void rope_interleaved(const float* x, const float* table, float* y, int64_t head_dim, int64_t n_freq) {
  for (int64_t i = 0; i < n_freq; ++i) {
    const float a = x[2 * i], b = x[2 * i + 1], c = table[i], s = table[n_freq + i];
    y[2 * i] = a * c - b * s;
    y[2 * i + 1] = a * s + b * c;
  }
  for (int64_t i = 2 * n_freq; i < head_dim; ++i) y[i] = x[i];
}

// 127 / amax; 0, which makes all codes 0, when that would come near infinity.
template <class V>  // V only keeps the copies of different instruction sets apart
inline float inverse_scale(float amax) { return amax >= 0x1.0p-118f ? 127.0f / amax : 0.0f; }


template <class V>
inline void finish(const int32_t* neg_sum, ActBlock32* y) {
  y->neg_sum = neg_sum[0] + neg_sum[1];
  y->d_sum = y->d * static_cast<float>(-y->neg_sum);
  y->unused = 0;
}
template <class V>
inline void finish(const int32_t* neg_sum, ActBlock256* y) {
  for (int i = 0; i < 16; ++i) y->neg_sum[i] = neg_sum[i];
  for (int i = 0; i < 16; ++i) y->sum16[i] = static_cast<int16_t>(-neg_sum[i]);
  for (int i = 0; i < 8; ++i) y->sum32[i] = static_cast<int16_t>(-neg_sum[2 * i] - neg_sum[2 * i + 1]);
  for (int i = 0; i < 3; ++i) y->unused[i] = 0;
}

template <class V, class Act>
void quantize(const float* x, Act* y, int64_t k) {
  for (int64_t at = 0; at < k; at += Act::kColumns, x += Act::kColumns, ++y) {
    const int n = static_cast<int>(k - at < Act::kColumns ? k - at : Act::kColumns);
    auto largest = V::zero();
    for (int i = 0; i < n; i += V::kLanes) largest = V::max(largest, V::abs(V::load(x + i)));
    const float amax = V::max_lane(largest);
    const auto inverse = V::set(inverse_scale<V>(amax));
    int32_t neg_sum[Act::kColumns / 16];
    for (int i = 0; i < n; i += 32) V::store_codes(y->q + i, x + i, inverse, neg_sum + i / 16);
    for (int i = n; i < Act::kColumns; ++i) y->q[i] = 0;
    for (int i = n / 16; i < Act::kColumns / 16; ++i) neg_sum[i] = 0;
    y->d = amax / 127.0f;
    finish<V>(neg_sum, y);
  }
}

}  // namespace minnow::body
