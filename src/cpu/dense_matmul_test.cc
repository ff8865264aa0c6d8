// Dense products from packed operands, at every instruction set of this machine, against float64.
#include "cpu/dense_matmul.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>

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
  const DenseKernels& kernels;
  Lines lines;
  int64_t n, k;
  Matrix values;

  Operand(Random& random, const DenseKernels& of, int64_t lines_of_it, int64_t numbers)
      : kernels(of),
        lines(random.below(2) == 0 ? Lines::kRows : Lines::kColumns),
        n(lines_of_it),
        k(numbers),
        values(random, lines == Lines::kRows ? n : k, lines == Lines::kRows ? k : n, between(random, 0, 3)) {}
  double value(int64_t line, int64_t i) const {
    const float v = lines == Lines::kRows ? values.at(line, i) : values.at(i, line);
    return kernels.numbers == 2 ? bf16_to_f32(f32_to_bf16(v)) : v;
  }
  DenseMatrix matrix() const { return {values.values.data(), values.stride, lines, n, k}; }
};
struct RightOperand : Operand {
  AlignedMemory memory;
  PackedRight packed;

  RightOperand(Random& random, const DenseKernels& of, int64_t lines_of_it, int64_t numbers)
      : Operand(random, of, lines_of_it, numbers),
        memory(PackedRight(of, matrix(), nullptr).bytes()),
        packed(of, matrix(), memory.data()) {}
};

// c = a b, or c += a b.
DenseMatMul product(const Operand& a, const RightOperand& b, float* c, int64_t c_stride, bool add, int team) {
  return {{a.matrix()}, {{{&b.packed}, c, c_stride, add}}, team};
}

// Every accumulator takes at most 256 units, each rounded once for each of its numbers, then the sums of blocks follow.
void expect_product(const Operand& a, const Operand& b, const Matrix& before, const Matrix& c, bool add) {
  const int64_t k = a.k;
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
      const Operand a(random, dense, m, k);
      RightOperand b(random, dense, n, k);
      b.packed.pack(pool);
      Matrix c(random, m, n, between(random, 0, 3));
      const Matrix before = c;
      const bool add = random.below(2) == 0;
      product(a, b, c.values.data(), c.stride, add, 2).compute(pool);
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
      const Operand a(random, dense, m, k);
      RightOperand b(random, dense, n, k);
      std::vector<float> first;
      for (const int team : {1, 2, 3, 7}) {
        ThreadPool pool(team);
        b.packed.pack(pool);
        std::vector<float> c(static_cast<std::size_t>(m * n), 1.0f);
        product(a, b, c.data(), n, true, team).compute(pool);
        if (first.empty()) first = c;
        ASSERT_TRUE(test::same_bits(first, c)) << "team of " << team;
      }
    }
  }
}

TEST_P(DenseProducts, OfTheSameRowsAreThoseOfEachAlone) {
  Random random(3);
  ThreadPool pool(2);
  for (const auto type : numbers()) {
    const DenseKernels& dense = dense_kernels(kernels(), type);
    for (int t = 0; t < test::tries(12); ++t) {
      const int64_t m = any_lines(random), k = any_sum(random);
      const Operand x(random, dense, m, k);
      std::vector<std::unique_ptr<RightOperand>> right;
      std::vector<std::vector<float>> together, alone;
      std::vector<DenseProductSum> sums;
      for (const int64_t n : {between(random, 1, 9), any_lines(random), between(random, 60, 90)}) {
        right.push_back(std::make_unique<RightOperand>(random, dense, n, k));
        right.back()->packed.pack(pool);
        together.emplace_back(static_cast<std::size_t>(m * n), 2.0f);
        alone.push_back(together.back());
        sums.push_back({{&right.back()->packed}, together.back().data(), n, n % 2 == 0});
      }
      for (std::size_t i = 0; i < sums.size(); ++i) {
        product(x, *right[i], alone[i].data(), right[i]->n, sums[i].add, 2).compute(pool);
      }
      DenseMatMul({x.matrix()}, sums, 2).compute(pool);
      for (std::size_t i = 0; i < sums.size(); ++i) ASSERT_TRUE(test::same_bits(together[i], alone[i]));
    }
  }
}

