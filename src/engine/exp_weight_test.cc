#include "engine/exp_weight.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace minnow {
namespace {

TEST(ExpWeight, IsWithinTwoTenMillionthsOfTheDoubleValue) {
  double worst = 0;
  for (int i = 0; i < 2'000'000; ++i) {
    const float x = -87.0f * static_cast<float>(i) / 2'000'000;
    const double exact = std::exp(double{x});
    worst = std::max(worst, std::abs(exp_weight(x) - exact) / exact);
  }
  EXPECT_LT(worst, 2e-7);
}

TEST(ExpWeight, IsExactAtZeroAndBoundedOutsideItsRange) {
  EXPECT_EQ(exp_weight(0.0f), 1.0f);
  EXPECT_EQ(exp_weight(-0.0f), 1.0f);
  EXPECT_EQ(exp_weight(3.0f), 1.0f);
  EXPECT_EQ(exp_weight(std::numeric_limits<float>::infinity()), 1.0f);
  EXPECT_EQ(exp_weight(-87.5f), 0.0f);
  EXPECT_EQ(exp_weight(-std::numeric_limits<float>::infinity()), 0.0f);
  EXPECT_EQ(exp_weight(std::numeric_limits<float>::quiet_NaN()), 0.0f);
}

TEST(ExpWeight, NeverFallsWhenItsArgumentRises) {
  float previous = 0;
  for (float x = -20.0f; x < 0.0f; x = std::nextafter(x + 1e-5f, 1.0f)) {
    ASSERT_GE(exp_weight(x), previous * (1 - 2e-7f)) << x;
    previous = exp_weight(x);
  }
}

}  // namespace
}  // namespace minnow
