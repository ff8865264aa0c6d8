// Steps of optimizers, at every instruction set of this machine, against float64.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "cpu/test_train.h"

namespace minnow {
namespace {

using test::between;
using test::normals;

class Optimizers : public test::EveryTrainIsa {};
INSTANTIATE_TEST_SUITE_P(, Optimizers, testing::ValuesIn(available_isas()), test::isa_name);

using Numbers = std::vector<double>;

AdamW adamw_of(int step) {
  AdamW o{.learning_rate = 1e-2f, .beta1 = 0.9f, .beta2 = 0.95f, .eps = 1e-8f, .decay = 0.1f, .gradient_scale = 0.5f};
  o.correction1 = static_cast<float>(1 / (1 - std::pow(0.9, step)));
  o.correction2 = static_cast<float>(1 / (1 - std::pow(0.95, step)));
  return o;
}
void reference(const AdamW& o, std::span<const float> g, Numbers* m, Numbers* v, Numbers* w) {
  for (std::size_t i = 0; i < g.size(); ++i) {
    const double x = static_cast<double>(g[i]) * o.gradient_scale;
    (*m)[i] = o.beta1 * (*m)[i] + (1.0 - o.beta1) * x;
    (*v)[i] = o.beta2 * (*v)[i] + (1.0 - o.beta2) * x * x;
    const double step = (*m)[i] * o.correction1 / (std::sqrt((*v)[i] * o.correction2) + o.eps);
    (*w)[i] -= o.learning_rate * (step + o.decay * (*w)[i]);
  }
}
void expect_close(std::span<const float> got, const Numbers& want, double most) {
  for (std::size_t i = 0; i < want.size(); ++i) ASSERT_NEAR(got[i], want[i], most * (1 + std::abs(want[i]))) << i;
}

TEST_P(Optimizers, AdamWTakesTheStepsOfItsDefinition) {
  Random random(1);
  for (int t = 0; t < test::tries(30); ++t) {
    const int64_t n = between(random, 1, 300);
    std::vector<float> w = normals(random, n), m(w.size()), v(w.size());
    Numbers w64(w.begin(), w.end()), m64(w.size()), v64(w.size());
    for (int step = 1; step <= 5; ++step) {
      const auto g = normals(random, n, step == 3 ? 1e-4 : 1);
      kernels().adamw(adamw_of(step), g.data(), m.data(), v.data(), w.data(), n);
      reference(adamw_of(step), g, &m64, &v64, &w64);
    }
    expect_close(w, w64, 1e-6);
    expect_close(m, m64, 1e-6);
    expect_close(v, v64, 1e-6);
  }
}

TEST_P(Optimizers, LionAndSgdTakeTheStepsOfTheirDefinitions) {
  Random random(2);
  const Lion lion{1e-3f, 0.9f, 0.99f, 0.1f, 2.0f};
  for (const bool nesterov : {false, true}) {
    const Sgd sgd{1e-2f, 0.9f, 0.01f, 2.0f, nesterov};
    const int64_t n = between(random, 1, 300);
    std::vector<float> a = normals(random, n), b = a, ma(a.size()), mb(a.size());
    Numbers a64(a.begin(), a.end()), b64 = a64, ma64(a.size()), mb64(a.size());
    for (int step = 0; step < 5; ++step) {
      auto g = normals(random, n);
      if (step == 0) g[0] = 0;  // a blend of 0 has no sign
      kernels().lion(lion, g.data(), ma.data(), a.data(), n);
      kernels().sgd(sgd, g.data(), mb.data(), b.data(), n);
      for (std::size_t i = 0; i < g.size(); ++i) {
        const double x = 2.0 * g[i], blend = lion.beta1 * ma64[i] + (1.0 - lion.beta1) * x;
        a64[i] -= lion.learning_rate * ((blend > 0) - (blend < 0) + lion.decay * a64[i]);
        ma64[i] = lion.beta2 * ma64[i] + (1.0 - lion.beta2) * x;
        mb64[i] = sgd.momentum * mb64[i] + x;
        b64[i] -= sgd.learning_rate * ((nesterov ? sgd.momentum * mb64[i] + x : mb64[i]) + sgd.decay * b64[i]);
      }
    }
    expect_close(a, a64, 1e-6);
    expect_close(b, b64, 2e-6);
    expect_close(ma, ma64, 1e-6);
    expect_close(mb, mb64, 2e-6);
  }
}

struct States8 {
  std::vector<int8_t> m, v;
  std::vector<float> m_scales, v_scales;

