// Dense products from packed operands, at every instruction set of this machine, against float64.
#include "cpu/dense_matmul.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.h"
#include "cpu/test_train.h"
#include "tensor/half.h"

namespace minnow {
namespace {

using test::AlignedMemory;
using test::between;
using test::normals;

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

class DenseProducts : public test::EveryTrainIsa {
 protected:
  std::vector<Multiplied> numbers() const {
    if (kernels().bf16_products()) return {Multiplied::kF32, Multiplied::kBf16};
    return {Multiplied::kF32};
  }
};
INSTANTIATE_TEST_SUITE_P(, DenseProducts, testing::ValuesIn(available_isas()), test::isa_name);

// A matrix in memory, with NaN between its rows and no byte past its end.
struct Matrix {
  int64_t rows, columns, stride;
  std::vector<float> values;

  Matrix(Random& random, int64_t r, int64_t c, int64_t gap)
      : rows(r), columns(c), stride(c + gap), values(static_cast<std::size_t>(r > 0 ? (r - 1) * (c + gap) + c : 0), kNaN) {
    for (int64_t i = 0; i < r; ++i) {
      for (int64_t j = 0; j < c; ++j) at(i, j) = static_cast<float>(random.normal());
    }
  }
  float& at(int64_t i, int64_t j) { return values[static_cast<std::size_t>(i * stride + j)]; }
  float at(int64_t i, int64_t j) const { return values[static_cast<std::size_t>(i * stride + j)]; }
};

// An operand [n, k] of a product, as it lies in memory by `lines`.
struct Operand {
  Lines lines;
  Matrix matrix;
  AlignedMemory memory;
  PackedOperand packed;

