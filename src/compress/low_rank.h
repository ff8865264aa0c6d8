// Products of a tall and a wide matrix, and the nearest one of lower rank. In float64: they are small.
#pragma once

#include <cstdint>
#include <vector>

namespace minnow {

struct Matrix {
  int64_t rows, columns;
  std::vector<double> values;  // row by row

  Matrix(int64_t n_rows, int64_t n_columns) : rows(n_rows), columns(n_columns), values(static_cast<std::size_t>(n_rows * n_columns)) {}
  double& operator()(int64_t r, int64_t c) { return values[static_cast<std::size_t>(r * columns + c)]; }
  double operator()(int64_t r, int64_t c) const { return values[static_cast<std::size_t>(r * columns + c)]; }
};

// left [n, r] times right [r, k].
struct LowRank {
  Matrix left, right;
};

// The product of rank at most `rank` with the least squared error (Eckart and Young 1936): left is U S, right V^T. When the rank is
// above that of the product, columns of zeros fill it.
LowRank truncated(const LowRank& product, int64_t rank);

}  // namespace minnow