  explicit States8(int64_t n)
      : m(static_cast<std::size_t>((n + 255) / 256 * 256), 99), v(m), m_scales(m.size() / 256), v_scales(m_scales) {}
  AdamW8 at(int64_t block, uint64_t seed) {
    return {m.data() + block * 256, v.data() + block * 256, m_scales.data() + block, v_scales.data() + block, seed, block};
  }
};

TEST_P(Optimizers, AdamWOnBytesFollowsTheOneOnFloats) {
  Random random(3);
  const int64_t n = 1000;
  const auto start = normals(random, n), target = normals(random, n);
  std::vector<float> w = start, w8 = start, m(w.size()), v(w.size());
  States8 states(n);
  // A quadratic bowl, with curvatures over five decades in each block.
  const auto gradient = [&](const std::vector<float>& x) {
    std::vector<float> g(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) g[i] = (x[i] - target[i]) * std::pow(10.0f, -static_cast<float>(i % 6));
    return g;
  };
  for (int step = 1; step <= 300; ++step) {
    AdamW o = adamw_of(step);
    o.decay = 0;
    kernels().adamw(o, gradient(w).data(), m.data(), v.data(), w.data(), n);
    kernels().adamw8(o, states.at(0, static_cast<uint64_t>(step)), gradient(w8).data(), w8.data(), n);
  }
  double away = 0, away8 = 0, at_start = 0;
  for (std::size_t i = 0; i < w.size(); ++i) {
    away += std::abs(w[i] - target[i]);
    away8 += std::abs(w8[i] - target[i]);
    at_start += std::abs(start[i] - target[i]);
    // What is far smaller than the rest of its block may lag behind, but no step is wild.
    ASSERT_LE(std::abs(w8[i] - target[i]), std::abs(start[i] - target[i]) + 0.3) << i;
  }
  EXPECT_LT(away, 0.1 * at_start);
  EXPECT_LT(away8, 0.2 * at_start);
}

TEST_P(Optimizers, FirstStepOnBytesIsThatOnFloats) {
  Random random(4);
  const int64_t n = 777;
  const auto start = normals(random, n), g = normals(random, n);
  std::vector<float> w = start, w8 = start, m(w.size()), v(w.size());
  States8 states(n);
  kernels().adamw(adamw_of(1), g.data(), m.data(), v.data(), w.data(), n);
  kernels().adamw8(adamw_of(1), states.at(0, 1), g.data(), w8.data(), n);
  EXPECT_TRUE(test::same_bits(w, w8));
  for (std::size_t i = 0; i < w.size(); ++i) {
    const double c = states.m[i] / 127.0, e = (states.v[i] + 128) / 255.0;
    const double m8 = states.m_scales[i / 256] * c * std::pow(std::abs(c), 3), v8 = states.v_scales[i / 256] * e * e * e * e;
    const double m_step = states.m_scales[i / 256] * 4 * std::pow(std::abs(c) + 1 / 127.0, 3) / 127;
    const double v_step = states.v_scales[i / 256] * 4 * std::pow(e + 1 / 255.0, 3) / 255;
    ASSERT_LE(std::abs(m8 - m[i]), m_step);
    ASSERT_LE(std::abs(v8 - v[i]), v_step);
    ASSERT_TRUE(v[i] == 0 || v8 > 0) << "a step would be divided by 0";
  }
}

// Otherwise what is small in its block grows by being rounded, step after step.
TEST_P(Optimizers, RoundingByChanceKeepsTheMeanOfLargeAndSmall) {
  constexpr int64_t kBlocks = 400;
  const int64_t n = kBlocks * 256;
  for (const float small : {0.3f, 1e-3f, 1e-5f, 1e-7f}) {
    std::vector<float> g(static_cast<std::size_t>(n), -small), w(g.size());
    for (std::size_t i = 0; i < g.size(); i += 256) g[i] = 1;
    States8 states(n);
    AdamW o = adamw_of(1);
    o.gradient_scale = 1;
    kernels().adamw8(o, states.at(0, 7), g.data(), w.data(), n);
    double m = 0, v = 0;
    for (std::size_t i = 0; i < g.size(); ++i) {
      if (i % 256 == 0) continue;
      m -= states.m_scales[i / 256] * std::copysign(std::pow(states.m[i] / 127.0, 4), states.m[i]) / (kBlocks * 255);
      v += states.v_scales[i / 256] * std::pow((states.v[i] + 128) / 255.0, 4) / (kBlocks * 255);
    }
    EXPECT_NEAR(m, 0.1 * small, 0.01 * 0.1 * small) << small;
    if (small > 1e-4f) {  // below, v is rounded up
      EXPECT_NEAR(v, 0.05 * small * small, 0.01 * 0.05 * small * small) << small;
    }
  }
}

TEST_P(Optimizers, RangesThatBeginAtBlocksGiveTheBitsOfTheWhole) {
  Random random(5);
  const int64_t n = 5 * 256 + 13;
  const auto start = normals(random, n);
  std::vector<float> whole = start, parts = start;
  States8 a(n), b(n);
  for (int step = 1; step <= 3; ++step) {
    const auto g = normals(random, n);
    const auto seed = static_cast<uint64_t>(step);
    kernels().adamw8(adamw_of(step), a.at(0, seed), g.data(), whole.data(), n);
    kernels().adamw8(adamw_of(step), b.at(2, seed), g.data() + 512, parts.data() + 512, n - 512);
    kernels().adamw8(adamw_of(step), b.at(0, seed), g.data(), parts.data(), 512);
  }
  EXPECT_TRUE(test::same_bits(whole, parts));
  EXPECT_EQ(a.m, b.m);
  EXPECT_EQ(a.v, b.v);
}

TEST_P(Optimizers, SumsOfSquaresAreTheSameEverywhere) {
  Random random(6);
  for (int t = 0; t < test::tries(50); ++t) {
    const auto x = normals(random, between(random, 0, 3000), 10);
    double want = 0;
    for (const float v : x) want += static_cast<double>(v) * v;
    const double sum = kernels().sum_squares(x.data(), static_cast<int64_t>(x.size()));
    ASSERT_NEAR(sum, want, 1e-13 * want);
    ASSERT_EQ(sum, train_kernels_for(Isa::kBaseline).sum_squares(x.data(), static_cast<int64_t>(x.size())));
  }
}

}  // namespace
}  // namespace minnow
