// Gradients of what works row by row, at every instruction set of this machine, against differences in float64.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "cpu/test_train.h"
#include "graph/graph.h"

namespace minnow {
namespace {

using test::between;
using test::normals;

class GradientRows : public test::EveryTrainIsa {};
INSTANTIATE_TEST_SUITE_P(, GradientRows, testing::ValuesIn(available_isas()), test::isa_name);

int64_t any_size(Random& random) { return random.below(3) == 0 ? between(random, 34, 300) : between(random, 1, 33); }

using Numbers = std::vector<double>;

Numbers rms_norm(const Numbers& x, const Numbers& w, const Numbers&, double eps) {
  double squares = 0;
  for (const double v : x) squares += v * v;
  Numbers y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) y[i] = x[i] / std::sqrt(squares / static_cast<double>(x.size()) + eps) * w[i];
  return y;
}
Numbers layer_norm(const Numbers& x, const Numbers& w, const Numbers& bias, double eps) {
  double mean = 0, variance = 0;
  for (const double v : x) mean += v / static_cast<double>(x.size());
  for (const double v : x) variance += (v - mean) * (v - mean) / static_cast<double>(x.size());
  Numbers y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) y[i] = (x[i] - mean) / std::sqrt(variance + eps) * w[i] + bias[i];
  return y;
}
using Norm = Numbers (*)(const Numbers&, const Numbers&, const Numbers&, double);

Numbers wide(std::span<const float> x) { return {x.begin(), x.end()}; }

// d (y . dy) / d(values[i])
double difference(Numbers& values, std::size_t i, const std::function<Numbers()>& y, std::span<const float> dy) {
  constexpr double kStep = 1e-5;
  const double x = values[i];
  double slope = 0;
  for (const double sign : {1.0, -1.0}) {
    values[i] = x + sign * kStep;
    const Numbers out = y();
    for (std::size_t j = 0; j < out.size(); ++j) slope += sign * out[j] * dy[j] / (2 * kStep);
  }
  values[i] = x;
  return slope;
}

struct NormCase {
  Norm norm;
  RowMoments (*backward)(const RowGradient&);
};

TEST_P(GradientRows, NormsGiveTheDifferencesOfTheirOutputs) {
  Random random(1);
  for (const NormCase& c : {NormCase{rms_norm, kernels().rms_norm_backward}, {layer_norm, kernels().layer_norm_backward}}) {
    for (int t = 0; t < test::tries(30); ++t) {
      const int64_t n = any_size(random) + 1, rows = between(random, 1, 3);
      const float eps = 1e-3f;
      const auto x = normals(random, rows * n, 2), w = normals(random, n), dy = normals(random, rows * n);
      std::vector<float> dx(x.size()), dw = normals(random, n), db = normals(random, n);
      const std::vector<float> dw_before = dw, db_before = db;
      std::vector<RowMoments> moments;
      for (int64_t r = 0; r < rows; ++r) {
        moments.push_back(c.backward({x.data() + r * n, w.data(), dy.data() + r * n, dx.data() + r * n, n, eps}));
        std::vector<float> in_place(dy.begin() + r * n, dy.begin() + (r + 1) * n);
        c.backward({x.data() + r * n, w.data(), in_place.data(), in_place.data(), n, eps});
        ASSERT_TRUE(test::same_bits(in_place, std::span(dx).subspan(static_cast<std::size_t>(r * n), in_place.size())));
      }
      const int64_t half = between(random, 0, n);  // by two members
      for (const auto& [begin, end] : {std::pair(int64_t{0}, half), {half, n}}) {
        kernels().column_sums({dy.data(), x.data(), moments.data(), rows, n, dw.data(), db.data(), begin, end});
      }
      Numbers weights = wide(w), bias(w.size()), dw_want = wide(dw_before), db_want = wide(db_before);
      for (int64_t r = 0; r < rows; ++r) {
        const auto row_dy = std::span(dy).subspan(static_cast<std::size_t>(r * n), w.size());
        Numbers row = wide(std::span(x).subspan(static_cast<std::size_t>(r * n), w.size()));
        const auto y = [&] { return c.norm(row, weights, bias, eps); };
        for (std::size_t i = 0; i < row.size(); ++i) {
          const double want = difference(row, i, y, row_dy);
          ASSERT_NEAR(dx[static_cast<std::size_t>(r * n) + i], want, 2e-5 * (1 + std::abs(want))) << i << " of " << n;
          dw_want[i] += difference(weights, i, y, row_dy);
          db_want[i] += row_dy[i];
        }
      }
      for (std::size_t i = 0; i < dw.size(); ++i) {
        ASSERT_NEAR(dw[i], dw_want[i], 2e-5 * (1 + std::abs(dw_want[i])));
        ASSERT_NEAR(db[i], db_want[i], 1e-6 * (4 + std::abs(db_want[i])));
      }
    }
  }
}

