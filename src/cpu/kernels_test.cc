// Kernels on rows of floats, at every instruction set of this machine, against float64.
#include "cpu/kernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "cpu/test_values.h"
#include "graph/graph.h"

namespace minnow {
namespace {

using test::between;
using test::kUnit;
using test::normals;

class RowKernels : public test::EveryIsa {};
INSTANTIATE_TEST_SUITE_P(, RowKernels, testing::ValuesIn(available_isas()), test::isa_name);

double silu(double x) { return x / (1 + std::exp(-x)); }
double gelu_tanh(double x) {
  return 0.5 * x * (1 + std::tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
}

// Sizes around every vector width, then larger odd ones.
int64_t any_size(Random& random) {
  return random.below(3) == 0 ? between(random, 34, 700) : between(random, 1, 33);
}

// y must be within relative * |want| + absolute of want.
void expect_near(std::span<const float> y, const std::vector<double>& want, double relative,
                 double absolute) {
  ASSERT_EQ(y.size(), want.size());
  for (std::size_t i = 0; i < want.size(); ++i) {
    ASSERT_LE(std::abs(y[i] - want[i]), relative * std::abs(want[i]) + absolute)
        << "at " << i << " of " << want.size();
  }
}

TEST_P(RowKernels, AddMulAndScaleRoundOnce) {
  Random random(1);
  for (int t = 0; t < test::tries(300); ++t) {
    const int64_t n = any_size(random);
    const auto a = normals(random, n), b = normals(random, n);
    std::vector<float> sum(a.size()), product(a.size()), scaled(a.size());
    kernels().add(a.data(), b.data(), sum.data(), n);
    kernels().mul(a.data(), b.data(), product.data(), n);
    kernels().scale(a.data(), b[0], scaled.data(), n);
    for (std::size_t i = 0; i < a.size(); ++i) {
      ASSERT_EQ(sum[i], a[i] + b[i]);
      ASSERT_EQ(product[i], a[i] * b[i]);
      ASSERT_EQ(scaled[i], a[i] * b[0]);
    }
    kernels().add(sum.data(), b.data(), sum.data(), n);  // in place
    for (std::size_t i = 0; i < a.size(); ++i) ASSERT_EQ(sum[i], (a[i] + b[i]) + b[i]);
  }
}

TEST_P(RowKernels, ActivationsAreWithinAFewUlp) {
  Random random(2);
  for (int t = 0; t < test::tries(300); ++t) {
    const int64_t n = any_size(random);
    const double deviation = std::exp2(static_cast<double>(between(random, -6, 5)));
    const auto x = normals(random, n, deviation), up = normals(random, n);
    std::vector<float> y(x.size());
    std::vector<double> want(x.size());
    const auto expect = [&](const std::function<double(std::size_t)>& f, double relative, double absolute) {
      for (std::size_t i = 0; i < x.size(); ++i) want[i] = f(i);
      expect_near(y, want, relative, absolute);
    };
    // The argument of e^x carries a rounding of its own: an error in proportion to it. Far out on the left
    // the true value fades below what sigmoid's smallest result times x gives.
    const double relative = 24 * kUnit + 4 * kUnit * 8 * deviation;
    kernels().unary[0](x.data(), y.data(), n);
    expect([&](std::size_t i) { return silu(x[i]); }, relative, 1e-30);
    kernels().gated[0](x.data(), up.data(), y.data(), n);
    expect([&](std::size_t i) { return silu(x[i]) * up[i]; }, relative, 1e-30);
    kernels().unary[1](x.data(), y.data(), n);
    expect([&](std::size_t i) { return gelu_tanh(x[i]); }, relative, 4e-6);
    kernels().gated[1](x.data(), up.data(), y.data(), n);
    expect([&](std::size_t i) { return gelu_tanh(x[i]) * up[i]; }, relative, 2e-5);
    const auto unary = [&](UnaryFn fn) { kernels().unary[static_cast<int>(fn)](x.data(), y.data(), n); };
    unary(UnaryFn::kGelu);  // the formula for erf is good to 1.5e-7
    expect([&](std::size_t i) { return 0.5 * x[i] * std::erfc(-x[i] / std::sqrt(2.0)); }, 1e-6, 1e-6 * deviation);
    unary(UnaryFn::kRelu);
    expect([&](std::size_t i) { return std::max(x[i], 0.0f); }, 0, 0);
    unary(UnaryFn::kReluSquared);
    expect([&](std::size_t i) { return std::pow(std::max(x[i], 0.0f), 2.0); }, kUnit, 0);
    unary(UnaryFn::kTanh);
    expect([&](std::size_t i) { return std::tanh(x[i]); }, 0, 16 * kUnit);
    const auto cap = static_cast<float>(1 + 49 * random.uniform());
    kernels().softcap(x.data(), cap, y.data(), n);
    expect([&](std::size_t i) { return cap * std::tanh(x[i] / cap); }, 0, 16 * kUnit * cap);
  }
}

TEST_P(RowKernels, ActivationsOfHugeInputsAreFinite) {
  for (const float huge : {60.0f, 88.0f, 90.0f, 1e3f, 1e10f, 1e30f}) {
    const std::vector<float> x = {huge, -huge, 0, -0.0f, huge, -huge, 1, -1, huge};
    const auto n = static_cast<int64_t>(x.size());
    std::vector<float> y(x.size());
    kernels().unary[0](x.data(), y.data(), n);
    for (std::size_t i = 0; i < x.size(); ++i) {
      ASSERT_NEAR(y[i], silu(x[i]), 1e-6 * std::max(1.0, std::abs(silu(x[i])))) << x[i];
    }
    kernels().softcap(x.data(), 30, y.data(), n);
    for (std::size_t i = 0; i < x.size(); ++i) ASSERT_NEAR(y[i], 30 * std::tanh(x[i] / 30.0), 1e-4) << x[i];
    if (huge > 1e11f) continue;  // x^3 overflows
    kernels().unary[1](x.data(), y.data(), n);
    for (std::size_t i = 0; i < x.size(); ++i) {
      ASSERT_NEAR(y[i], gelu_tanh(x[i]), 1e-6 * std::max(1.0, std::abs(gelu_tanh(x[i])))) << x[i];
    }
  }
}

TEST_P(RowKernels, ANanStaysANan) {
  const std::vector<float> x = {1, std::numeric_limits<float>::quiet_NaN(), 2};
  std::vector<float> y(3);
  for (const auto kernel : kernels().unary) {
    kernel(x.data(), y.data(), 3);
    EXPECT_TRUE(std::isnan(y[1]));
    EXPECT_FALSE(std::isnan(y[0]) || std::isnan(y[2]));
  }
}

TEST_P(RowKernels, LayerNormIsWithinTheRoundingOfItsSums) {
  Random random(12);
  for (int t = 0; t < test::tries(200); ++t) {
    const int64_t n = any_size(random) + 1;
    auto x = normals(random, n, 3);
    const auto w = normals(random, n), bias = normals(random, n);
    for (float& v : x) v += 5;
    double mean = 0, variance = 0;
    for (const float v : x) mean += v / static_cast<double>(n);
    for (const float v : x) variance += (v - mean) * (v - mean) / static_cast<double>(n);
    std::vector<double> want(x.size());
    std::vector<float> y(x.size());
    for (const float* b : {bias.data(), static_cast<const float*>(nullptr)}) {
      for (std::size_t i = 0; i < x.size(); ++i) {
        want[i] = (x[i] - mean) / std::sqrt(variance + 1e-5) * w[i] + (b != nullptr ? b[i] : 0);
      }
      kernels().layer_norm(x.data(), w.data(), b, y.data(), n, 1e-5f);
      expect_near(y, want, 1e-5, 2e-5);
    }
    kernels().layer_norm(x.data(), w.data(), nullptr, x.data(), n, 1e-5f);  // in place
    expect_near(x, want, 1e-5, 2e-5);
  }
}

TEST_P(RowKernels, RmsNormIsWithinTheRoundingOfItsSum) {
  Random random(3);
  for (int t = 0; t < test::tries(300); ++t) {
    const int64_t n = any_size(random);
    const auto x = normals(random, n, std::exp2(static_cast<double>(between(random, -8, 8)))),
               w = normals(random, n);
    const float eps = 1e-5f;
    double squares = 0;
    for (const float v : x) squares += static_cast<double>(v) * v;
    std::vector<double> want(x.size());
    for (std::size_t i = 0; i < x.size(); ++i)
      want[i] = x[i] / std::sqrt(squares / static_cast<double>(n) + eps) * w[i];
    std::vector<float> y(x.size());
    kernels().rms_norm(x.data(), w.data(), y.data(), n, eps);
    expect_near(y, want, (static_cast<double>(n) / 8 + 12) * kUnit, 0);
    std::vector<float> in_place = x;
    kernels().rms_norm(in_place.data(), w.data(), in_place.data(), n, eps);
    ASSERT_TRUE(test::same_bits(y, in_place));
  }
}

TEST_P(RowKernels, RopeRotatesPairsAndCopiesTheRest) {
  Random random(4);
  for (int t = 0; t < test::tries(300); ++t) {
    const int64_t n_freq = between(random, 1, 70),
                  head_dim = 2 * n_freq + (random.below(2) == 0 ? 0 : between(random, 1, 40));
    const auto x = normals(random, head_dim);
    std::vector<float> table(static_cast<std::size_t>(2 * n_freq));
    for (int64_t i = 0; i < n_freq; ++i) {
      const double angle = random.uniform() * 6.3;
      table[static_cast<std::size_t>(i)] = static_cast<float>(std::cos(angle));
      table[static_cast<std::size_t>(n_freq + i)] = static_cast<float>(std::sin(angle));
    }
    for (const bool halves : {false, true}) {
      const auto kernel = halves ? kernels().rope_halves : kernels().rope_interleaved;
      std::vector<double> want(x.begin(), x.end());
      for (int64_t i = 0; i < n_freq; ++i) {
        const auto a = static_cast<std::size_t>(halves ? i : 2 * i),
                   b = static_cast<std::size_t>(halves ? i + n_freq : 2 * i + 1);
        const double c = table[static_cast<std::size_t>(i)], s = table[static_cast<std::size_t>(n_freq + i)];
        want[a] = x[a] * c - x[b] * s;
        want[b] = x[a] * s + x[b] * c;
      }
      std::vector<float> y(x.size());
      kernel(x.data(), table.data(), y.data(), head_dim, n_freq);
      expect_near(y, want, 0, 4 * kUnit * 6);
      for (auto i = static_cast<std::size_t>(2 * n_freq); i < x.size(); ++i) ASSERT_EQ(y[i], x[i]);
      std::vector<float> in_place = x;
      kernel(in_place.data(), table.data(), in_place.data(), head_dim, n_freq);
      ASSERT_TRUE(test::same_bits(y, in_place));
    }
  }
}

// The codes of a block and its scale, whatever else the form of block holds.
template <typename Block>
void expect_nearest_codes(const Block& block, const float* x, int n) {
  float largest = 0;
  for (int i = 0; i < n; ++i) largest = std::max(largest, std::abs(x[i]));
  ASSERT_EQ(block.d, largest / 127.0f);
  for (int i = 0; i < Block::kColumns; ++i) {
    if (i >= n) {
      ASSERT_EQ(block.q[i], 0);
      continue;
    }
    // The same at every instruction set: each operation on the way is correctly rounded.
    ASSERT_EQ(block.q[i], largest > 0 ? std::nearbyint(x[i] * (127.0f / largest)) : 0);
    ASSERT_LE(std::abs(static_cast<double>(block.q[i]) * block.d - x[i]), block.d * 0.5 + largest * 4 * kUnit);
  }
}

int sum_of(const int8_t* q, int n) {
  int sum = 0;
  for (int i = 0; i < n; ++i) sum += q[i];
  return sum;
}

std::vector<float> any_activations(Random& random, int t, int64_t n) {
  auto x = normals(random, n, std::exp2(static_cast<double>(between(random, -20, 20))));
  if (t % 5 == 0) std::fill_n(x.begin(), std::min<int64_t>(n, 256), 0.0f);
  return x;
}

TEST_P(RowKernels, QuantizeTakesTheNearestCodesAndSumsThem) {
  Random random(5);
  for (int t = 0; t < test::tries(200); ++t) {
    const int64_t blocks = between(random, 1, 9);
    const auto x = any_activations(random, t, blocks * 32);
    std::vector<ActBlock32> y(static_cast<std::size_t>(blocks));
    kernels().quantize_32(x.data(), y.data(), blocks * 32);
    for (std::size_t b = 0; b < y.size(); ++b) {
      expect_nearest_codes(y[b], x.data() + 32 * b, 32);
      ASSERT_EQ(y[b].neg_sum, -sum_of(y[b].q, 32));
      ASSERT_EQ(y[b].d_sum, y[b].d * static_cast<float>(sum_of(y[b].q, 32)));
    }
  }
}

TEST_P(RowKernels, QuantizeInLongBlocksFillsTheLastOneUp) {
  Random random(7);
  for (int t = 0; t < test::tries(100); ++t) {
    const int64_t n = 64 * between(random, 1, 17);
    const auto x = any_activations(random, t, n);
    std::vector<ActBlock256> y(static_cast<std::size_t>((n + 255) / 256));
    kernels().quantize_256(x.data(), y.data(), n);
    for (std::size_t b = 0; b < y.size(); ++b) {
      expect_nearest_codes(y[b], x.data() + 256 * b, static_cast<int>(std::min<int64_t>(256, n - 256 * static_cast<int64_t>(b))));
      for (int i = 0; i < 16; ++i) {
        ASSERT_EQ(y[b].neg_sum[i], -sum_of(y[b].q + 16 * i, 16));
        ASSERT_EQ(y[b].sum16[i], sum_of(y[b].q + 16 * i, 16));
        ASSERT_EQ(y[b].sum32[i / 2], sum_of(y[b].q + i / 2 * 32, 32));
      }
    }
  }
}

TEST_P(RowKernels, QuantizeOfTheSmallestNumbersIsNotOffByMoreThanThey) {
  for (const float largest : {1e-45f, 1e-40f, 1e-38f, 1e-37f, 1e-36f, 1e-35f, 1e-30f}) {
    std::vector<float> x(32);
    for (std::size_t i = 0; i < 32; ++i) x[i] = largest * (static_cast<float>(i) - 15.5f) / 16.5f;
    x[31] = largest;
    ActBlock32 y;
    kernels().quantize_32(x.data(), &y, 32);
    for (std::size_t i = 0; i < 32; ++i) {
      ASSERT_GE(y.q[i], -127);
      ASSERT_LE(std::abs(static_cast<double>(y.q[i]) * y.d - x[i]), y.d * 0.51 + 4e-36)
          << largest << " " << x[i];
    }
  }
}

TEST_P(RowKernels, TheYardsticksCountTheirWork) {
  std::vector<float> memory(2048, 1.0f);
  EXPECT_GT(kernels().read_memory(memory.data(), 8192), 0);
  EXPECT_EQ(kernels().bf16_rate == nullptr, kernels().matmul_bf16_as_bf16 == nullptr);
  for (const auto rate : {kernels().int8_rate, kernels().bf16_rate, kernels().f32_rate}) {
    if (rate == nullptr) continue;
    int64_t once = 0, twice = 0;
    EXPECT_TRUE(std::isfinite(rate(100, &once)));
    rate(200, &twice);
    EXPECT_GT(once, 0);
    EXPECT_EQ(twice, 2 * once);
  }
}

}  // namespace
}  // namespace minnow