  Operand(Random& random, const DenseKernels& kernels, Side side, int64_t n, int64_t k)
      : lines(random.below(2) == 0 ? Lines::kRows : Lines::kColumns),
        matrix(random, lines == Lines::kRows ? n : k, lines == Lines::kRows ? k : n, between(random, 0, 3)),
        memory(PackedOperand(kernels, side, n, k, nullptr).bytes()),
        packed(kernels, side, n, k, memory.data()) {}
  double value(int64_t line, int64_t i) const {
    const float v = lines == Lines::kRows ? matrix.at(line, i) : matrix.at(i, line);
    return packed.kernels().numbers == 2 ? bf16_to_f32(f32_to_bf16(v)) : v;
  }
  void pack(ThreadPool& pool) { packed.pack(pool, matrix.values.data(), matrix.stride, lines); }
};

// Every accumulator takes at most 256 units, each rounded once for each of its numbers, then the sums of blocks follow.
void expect_product(const Operand& a, const Operand& b, const Matrix& before, const Matrix& c, bool add) {
  const int64_t k = a.packed.k();
  const double relative = static_cast<double>(std::min<int64_t>(k, 512) + k / 256 + 4) * test::kUnit;
  for (int64_t i = 0; i < c.rows; ++i) {
    for (int64_t j = 0; j < c.columns; ++j) {
      double want = add ? before.at(i, j) : 0, magnitude = std::abs(want);
      for (int64_t x = 0; x < k; ++x) {
        const double term = a.value(i, x) * b.value(j, x);
        want += term;
        magnitude += std::abs(term);
      }
      ASSERT_LE(std::abs(c.at(i, j) - want), relative * magnitude + 1e-30) << "at " << i << ", " << j << " of " << c.rows
                                                                          << " x " << c.columns << ", k = " << k;
    }
    for (int64_t j = c.columns; j < c.stride && i + 1 < c.rows; ++j) ASSERT_TRUE(std::isnan(c.at(i, j)));
  }
}

int64_t any_lines(Random& random) { return random.below(4) == 0 ? between(random, 60, 300) : between(random, 1, 50); }
int64_t any_sum(Random& random) { return random.below(4) == 0 ? between(random, 200, 1200) : between(random, 1, 70); }

TEST_P(DenseProducts, OfAnyShapeAndLayoutAreWithinTheRoundingOfTheirSums) {
  Random random(1);
  ThreadPool pool(2);
  for (const auto type : numbers()) {
    const DenseKernels& dense = dense_kernels(kernels(), type);
    for (int t = 0; t < test::tries(120); ++t) {
      const int64_t m = any_lines(random), n = any_lines(random), k = any_sum(random);
      Operand a(random, dense, Side::kLeft, m, k), b(random, dense, Side::kRight, n, k);
      a.pack(pool);
      b.pack(pool);
      Matrix c(random, m, n, between(random, 0, 3));
      const Matrix before = c;
      const bool add = random.below(2) == 0;
      DenseMatMul(a.packed, b.packed, c.values.data(), c.stride, 2).compute(pool, add);
      ASSERT_NO_FATAL_FAILURE(expect_product(a, b, before, c, add));
    }
  }
}

TEST_P(DenseProducts, HaveTheSameBitsForAnyTeam) {
  Random random(2);
  for (const auto type : numbers()) {
    const DenseKernels& dense = dense_kernels(kernels(), type);
    for (int t = 0; t < test::tries(12); ++t) {
      const int64_t m = between(random, 1, 300), n = between(random, 1, 600), k = any_sum(random);
      Operand a(random, dense, Side::kLeft, m, k), b(random, dense, Side::kRight, n, k);
      std::vector<float> first;
      for (const int team : {1, 2, 3, 7}) {
        ThreadPool pool(team);
        a.pack(pool);
        b.pack(pool);
        std::vector<float> c(static_cast<std::size_t>(m * n), 1.0f);
        DenseMatMul(a.packed, b.packed, c.data(), n, team).compute(pool, true);
        if (first.empty()) first = c;
        ASSERT_TRUE(test::same_bits(first, c)) << "team of " << team;
      }
    }
  }
}

TEST_P(DenseProducts, ShareAnOperand) {
  Random random(3);
  ThreadPool pool(2);
  const DenseKernels& dense = kernels().dense_f32;
  Operand x(random, dense, Side::kLeft, 37, 53);
  x.pack(pool);
  std::fill(x.matrix.values.begin(), x.matrix.values.end(), kNaN);  // not needed any more
  for (const int64_t n : {5, 70}) {
    Operand w(random, dense, Side::kRight, n, 53);
    w.pack(pool);
    std::vector<float> y(static_cast<std::size_t>(37 * n));
    DenseMatMul(x.packed, w.packed, y.data(), n, 2).compute(pool, false);
    for (const float v : y) ASSERT_FALSE(std::isnan(v));
  }
}

TEST_P(DenseProducts, OverNothingAreZero) {
  ThreadPool pool(1);
  Random random(4);
  const DenseKernels& dense = kernels().dense_f32;
  Operand a(random, dense, Side::kLeft, 3, 0), b(random, dense, Side::kRight, 4, 0);
  std::vector<float> c(12, 5.0f);
  DenseMatMul(a.packed, b.packed, c.data(), 4, 1).compute(pool, true);
  EXPECT_THAT(c, testing::Each(5.0f));
  DenseMatMul(a.packed, b.packed, c.data(), 4, 1).compute(pool, false);
  EXPECT_THAT(c, testing::Each(0.0f));
}

TEST_P(DenseProducts, GiveEveryMemberOfATeamTiles) {
  // The gradient of a small weight matrix over many tokens.
  const DenseKernels& dense = kernels().dense_f32;
  const PackedOperand dy(dense, Side::kLeft, 288, 2048, nullptr), x(dense, Side::kRight, 288, 2048, nullptr);
  for (const int team : {1, 2, 4, 16}) EXPECT_GE(DenseMatMul(dy, x, nullptr, 288, team).tiles(), 2 * team);
}

TEST(DenseMatMul, RefusesOperandsThatDoNotBelongTogether) {
  const auto& kernels = train_kernels_for(Isa::kBaseline).dense_f32;
  const PackedOperand left(kernels, Side::kLeft, 3, 5, nullptr), longer(kernels, Side::kRight, 3, 6, nullptr);
  EXPECT_THROW(DenseMatMul(left, longer, nullptr, 3, 1), Error);
  EXPECT_THROW(DenseMatMul(left, left, nullptr, 3, 1), Error);
  AlignedMemory memory(128);
  EXPECT_THROW(PackedOperand(kernels, Side::kLeft, 1, 1, memory.data() + 4), Error);
  EXPECT_THROW(PackedOperand(kernels, Side::kLeft, -1, 1, nullptr), Error);
}

}  // namespace
}  // namespace minnow