TEST_P(GradientRows, ColumnSumsOfManyRowsKeepTheirDigits) {
  Random random(2);
  const int64_t rows = 3001, n = 37;
  const auto dy = normals(random, rows * n);
  std::vector<float> sums(static_cast<std::size_t>(n), 0.5f);
  kernels().column_sums({.dy = dy.data(), .n_rows = rows, .stride = n, .dbias = sums.data(), .column_begin = 3, .column_end = n});
  for (int64_t c = 0; c < n; ++c) {
    double want = 0.5;
    for (int64_t r = 0; c >= 3 && r < rows; ++r) want += dy[static_cast<std::size_t>(r * n + c)];
    ASSERT_NEAR(sums[static_cast<std::size_t>(c)], want, 1e-4);
  }
}

TEST_P(GradientRows, ScatteredRowsAddUpInOrder) {
  Random random(3);
  const int64_t rows = 200, width = 45, vocabulary = 20;
  const auto dy = normals(random, rows * width);
  std::vector<int32_t> ids;
  for (int64_t t = 0; t < rows; ++t) ids.push_back(static_cast<int32_t>(between(random, -1, vocabulary - 1)));
  std::vector<float> dw(static_cast<std::size_t>(vocabulary * width), 1.0f), want = dw;
  for (int64_t t = 0; t < rows; ++t) {
    for (int64_t c = 0; ids[static_cast<std::size_t>(t)] >= 0 && c < width; ++c) {
      want[static_cast<std::size_t>(ids[static_cast<std::size_t>(t)] * width + c)] += dy[static_cast<std::size_t>(t * width + c)];
    }
  }
  for (const auto& [begin, end] : {std::pair(0, 7), {7, 45}}) {
    kernels().scatter_rows({dy.data(), ids.data(), rows, width, dw.data(), begin, end});
  }
  EXPECT_TRUE(test::same_bits(dw, want));
}

