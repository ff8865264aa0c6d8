#include "eval/spread.h"

#include <gtest/gtest.h>

namespace minnow {
namespace {

TEST(Spread, IsTheMiddleAndTheEnds) {
  const Spread odd = spread_of({5, 1, 3});
  EXPECT_EQ(odd.median, 3);
  EXPECT_EQ(odd.min, 1);
  EXPECT_EQ(odd.max, 5);
  EXPECT_EQ(spread_of({4, 1, 2, 9}).median, 3);
  EXPECT_EQ(spread_of({}).max, 0);
}

TEST(PairwiseRatios, CompareRunsMadeSideBySide) {
  EXPECT_EQ(pairwise_ratios({10, 40}, {5, 20}), (std::vector<double>{2, 2}));
  EXPECT_EQ(pairwise_ratios({10, 40, 7}, {5}), (std::vector<double>{2}));
  EXPECT_EQ(pairwise_ratios({10, 40}, {0, 10}), (std::vector<double>{4}));
}

}  // namespace
}  // namespace minnow
