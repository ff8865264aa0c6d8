#include "compress/low_rank.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"

namespace minnow {
namespace {

Matrix random_matrix(int64_t rows, int64_t columns, uint64_t seed) {
  Matrix m(rows, columns);
  Random random(seed);
  for (double& v : m.values) v = random.normal();
  return m;
}

double at(const LowRank& p, int64_t r, int64_t c) {
  double sum = 0;
  for (int64_t i = 0; i < p.left.columns; ++i) sum += p.left(r, i) * p.right(i, c);
  return sum;
}

double squared_difference(const LowRank& a, const LowRank& b) {
  double sum = 0;
  for (int64_t r = 0; r < a.left.rows; ++r) {
    for (int64_t c = 0; c < a.right.columns; ++c) sum += std::pow(at(a, r, c) - at(b, r, c), 2);
  }
  return sum;
}

TEST(LowRank, OfTheRankThatItHasIsTheProduct) {
  const LowRank product{random_matrix(9, 4, 1), random_matrix(4, 7, 2)};
  EXPECT_LT(squared_difference(truncated(product, 4), product), 1e-24);
  EXPECT_LT(squared_difference(truncated(product, 6), product), 1e-24);  // columns of zeros
  EXPECT_EQ(truncated(product, 6).left.columns, 6);
}

TEST(LowRank, KeepsTheLargestSingularValues) {
  // Singular values 5, 3, 1 by construction: orthogonal columns on both sides.
  LowRank product{Matrix(4, 3), Matrix(3, 4)};
  const double signs[3][4] = {{1, 1, 1, 1}, {1, -1, 1, -1}, {1, 1, -1, -1}};
  const double values[3] = {3, 5, 1};
  for (int64_t i = 0; i < 3; ++i) {
    for (int64_t r = 0; r < 4; ++r) {
      product.left(r, i) = values[i] * signs[i][r] / 2;
      product.right(i, r) = signs[(i + 1) % 3][r] / 2;
    }
  }
  EXPECT_NEAR(squared_difference(truncated(product, 2), product), 1, 1e-12);
  EXPECT_NEAR(squared_difference(truncated(product, 1), product), 10, 1e-12);
  const LowRank one = truncated(product, 1);
  double norm = 0;
  for (const double v : one.left.values) norm += v * v;
  EXPECT_NEAR(std::sqrt(norm), 5, 1e-12);  // left is U S
}

TEST(LowRank, ColumnsThatDependOnOthersDoNoHarm) {
  LowRank product{random_matrix(6, 4, 3), random_matrix(4, 5, 4)};
  for (int64_t r = 0; r < 6; ++r) {
    product.left(r, 2) = 2 * product.left(r, 0);
    product.left(r, 3) = 0;
  }
  EXPECT_LT(squared_difference(truncated(product, 2), product), 1e-20);
}

}  // namespace
}  // namespace minnow