double phi(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }
double value_of(UnaryFn fn, double x) {
  switch (fn) {
    case UnaryFn::kSilu: return x / (1 + std::exp(-x));
    case UnaryFn::kGeluTanh: return 0.5 * x * (1 + std::tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
    case UnaryFn::kGelu: return x * phi(x);
    case UnaryFn::kRelu: return std::max(x, 0.0);
    case UnaryFn::kReluSquared: return std::max(x, 0.0) * std::max(x, 0.0);
    case UnaryFn::kTanh: return std::tanh(x);
  }
  return 0;
}
double slope_of(UnaryFn fn, double x) { return (value_of(fn, x + 1e-6) - value_of(fn, x - 1e-6)) / 2e-6; }

TEST_P(GradientRows, ActivationsGiveTheDifferencesOfTheirOutputs) {
  Random random(4);
  for (int t = 0; t < test::tries(60); ++t) {
    const int64_t n = any_size(random);
    const auto x = normals(random, n, 3), up = normals(random, n), dy = normals(random, n);
    for (int f = 0; f < kNumUnaryFns; ++f) {
      const auto fn = static_cast<UnaryFn>(f);
      std::vector<float> dx(x.size()), dgate(x.size()), dup(x.size());
      kernels().unary_backward[f](x.data(), dy.data(), dx.data(), n);
      kernels().gated_backward[f](x.data(), up.data(), dy.data(), dgate.data(), dup.data(), n);
      for (std::size_t i = 0; i < x.size(); ++i) {
        const double slope = slope_of(fn, x[i]), size = (1 + std::abs(slope)) * (1 + std::abs(dy[i])) * (1 + std::abs(up[i]));
        ASSERT_NEAR(dx[i], slope * dy[i], 2e-6 * size) << "function " << f << " of " << x[i];
        ASSERT_NEAR(dgate[i], slope * dy[i] * up[i], 2e-6 * size) << "function " << f << " of " << x[i];
        ASSERT_NEAR(dup[i], value_of(fn, x[i]) * dy[i], 2e-6 * (1 + std::abs(x[i] * x[i])) * size) << "function " << f;
      }
      std::vector<float> gate = x, value = up;
      kernels().gated_backward[f](gate.data(), value.data(), dy.data(), gate.data(), value.data(), n);
      ASSERT_TRUE(test::same_bits(gate, dgate) && test::same_bits(value, dup));
    }
  }
}

TEST_P(GradientRows, ActivationsOfHugeInputsAreFlatOrSteady) {
  const std::vector<float> x = {-1e30f, -1e10f, -100, 100, 1e10f, 1e30f}, dy(6, 1.0f);
  std::vector<float> dx(6);
  for (const auto fn : {UnaryFn::kSilu, UnaryFn::kGeluTanh, UnaryFn::kGelu, UnaryFn::kRelu}) {
    kernels().unary_backward[static_cast<int>(fn)](x.data(), dy.data(), dx.data(), 6);
    for (std::size_t i = 0; i < 6; ++i) EXPECT_NEAR(dx[i], x[i] > 0 ? 1 : 0, 1e-6) << static_cast<int>(fn) << " " << x[i];
  }
  kernels().softcap_backward(x.data(), dy.data(), 30, dx.data(), 6);
  for (std::size_t i = 0; i < 6; ++i) EXPECT_NEAR(dx[i], 1 / std::pow(std::cosh(x[i] / 30.0), 2), 1e-6);
}

TEST_P(GradientRows, SoftcapKeepsItsDigitsFarOut) {
  Random random(5);
  const auto x = normals(random, 333, 40), dy = normals(random, 333);
  std::vector<float> dx(x.size());
  kernels().softcap_backward(x.data(), dy.data(), 15, dx.data(), 333);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double want = dy[i] / std::pow(std::cosh(x[i] / 15.0), 2);
    ASSERT_NEAR(dx[i], want, 4e-6 * std::abs(want));
  }
}

// Rotary embedding needs no kernel of its own: turned back, a rotation is one by the negated angle.
TEST_P(GradientRows, RopeWithNegatedSinesIsItsOwnGradient) {
  Random random(6);
  const Kernels& forward = kernels_for(GetParam());
  for (const auto rope : {forward.rope_halves, forward.rope_interleaved}) {
    const int64_t n_freq = 21, dim = 47;
    const auto x = normals(random, dim), dy = normals(random, dim);
    auto table = normals(random, 2 * n_freq);
    std::vector<float> y(x.size()), dx(x.size());
    rope(x.data(), table.data(), y.data(), dim, n_freq);
    for (int64_t i = n_freq; i < 2 * n_freq; ++i) table[static_cast<std::size_t>(i)] *= -1;
    rope(dy.data(), table.data(), dx.data(), dim, n_freq);
    double forward_product = 0, backward_product = 0;  // (R x) . dy = x . (R^T dy)
    for (std::size_t i = 0; i < x.size(); ++i) {
      forward_product += static_cast<double>(y[i]) * dy[i];
      backward_product += static_cast<double>(x[i]) * dx[i];
    }
    EXPECT_NEAR(forward_product, backward_product, 1e-5 * (1 + std::abs(forward_product)));
  }
}

}  // namespace
}  // namespace minnow
