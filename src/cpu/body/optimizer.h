// One step of an optimizer over a range of parameters.
#pragma once

#include "cpu/body/elementwise.h"
#include "cpu/train_kernels.h"

namespace minnow::body {

// Moments of AdamW after a gradient, and the parameter after its step (Loshchilov and Hutter 2019).
template <class V>
struct AdamMoments {
  typename V::F m, v;
};
template <class V>
inline AdamMoments<V> adam_moments(const AdamW& o, AdamMoments<V> old, typename V::F g) {
  const auto m = V::fma(V::set(o.beta1), old.m, V::mul(V::set(1 - o.beta1), g));
  const auto v = V::fma(V::set(o.beta2), old.v, V::mul(V::mul(V::set(1 - o.beta2), g), g));
  return {m, v};
}
template <class V>
inline typename V::F adam_step(const AdamW& o, AdamMoments<V> moments, typename V::F w) {
  const auto size = V::add(V::sqrt(V::mul(moments.v, V::set(o.correction2))), V::set(o.eps));
  const auto step = V::fma(w, V::set(o.decay), V::div(V::mul(moments.m, V::set(o.correction1)), size));
  return V::fma(step, V::set(-o.learning_rate), w);
}

template <class V>
void adamw(const AdamW& o, const float* g, float* m, float* v, float* w, int64_t n) {
  for_vectors<V>(n, [&](int64_t i, int lanes) {
    const auto gradient = V::mul(load<V>(g + i, lanes), V::set(o.gradient_scale));
    const auto moments = adam_moments<V>(o, {load<V>(m + i, lanes), load<V>(v + i, lanes)}, gradient);
    store<V>(w + i, adam_step<V>(o, moments, load<V>(w + i, lanes)), lanes);
    store<V>(m + i, moments.m, lanes);
    store<V>(v + i, moments.v, lanes);
  });
}

// Chance for rounding: a sequence that fills [0, 1) evenly along a block (multiples of the golden ratio), moved by what
// block, step and tensor say.
template <class V>
inline float chance_of(uint64_t seed, uint64_t block) {
  uint64_t z = seed + (block + 1) * 0x9e3779b97f4a7c15ull;  // SplitMix64
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return static_cast<float>((z ^ (z >> 31)) >> 40) * 0x1.0p-24f;
}
// The largest whole number that is not above x >= 0.
template <class V>
inline typename V::F whole(typename V::F x) { return V::round(V::sub(x, V::set(0.5f))); }

template <class V>
inline typename V::F fourth_power(typename V::F x) {
  const auto square = V::mul(x, x);
  return V::mul(square, square);
}

// Of x in [0, 1], the code c in 0 .. most with x = (c / most)^4. Between two of them the one above is taken as often as
// makes the mean of what they stand for x. The mean of codes would not do: small numbers would grow with every rounding.
template <class V>
inline typename V::F to_code(typename V::F x, float most, const float* golden, float offset) {
  const auto place = V::add(V::load(golden), V::set(offset));
  const auto chance = V::sub(place, whole<V>(place));
  const auto root = V::mul(V::sqrt(V::sqrt(x)), V::set(most));
  const auto below = V::min(V::max(whole<V>(root), V::zero()), V::set(most)), above = V::add(below, V::set(1.0f));
  const auto low = fourth_power<V>(below), high = fourth_power<V>(above);
  const auto share = V::div(V::sub(fourth_power<V>(root), low), V::sub(high, low));
  return V::min(V::select_less(chance, share, above, below), V::set(most));
}

// A block's moments in f32, and the largest of each.
template <class V>
struct MomentBlock {
  float m[kStateBlock], v[kStateBlock];
  float m_largest, v_largest;
};

template <class V>
void encode_moments(const MomentBlock<V>& b, const AdamW8& s, int64_t block, const float* golden) {
  s.m_scales[block] = b.m_largest;
  s.v_scales[block] = b.v_largest;
  const auto index = static_cast<uint64_t>(s.first_block + block);
  const float m_offset = chance_of<V>(s.seed, 2 * index), v_offset = chance_of<V>(s.seed, 2 * index + 1);
  // Scales that are 0 or whose inverse is not a number are those of blocks of zeros, to f32 at least.
  const auto m_inverse = V::set(b.m_largest >= 0x1.0p-120f ? 1 / b.m_largest : 0.0f);
  const auto v_inverse = V::set(b.v_largest >= 0x1.0p-120f ? 1 / b.v_largest : 0.0f);
  for (int64_t i = 0; i < kStateBlock; i += V::kLanes) {
    const auto m = V::load(b.m + i), v = V::load(b.v + i);
    const auto code = to_code<V>(V::mul(V::abs(m), m_inverse), 127, golden + i, m_offset);
    V::store_i8(s.m + block * kStateBlock + i, V::select_less(m, V::zero(), V::sub(V::zero(), code), code));
    auto level = to_code<V>(V::mul(v, v_inverse), 255, golden + i, v_offset);
    // What is not 0 must not become it: steps are divided by its root.
    level = V::select_less(V::zero(), v, V::max(level, V::set(1.0f)), level);
    V::store_i8(s.v + block * kStateBlock + i, V::sub(level, V::set(128.0f)));
  }
}

template <class V>
void adamw8(const AdamW& o, const AdamW8& s, const float* g, float* w, int64_t n) {
  float golden[kStateBlock];
  for (int i = 0; i < kStateBlock; ++i) {
    const double turn = i * 0.6180339887498949;
    golden[i] = static_cast<float>(turn - static_cast<double>(static_cast<int>(turn)));
  }
  for (int64_t block = 0; block * kStateBlock < n; ++block) {
    const int64_t from = block * kStateBlock;
    MomentBlock<V> b;
    const auto m_scale = V::set(s.m_scales[block]), v_scale = V::set(s.v_scales[block]);
    auto m_largest = V::zero(), v_largest = V::zero();
    for (int64_t i = 0; i < kStateBlock; i += V::kLanes) {
      const int64_t left = n - from - i;
      const int lanes = static_cast<int>(left < 0 ? 0 : left < V::kLanes ? left : V::kLanes);
      const auto gradient = lanes == 0 ? V::zero() : V::mul(load<V>(g + from + i, lanes), V::set(o.gradient_scale));
      const auto c = V::load_i8(s.m + from + i), e = V::add(V::load_i8(s.v + from + i), V::set(128.0f));
      const auto m_size = V::mul(m_scale, fourth_power<V>(V::mul(c, V::set(1 / 127.0f))));
      const auto m = V::select_less(c, V::zero(), V::sub(V::zero(), m_size), m_size);
      const auto v = V::mul(v_scale, fourth_power<V>(V::mul(e, V::set(1 / 255.0f))));
      const auto moments = adam_moments<V>(o, {m, v}, gradient);
      if (lanes > 0) store<V>(w + from + i, adam_step<V>(o, moments, load<V>(w + from + i, lanes)), lanes);
      V::store(b.m + i, moments.m);
      V::store(b.v + i, moments.v);
      m_largest = V::max(m_largest, V::abs(moments.m));
      v_largest = V::max(v_largest, moments.v);
    }
    b.m_largest = V::max_lane(m_largest);
    b.v_largest = V::max_lane(v_largest);
    encode_moments<V>(b, s, block, golden);
  }
}

// Chen et al. 2023: the sign of a blend of momentum and gradient.
template <class V>
void lion(const Lion& o, const float* g, float* m, float* w, int64_t n) {
  for_vectors<V>(n, [&](int64_t i, int lanes) {
    const auto gradient = V::mul(load<V>(g + i, lanes), V::set(o.gradient_scale));
    const auto momentum = load<V>(m + i, lanes), weight = load<V>(w + i, lanes);
    const auto blend = V::fma(V::set(o.beta1), momentum, V::mul(V::set(1 - o.beta1), gradient));
    const auto negative = V::select_less(blend, V::zero(), V::set(-1.0f), V::zero());
    const auto sign = V::select_less(V::zero(), blend, V::set(1.0f), negative);
    store<V>(w + i, V::fma(V::fma(weight, V::set(o.decay), sign), V::set(-o.learning_rate), weight), lanes);
    store<V>(m + i, V::fma(V::set(o.beta2), momentum, V::mul(V::set(1 - o.beta2), gradient)), lanes);
  });
}

template <class V>
void sgd(const Sgd& o, const float* g, float* m, float* w, int64_t n) {
  for_vectors<V>(n, [&](int64_t i, int lanes) {
    const auto gradient = V::mul(load<V>(g + i, lanes), V::set(o.gradient_scale));
    const auto momentum = V::fma(V::set(o.momentum), load<V>(m + i, lanes), gradient);
    const auto step = o.nesterov ? V::fma(V::set(o.momentum), momentum, gradient) : momentum;
    const auto weight = load<V>(w + i, lanes);
    store<V>(w + i, V::fma(V::fma(weight, V::set(o.decay), step), V::set(-o.learning_rate), weight), lanes);
    store<V>(m + i, momentum, lanes);
  });
}

template <class V>  // V only keeps the copies of different instruction sets apart
double sum_squares(const float* x, int64_t n) {
  constexpr int kSums = 16;
  double sums[kSums] = {};
  int64_t i = 0;
  for (; i + kSums <= n; i += kSums) {
    for (int j = 0; j < kSums; ++j) sums[j] += static_cast<double>(x[i + j]) * x[i + j];
  }
  for (int j = 0; i + j < n; ++j) sums[j] += static_cast<double>(x[i + j]) * x[i + j];
  for (int half = kSums / 2; half > 0; half /= 2) {
    for (int j = 0; j < half; ++j) sums[j] += sums[j + half];
  }
  return sums[0];
}

}  // namespace minnow::body
