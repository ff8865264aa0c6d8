// Steps of optimizers over several tensors, against their formulas in float64.
#include "train/optimizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "base/error.h"
#include "base/random.h"
#include "cpu/dense_matmul.h"

namespace minnow {
namespace {

using Numbers = std::vector<double>;

// A matrix that decays and a vector that does not, of several pieces of work.
struct Tensors {
  std::vector<float> w[2], g[2];
  explicit Tensors(uint64_t seed = 1) {
    Random random(seed);
    for (int i = 0; i < 2; ++i) {
      for (int j = 0; j < (i == 0 ? 70000 : 300); ++j) {
        w[i].push_back(static_cast<float>(random.normal()));
        g[i].push_back(static_cast<float>(random.normal() * 0.1));
      }
    }
  }
  std::vector<TrainedTensor> all() { return {{"matrix", w[0], g[0], true}, {"vector", w[1], g[1], false}}; }
};

Optimizer make(Tensors& t, OptimizerKind kind, float decay = 0.1f) {
  return Optimizer(t.all(), {.kind = kind, .decay = decay}, train_kernels_for(chosen_isa()));
}

// Of one parameter after three steps with the same gradient.
double after_steps(OptimizerKind kind, double w, double g, double decay) {
  const double b1 = 0.9f, b2 = 0.95f, rate = 0.01;
  double m = 0, v = 0;
  for (int t = 1; t <= 3; ++t) {
    double step = 0;
    if (kind == OptimizerKind::kAdamW) {
      m = b1 * m + (1 - b1) * g;
      v = b2 * v + (1 - b2) * g * g;
      step = m / (1 - std::pow(b1, t)) / (std::sqrt(v / (1 - std::pow(b2, t))) + 1e-8);
    } else if (kind == OptimizerKind::kLion) {
      const double blend = b1 * m + (1 - b1) * g;
      step = blend > 0 ? 1 : blend < 0 ? -1 : 0;
      m = b2 * m + (1 - b2) * g;
    } else {
      m = 0.9f * m + g;
      step = m;
    }
    w -= rate * (step + decay * w);
  }
  return w;
}

class OptimizerOf : public testing::TestWithParam<OptimizerKind> {};
INSTANTIATE_TEST_SUITE_P(, OptimizerOf, testing::Values(OptimizerKind::kAdamW, OptimizerKind::kLion, OptimizerKind::kSgd),
                         [](const auto& k) { return std::string(name(k.param)); });

TEST_P(OptimizerOf, StepsAsItsFormulaSaysAndDecaysMatricesOnly) {
  Tensors t;
  const Tensors before = t;
  Optimizer optimizer = make(t, GetParam());
  ThreadPool pool(2);
  for (int i = 0; i < 3; ++i) optimizer.step(pool, 0.01, 0.5);
  EXPECT_EQ(optimizer.steps(), 3);
  for (int i = 0; i < 2; ++i) {
    double error = 0;
    for (std::size_t j = 0; j < t.w[i].size(); ++j) {
      error = std::max(error, std::abs(t.w[i][j] - after_steps(GetParam(), before.w[i][j], 0.5 * before.g[i][j], i == 0 ? 0.1f : 0)));
    }
    EXPECT_LT(error, 1e-6);
  }
}

TEST(Optimizer, HasTheSameBitsForAnyNumberOfThreadsAndAfterItsStateWasRestored) {
  for (const auto kind : {OptimizerKind::kAdamW, OptimizerKind::kAdamW8, OptimizerKind::kLion, OptimizerKind::kSgd}) {
    Tensors one, many, restored;
    ThreadPool alone(1), team(3);
    Optimizer a = make(one, kind), b = make(many, kind);
    for (int i = 0; i < 4; ++i) a.step(alone, 0.01, 1);
    for (int i = 0; i < 2; ++i) b.step(team, 0.01, 1);
    Optimizer c = make(restored, kind);
    std::copy(b.state().begin(), b.state().end(), c.state().begin());
    c.set_steps(2);
    for (int i = 0; i < 2; ++i) restored.w[i] = many.w[i];
    for (int i = 0; i < 2; ++i) b.step(team, 0.01, 1);
    for (int i = 0; i < 2; ++i) c.step(alone, 0.01, 1);
    for (int i = 0; i < 2; ++i) {
      EXPECT_EQ(one.w[i], many.w[i]) << name(kind);
      EXPECT_EQ(one.w[i], restored.w[i]) << name(kind);
    }
  }
}

TEST(Optimizer, WithStateOf8BitsStaysCloseToThatOf32) {
  Tensors t, t8;
  ThreadPool pool(2);
  Optimizer full = make(t, OptimizerKind::kAdamW), small = make(t8, OptimizerKind::kAdamW8);
  EXPECT_LT(small.state().size() * 7, full.state().size() * 2);
  const std::vector<float> before = t.w[0];
  for (int i = 0; i < 20; ++i) {
    full.step(pool, 0.01, 1);
    small.step(pool, 0.01, 1);
  }
  double moved = 0, apart = 0;
  for (std::size_t j = 0; j < before.size(); ++j) {
    moved += std::abs(t.w[0][j] - before[j]);
    apart += std::abs(t.w[0][j] - t8.w[0][j]);
  }
  EXPECT_LT(apart, 0.1 * moved);
}

TEST(Optimizer, TellsTheNormOfAllGradients) {
  Tensors t;
  ThreadPool pool(2);
  double squares = 0;
  for (const auto& g : t.g) {
    for (const double v : g) squares += v * v;
  }
  EXPECT_NEAR(make(t, OptimizerKind::kSgd).gradient_norm(pool, 0.25), 0.25 * std::sqrt(squares), 1e-9 * std::sqrt(squares));
}

TEST(Optimizer, NamesTheStepAndTheTensorOfAGradientThatIsNotFinite) {
  Tensors t;
  t.g[1][17] = NAN;
  ThreadPool pool(1);
  try {
    make(t, OptimizerKind::kAdamW).gradient_norm(pool, 1);
    FAIL();
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), testing::AllOf(testing::HasSubstr("vector"), testing::HasSubstr("step 1"), testing::HasSubstr("learning rate")));
  }
}

}  // namespace
}  // namespace minnow