TEST_P(DenseProducts, AddUpTermByTerm) {
  Random random(5);
  ThreadPool pool(2);
  const DenseKernels& dense = kernels().dense_f32;
  const int64_t m = 70, n = 45;
  const Operand a(random, dense, m, 300), b(random, dense, m, 20);
  RightOperand to_a(random, dense, n, 300), to_b(random, dense, n, 20);
  to_a.packed.pack(pool);
  to_b.packed.pack(pool);
  std::vector<float> together(static_cast<std::size_t>(m * n), kNaN), in_turn = together;
  DenseMatMul({a.matrix(), b.matrix()}, {{{&to_a.packed, &to_b.packed}, together.data(), n, false}}, 2).compute(pool);
  product(a, to_a, in_turn.data(), n, false, 2).compute(pool);
  product(b, to_b, in_turn.data(), n, true, 2).compute(pool);
  EXPECT_TRUE(test::same_bits(together, in_turn));
}

TEST_P(DenseProducts, NeedNoRightMatrixOncePacked) {
  Random random(6);
  ThreadPool pool(2);
  const DenseKernels& dense = kernels().dense_f32;
  RightOperand w(random, dense, 37, 53);
  w.packed.pack(pool);
  std::fill(w.values.values.begin(), w.values.values.end(), kNaN);
  for (const int64_t m : {5, 70}) {
    const Operand x(random, dense, m, 53);
    std::vector<float> y(static_cast<std::size_t>(37 * m));
    product(x, w, y.data(), 37, false, 2).compute(pool);
    for (const float v : y) ASSERT_FALSE(std::isnan(v));
  }
}

TEST_P(DenseProducts, OverNothingAreZero) {
  ThreadPool pool(1);
  Random random(4);
  const DenseKernels& dense = kernels().dense_f32;
  const Operand a(random, dense, 3, 0);
  RightOperand b(random, dense, 4, 0);
  std::vector<float> c(12, 5.0f);
  product(a, b, c.data(), 4, true, 1).compute(pool);
  EXPECT_THAT(c, testing::Each(5.0f));
  product(a, b, c.data(), 4, false, 1).compute(pool);
  EXPECT_THAT(c, testing::Each(0.0f));
}

DenseMatrix of_nothing(int64_t n_lines, int64_t k) { return {nullptr, k, Lines::kRows, n_lines, k}; }

TEST_P(DenseProducts, GiveEveryMemberOfATeamTiles) {
  // The gradient of a small weight matrix over many tokens.
  const DenseKernels& dense = kernels().dense_f32;
  const PackedRight x(dense, of_nothing(288, 2048), nullptr);
  for (const int team : {1, 2, 4, 16}) EXPECT_GE(DenseMatMul({of_nothing(288, 2048)}, {{{&x}, nullptr, 288, true}}, team).tiles(), 2 * team);
}

TEST(DenseMatMul, RefusesOperandsThatDoNotBelongTogether) {
  const auto& kernels = train_kernels_for(Isa::kBaseline).dense_f32;
  const PackedRight right(kernels, of_nothing(3, 5), nullptr), longer(kernels, of_nothing(3, 6), nullptr), wider(kernels, of_nothing(4, 5), nullptr);
  const DenseMatrix left = of_nothing(7, 5), higher = of_nothing(8, 5);
  EXPECT_NO_THROW(DenseMatMul({left}, {{{&right}, nullptr, 3, false}}, 1));
  EXPECT_THROW(DenseMatMul({left}, {{{&longer}, nullptr, 3, false}}, 1), Error);
  EXPECT_THROW(DenseMatMul({left, left}, {{{&right}, nullptr, 3, false}}, 1), Error);
  EXPECT_THROW(DenseMatMul({left, left}, {{{&right, &wider}, nullptr, 3, false}}, 1), Error);
  EXPECT_THROW(DenseMatMul({left, higher}, {{{&right, &right}, nullptr, 3, false}}, 1), Error);
  EXPECT_THROW(DenseMatMul({left}, {}, 1), Error);
  AlignedMemory memory(128);
  EXPECT_THROW(PackedRight(kernels, of_nothing(1, 1), memory.data() + 4), Error);
  EXPECT_THROW(PackedRight(kernels, of_nothing(-1, 1), nullptr), Error);
}

}  // namespace
}  // namespace minnow
