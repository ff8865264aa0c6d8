#include "compress/low_rank.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace minnow {
namespace {

Matrix transposed(const Matrix& m) {
  Matrix t(m.columns, m.rows);
  for (int64_t r = 0; r < m.rows; ++r) {
    for (int64_t c = 0; c < m.columns; ++c) t(c, r) = m(r, c);
  }
  return t;
}

Matrix multiplied(const Matrix& a, const Matrix& b) {
  Matrix y(a.rows, b.columns);
  for (int64_t r = 0; r < a.rows; ++r) {
    for (int64_t i = 0; i < a.columns; ++i) {
      for (int64_t c = 0; c < b.columns; ++c) y(r, c) += a(r, i) * b(i, c);
    }
  }
  return y;
}

double dot(const Matrix& m, int64_t a, int64_t b) {
  double sum = 0;
  for (int64_t r = 0; r < m.rows; ++r) sum += m(r, a) * m(r, b);
  return sum;
}

struct Orthogonal {
  Matrix q, r;  // m = q r; columns of q are orthonormal, or zero where m's depend on those before
};

// Gram and Schmidt's, each column twice: that is as good as reflections (Giraud et al. 2005).
Orthogonal orthogonalized(const Matrix& m) {
  Orthogonal o{m, Matrix(m.columns, m.columns)};
  for (int64_t c = 0; c < m.columns; ++c) {
    const double whole = std::sqrt(dot(o.q, c, c));
    for (int pass = 0; pass < 2; ++pass) {
      for (int64_t before = 0; before < c; ++before) {
        const double share = dot(o.q, before, c);
        o.r(before, c) += share;
        for (int64_t r = 0; r < m.rows; ++r) o.q(r, c) -= share * o.q(r, before);
      }
    }
    const double rest = std::sqrt(dot(o.q, c, c));
    const bool depends = rest <= 1e-13 * whole;
    o.r(c, c) = depends ? 0 : rest;
    for (int64_t r = 0; r < m.rows; ++r) o.q(r, c) = depends ? 0 : o.q(r, c) / rest;
  }
  return o;
}

// Columns a and b of m, and of v beside it, turned until those of m are orthogonal. False: they are.
bool turn(Matrix& m, Matrix& v, int64_t a, int64_t b) {
  const double aa = dot(m, a, a), bb = dot(m, b, b), ab = dot(m, a, b);
  if (std::abs(ab) <= 1e-15 * std::sqrt(aa * bb) || ab == 0) return false;
  const double zeta = (bb - aa) / (2 * ab);
  const double t = (zeta >= 0 ? 1 : -1) / (std::abs(zeta) + std::sqrt(1 + zeta * zeta));
  const double cosine = 1 / std::sqrt(1 + t * t), sine = cosine * t;
  for (Matrix* x : {&m, &v}) {
    for (int64_t r = 0; r < x->rows; ++r) {
      const double left = (*x)(r, a), right = (*x)(r, b);
      (*x)(r, a) = cosine * left - sine * right;
      (*x)(r, b) = sine * left + cosine * right;
    }
  }
  return true;
}

}  // namespace

// Of left = Q R and right^T = Q' R' the square R R'^T has the singular values; one-sided Jacobi rotations (Hestenes 1958) turn it into
// U S with V beside it.
LowRank truncated(const LowRank& product, int64_t rank) {
  const Orthogonal left = orthogonalized(product.left), right = orthogonalized(transposed(product.right));
  Matrix us = multiplied(left.r, transposed(right.r));
  const int64_t n = us.columns;
  Matrix v(n, n);
  for (int64_t i = 0; i < n; ++i) v(i, i) = 1;
  constexpr int kMaxSweeps = 60;  // ten are usual
  bool turned = true;
  for (int sweep = 0; sweep < kMaxSweeps && turned; ++sweep) {
    turned = false;
    for (int64_t a = 0; a < n; ++a) {
      for (int64_t b = a + 1; b < n; ++b) turned |= turn(us, v, a, b);
    }
  }
  std::vector<int64_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return dot(us, a, a) > dot(us, b, b); });
  Matrix kept_us(n, rank), kept_v(n, rank);
  for (int64_t c = 0; c < std::min(rank, n); ++c) {
    for (int64_t r = 0; r < n; ++r) {
      kept_us(r, c) = us(r, order[static_cast<std::size_t>(c)]);
      kept_v(r, c) = v(r, order[static_cast<std::size_t>(c)]);
    }
  }
  return {multiplied(left.q, kept_us), transposed(multiplied(right.q, kept_v))};
}

}  // namespace minnow
