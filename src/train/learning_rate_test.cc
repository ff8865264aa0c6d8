#include "train/learning_rate.h"

#include <gtest/gtest.h>

namespace minnow {
namespace {

TEST(LearningRate, RisesEvenlyThenFallsToItsLastShare) {
  for (const RateShape shape : {RateShape::kCosine, RateShape::kLinear}) {
    const LearningRate rate{.shape = shape, .peak = 2, .final_share = 0.1, .warmup_steps = 4, .total_steps = 15};
    EXPECT_DOUBLE_EQ(rate.at(0), 0.4);
    EXPECT_DOUBLE_EQ(rate.at(3), 1.6);
    EXPECT_DOUBLE_EQ(rate.at(4), 2);
    EXPECT_DOUBLE_EQ(rate.at(9), 1.1);  // half of the way
    EXPECT_DOUBLE_EQ(rate.at(14), 0.2);
    EXPECT_DOUBLE_EQ(rate.at(100), 0.2);
    for (int64_t step = 5; step < 15; ++step) EXPECT_LT(rate.at(step), rate.at(step - 1));
  }
}

TEST(LearningRate, OfAConstantStaysAtThePeak) {
  const LearningRate rate{.shape = RateShape::kConstant, .peak = 2, .warmup_steps = 1, .total_steps = 5};
  EXPECT_DOUBLE_EQ(rate.at(0), 1);
  EXPECT_DOUBLE_EQ(rate.at(1), 2);
  EXPECT_DOUBLE_EQ(rate.at(4), 2);
}

TEST(LearningRate, OfOneStepIsAtThePeak) {
  EXPECT_DOUBLE_EQ((LearningRate{.peak = 3, .total_steps = 1}.at(0)), 3);
}

}  // namespace
}  // namespace minnow
