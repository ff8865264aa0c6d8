// Gradients of what works row by row: norms, activations, and the sums over rows that give gradients of vectors.
#pragma once

#include "cpu/body/elementwise.h"
#include "cpu/train_kernels.h"

namespace minnow::body {

// The first n lanes, zeros after them.
template <class V>
inline typename V::F first_lanes(typename V::F x, int n) {
  if (n == V::kLanes) return x;
  float lanes[V::kLanes];
  V::store(lanes, x);
  return V::load_n(lanes, n);
}

// With f = 1 / sqrt(mean(x^2) + eps): dx = f w dy - x f^3 mean(w dy x).
template <class V>
RowMoments rms_norm_backward(const RowGradient& r) {
  auto squares = V::zero(), products = V::zero();
  for_vectors<V>(r.n, [&](int64_t i, int m) {
    const auto x = load<V>(r.x + i, m);
    squares = V::fma(x, x, squares);
    products = V::fma(V::mul(load<V>(r.w + i, m), load<V>(r.dy + i, m)), x, products);
  });
  const auto n = static_cast<float>(r.n);
  const float factor = 1.0f / __builtin_sqrtf(V::sum(squares) / n + r.eps);
  const auto back = V::set(-(factor * factor) * (V::sum(products) / n));
  for_vectors<V>(r.n, [&](int64_t i, int m) {
    const auto g = V::mul(load<V>(r.w + i, m), load<V>(r.dy + i, m));
    store<V>(r.dx + i, V::mul(V::fma(load<V>(r.x + i, m), back, g), V::set(factor)), m);
  });
  return {0, factor};
}

// With d = x - mean and f = 1 / sqrt(mean(d^2) + eps): dx = f (w dy - mean(w dy) - d f^2 mean(w dy d)).
template <class V>
RowMoments layer_norm_backward(const RowGradient& r) {
  const auto n = static_cast<float>(r.n);
  auto sum = V::zero();
  for_vectors<V>(r.n, [&](int64_t i, int m) { sum = V::add(sum, load<V>(r.x + i, m)); });
  const float mean = V::sum(sum) / n;
  auto squares = V::zero(), gradients = V::zero(), products = V::zero();
  for_vectors<V>(r.n, [&](int64_t i, int m) {
    const auto d = first_lanes<V>(V::sub(load<V>(r.x + i, m), V::set(mean)), m);
    const auto g = V::mul(load<V>(r.w + i, m), load<V>(r.dy + i, m));
    squares = V::fma(d, d, squares);
    gradients = V::add(gradients, g);
    products = V::fma(g, d, products);
  });
  const float factor = 1.0f / __builtin_sqrtf(V::sum(squares) / n + r.eps);
  const auto back = V::set(-(factor * factor) * (V::sum(products) / n)), shift = V::set(V::sum(gradients) / n);
  for_vectors<V>(r.n, [&](int64_t i, int m) {
    const auto g = V::sub(V::mul(load<V>(r.w + i, m), load<V>(r.dy + i, m)), shift);
    const auto d = V::sub(load<V>(r.x + i, m), V::set(mean));
    store<V>(r.dx + i, V::mul(V::fma(d, back, g), V::set(factor)), m);
  });
  return {mean, factor};
}

// Rows whose sum is taken before it is added to the others: few enough to stay in a cache, and to keep digits.
inline constexpr int64_t kSumRows = 64;

template <class V>
void column_sums(const ColumnSums& s) {
  for (int64_t from = 0; from < s.n_rows; from += kSumRows) {
    const int64_t to = from + kSumRows < s.n_rows ? from + kSumRows : s.n_rows;
    for_vectors<V>(s.column_end - s.column_begin, [&](int64_t i, int m) {
      const int64_t column = s.column_begin + i;
      auto weights = V::zero(), biases = V::zero();
      for (int64_t row = from; row < to; ++row) {
        const auto dy = load<V>(s.dy + row * s.stride + column, m);
        biases = V::add(biases, dy);
        if (s.dw == nullptr) continue;
        const auto d = V::sub(load<V>(s.x + row * s.stride + column, m), V::set(s.moments[row].mean));
        weights = V::fma(V::mul(dy, V::set(s.moments[row].factor)), d, weights);
      }
      if (s.dw != nullptr) store<V>(s.dw + column, V::add(load<V>(s.dw + column, m), weights), m);
      if (s.dbias != nullptr) store<V>(s.dbias + column, V::add(load<V>(s.dbias + column, m), biases), m);
    });
  }
}

template <class V>
void scatter_rows(const ScatterRows& s) {
  const int64_t n = s.column_end - s.column_begin;
  for (int64_t t = 0; t < s.n_rows; ++t) {
    if (s.ids[t] < 0) continue;
    float* to = s.dw + s.ids[t] * s.width + s.column_begin;
    add<V>(to, s.dy + t * s.width + s.column_begin, to, n);
  }
}

// A function and its derivative at the same place, sharing what is dear in them.
template <class V>
struct ValueAndSlope {
  typename V::F value, slope;
};

template <class V>
struct SiluSlope {
  static ValueAndSlope<V> apply(typename V::F x) {
    const auto s = sigmoid<V>(x), y = V::mul(x, s);
    return {y, V::fma(y, V::sub(V::set(1.0f), s), s)};
  }
};

template <class V>
struct GeluTanhSlope {
  // Beyond 20 the function is 0 or x to the last bit; x^3 of what is far beyond would be infinite.
  static ValueAndSlope<V> apply(typename V::F x) {
    const auto u = V::min(V::max(x, V::set(-20.0f)), V::set(20.0f));
    const auto square = V::mul(u, u);
    const auto s = sigmoid<V>(V::mul(V::fma(V::mul(square, V::set(0.044715f)), u, u), V::set(1.5957691216057308f)));
    const auto inner = V::fma(square, V::set(3 * 0.044715f * 1.5957691216057308f), V::set(1.5957691216057308f));
    const auto bend = V::mul(V::mul(u, s), V::sub(V::set(1.0f), s));
    return {V::mul(x, s), V::fma(bend, inner, s)};
  }
};

template <class V>
struct GeluSlope {  // as Gelu: x Phi(x), whose derivative is Phi(x) + x phi(x)
  static ValueAndSlope<V> apply(typename V::F x) {
    const NormalShare<V> share = normal_share<V>(x);
    return {V::mul(x, share.below), V::fma(V::mul(x, share.bell), V::set(0.39894228040143268f), share.below)};
  }
};

template <class V>
struct ReluSlope {  // 0 at 0
  static ValueAndSlope<V> apply(typename V::F x) {
    return {Relu<V>::apply(x), V::select_less(V::zero(), x, V::set(1.0f), V::zero())};
  }
};
template <class V>
struct ReluSquaredSlope {
  static ValueAndSlope<V> apply(typename V::F x) {
    const auto y = Relu<V>::apply(x);
    return {V::mul(y, y), V::add(y, y)};
  }
};
template <class V>
struct TanhSlope {
  static ValueAndSlope<V> apply(typename V::F x) {
    const auto y = Tanh<V>::apply(x);
    return {y, V::sub(V::set(1.0f), V::mul(y, y))};
  }
};

template <class V, template <class> class Fn>
void unary_backward(const float* x, const float* dy, float* dx, int64_t n) {
  for_vectors<V>(n, [&](int64_t i, int m) {
    store<V>(dx + i, V::mul(Fn<V>::apply(load<V>(x + i, m)).slope, load<V>(dy + i, m)), m);
  });
}

template <class V, template <class> class Fn>
void gated_backward(const float* gate, const float* up, const float* dy, float* dgate, float* dup, int64_t n) {
  for_vectors<V>(n, [&](int64_t i, int m) {
    const auto f = Fn<V>::apply(load<V>(gate + i, m));
    const auto u = load<V>(up + i, m), g = load<V>(dy + i, m);
    store<V>(dgate + i, V::mul(V::mul(g, u), f.slope), m);
    store<V>(dup + i, V::mul(g, f.value), m);
  });
}

// 1 - tanh(u)^2 = 4 e / (1 + e)^2 with e = e^-2|u|, which keeps its digits far out.
template <class V>
void softcap_backward(const float* x, const float* dy, float cap, float* dx, int64_t n) {
  for_vectors<V>(n, [&](int64_t i, int m) {
    const auto e = exp<V>(V::mul(V::abs(load<V>(x + i, m)), V::set(-2.0f / cap)));
    const auto sum = V::add(e, V::set(1.0f));
    const auto slope = V::div(V::mul(e, V::set(4.0f)), V::mul(sum, sum));
    store<V>(dx + i, V::mul(slope, load<V>(dy + i, m)), m);
  });
}

}  // namespace minnow::body
