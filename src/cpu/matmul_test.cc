// Products of packed weights with batches of columns, at every instruction set of this machine: against
// float64, and bit by bit against themselves cut up differently.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.h"
#include "cpu/pack.h"
#include "cpu/test_values.h"
#include "tensor/codec.h"

namespace minnow {
namespace {

using test::between;
using test::kUnit;

constexpr DType kAllTypes[] = {DType::kF32,  DType::kF16,  DType::kBF16, DType::kQ8_0,
                               DType::kQ4_0, DType::kQ4_K, DType::kQ6_K};

class MatMul : public testing::TestWithParam<std::tuple<Isa, DType>> {
 protected:
  Isa isa() const { return std::get<0>(GetParam()); }
  DType dtype() const { return std::get<1>(GetParam()); }
  const Kernels& kernels() const { return kernels_for(isa()); }
  ThreadPool pool_{1};
};
INSTANTIATE_TEST_SUITE_P(, MatMul,
                         testing::Combine(testing::ValuesIn(available_isas()), testing::ValuesIn(kAllTypes)),
                         [](const auto& p) {
                           return std::string(name(std::get<0>(p.param))) + "_" +
                                  std::string(name(std::get<1>(p.param)));
                         });

// Inputs of one product: x as the kernels of this weight type read it, and the values that they see.
struct Columns {
  std::vector<float> seen;
  std::vector<ActBlock> blocks;

  Columns(Random& random, const Kernels& kernels, bool quantized, int64_t n_cols, int64_t k)
      : seen(test::normals(random, n_cols * k)) {
    if (!quantized) return;
    blocks.resize(static_cast<std::size_t>(n_cols * k / kActColumns));
    kernels.quantize(seen.data(), blocks.data(), n_cols * k);
  }
  double value(int64_t i) const {
    if (blocks.empty()) return seen[static_cast<std::size_t>(i)];
    const ActBlock& b = blocks[static_cast<std::size_t>(i / kActColumns)];
    return static_cast<double>(b.q[i % kActColumns]) * b.d;
  }
  const void* column(int64_t c, int64_t k) const {
    if (blocks.empty()) return seen.data() + c * k;
    return blocks.data() + c * (k / kActColumns);
  }
};

// Weights in f32, and the sum of the magnitudes of the terms that each is made of (Q4_K subtracts a minimum).
struct Decoded {
  std::vector<float> w;
  std::vector<double> magnitude;

  explicit Decoded(const Tensor& t) : w(to_f32(t)) {
    magnitude.reserve(w.size());
    for (const float v : w) magnitude.push_back(std::abs(static_cast<double>(v)));
    if (t.dtype != DType::kQ4_K) return;
    std::byte* data = nullptr;
    const Tensor without_min = Tensor::allocate(t.dtype, t.shape, &data);
    std::memcpy(data, t.data, t.bytes());
    for (std::size_t i = 0; i < t.bytes(); i += sizeof(BlockQ4_K))
      std::memset(data + i + offsetof(BlockQ4_K, dmin), 0, 2);
    const std::vector<float> product = to_f32(without_min);
    for (std::size_t i = 0; i < w.size(); ++i) {
      magnitude[i] =
          std::abs(static_cast<double>(product[i])) + std::abs(static_cast<double>(product[i]) - w[i]);
    }
  }
};

struct Size {
  int64_t rows, k, n_cols;
};
Size any_size(Random& random, DType dtype) {
  const int64_t block = is_quantized(dtype) ? info(dtype).block_size : 1;
  const int64_t k = block == 1 ? between(random, 1, 150) : block * between(random, 1, block == 32 ? 9 : 3);
  return {between(random, 1, 70), k, between(random, 1, 20)};
}

TEST_P(MatMul, IsWithinTheRoundingOfItsAccumulator) {
  Random random(11);
  for (int t = 0; t < test::tries(40); ++t) {
    const Size size = any_size(random, dtype());
    const Tensor weight = test::random_matrix(random, dtype(), size.rows, size.k);
    const Decoded decoded(weight);
    test::PackedMemory memory(weight);
    const PackedMatrix packed("w", weight, memory.data(), pool_);
    const Columns x(random, kernels(), packed.in_panels(), size.n_cols, size.k);
    std::vector<float> y(static_cast<std::size_t>(size.rows * size.n_cols));
    packed.multiply(kernels(), x.column(0, size.k), size.n_cols, y.data(), 0, packed.units());

    // Float types: a product and an addition per vector of at least 4, then the sum of its lanes. Panels: at
    // most two of both per 16 columns, integers in between; scales and the decoded weight are rounded, too.
    // Two instruction sets are therefore at most twice this apart.
    const double roundings =
        packed.in_panels() ? static_cast<double>(size.k) / 8 + 8 : static_cast<double>(size.k) / 4 + 8;
    for (int64_t c = 0; c < size.n_cols; ++c) {
      for (int64_t r = 0; r < size.rows; ++r) {
        double want = 0, magnitude = 0;
        for (int64_t i = 0; i < size.k; ++i) {
          const auto at = static_cast<std::size_t>(r * size.k + i);
          want += decoded.w[at] * x.value(c * size.k + i);
          magnitude += decoded.magnitude[at] * std::abs(x.value(c * size.k + i));
        }
        ASSERT_NEAR(y[static_cast<std::size_t>(c * size.rows + r)], want,
                    roundings * kUnit * magnitude + 1e-44)
            << size.rows << "x" << size.k << ", row " << r << ", column " << c << " of " << size.n_cols;
      }
    }
  }
}

// The promise that lets a server batch: who else is computed along does not matter.
TEST_P(MatMul, AColumnIsTheSameBitsInEveryBatchAndEveryChunk) {
  Random random(12);
  for (int t = 0; t < test::tries(60); ++t) {
    const Size size = any_size(random, dtype());
    const Tensor weight = test::random_matrix(random, dtype(), size.rows, size.k);
    test::PackedMemory memory(weight);
    const PackedMatrix packed("w", weight, memory.data(), pool_);
    const Columns x(random, kernels(), packed.in_panels(), size.n_cols, size.k);
    const auto rows = static_cast<std::size_t>(size.rows);
    std::vector<float> batch(rows * static_cast<std::size_t>(size.n_cols));
    packed.multiply(kernels(), x.column(0, size.k), size.n_cols, batch.data(), 0, packed.units());

    for (int64_t c = 0; c < size.n_cols; ++c) {
      std::vector<float> alone(rows);
      packed.multiply(kernels(), x.column(c, size.k), 1, alone.data(), 0, packed.units());
      ASSERT_TRUE(test::same_bits(alone, std::span(batch).subspan(static_cast<std::size_t>(c) * rows, rows)))
          << size.rows << "x" << size.k << ", column " << c << " of " << size.n_cols;
    }
    std::vector<float> chunked(batch.size());
    for (int64_t begin = 0; begin < packed.units();) {
      const int64_t end = between(random, begin + 1, packed.units());
      packed.multiply(kernels(), x.column(0, size.k), size.n_cols, chunked.data(), begin, end);
      begin = end;
    }
    ASSERT_TRUE(test::same_bits(chunked, batch))
        << size.rows << "x" << size.k << ", " << size.n_cols << " columns";
  }
}

TEST_P(MatMul, AChunkWritesItsOwnRowsOnly) {
  Random random(13);
  constexpr float kUntouched = -12345.0f;
  for (int t = 0; t < test::tries(30); ++t) {
    const Size size = any_size(random, dtype());
    const Tensor weight = test::random_matrix(random, dtype(), size.rows, size.k);
    test::PackedMemory memory(weight);
    const PackedMatrix packed("w", weight, memory.data(), pool_);
    const Columns x(random, kernels(), packed.in_panels(), size.n_cols, size.k);
    const int64_t begin = between(random, 0, packed.units() - 1),
                  end = between(random, begin, packed.units());
    std::vector<float> y(static_cast<std::size_t>(size.rows * size.n_cols), kUntouched);
    packed.multiply(kernels(), x.column(0, size.k), size.n_cols, y.data(), begin, end);
    const int64_t unit = packed.in_panels() ? kPanelRows : 1;
    for (int64_t i = 0; i < size.rows * size.n_cols; ++i) {
      const int64_t row = i % size.rows;
      const bool inside = row >= begin * unit && row < end * unit;
      ASSERT_EQ(y[static_cast<std::size_t>(i)] != kUntouched, inside)
          << "row " << row << " for " << begin << ".." << end;
    }
  }
}

TEST_P(MatMul, TheLargestCodesDoNotOverflow) {
  if (!is_quantized(dtype())) return;
  const int64_t k = 512;
  for (const int fill : {0x00, 0xFF, 0x7F, 0x80}) {
    std::byte* data = nullptr;
    const Tensor weight = Tensor::allocate(dtype(), {16, k}, &data);
    std::memset(data, fill, weight.bytes());
    const auto stride = static_cast<std::size_t>(info(dtype()).block_bytes);
    const uint16_t one = f32_to_f16(1.0f);
    const std::size_t at = dtype() == DType::kQ6_K ? offsetof(BlockQ6_K, d) : 0;
    for (std::size_t i = 0; i < weight.bytes(); i += stride) {
      std::memcpy(data + i + at, &one, 2);
      if (dtype() == DType::kQ4_K) std::memcpy(data + i + 2, &one, 2);
    }
    const std::vector<float> w = to_f32(weight);
    test::PackedMemory memory(weight);
    const PackedMatrix packed("w", weight, memory.data(), pool_);
    for (const float sign : {1.0f, -1.0f}) {
      std::vector<float> x(static_cast<std::size_t>(k), sign * 127.0f);
      std::vector<ActBlock> blocks(static_cast<std::size_t>(k / kActColumns));
      kernels().quantize(x.data(), blocks.data(), k);
      float y[16];
      packed.multiply(kernels(), blocks.data(), 1, y, 0, 1);
      double want = 0;
      for (int64_t i = 0; i < k; ++i)
        want += static_cast<double>(w[static_cast<std::size_t>(i)]) * static_cast<double>(sign) * 127;
      for (const float v : y)
        ASSERT_NEAR(v, want, std::abs(want) * 1e-6 + 64) << "codes " << fill << " times " << sign;
    }
  }
}

TEST(PackedMatrix, IsTheSameForAnyNumberOfThreads) {
  Random random(14);
  for (const DType dtype : {DType::kQ8_0, DType::kQ4_0, DType::kQ4_K, DType::kQ6_K}) {
    const Tensor weight = test::random_matrix(random, dtype, 150, 512);
    test::PackedMemory memory1(weight), memory3(weight);
    ThreadPool one(1), three(3);
    const PackedMatrix a("w", weight, memory1.data(), one), b("w", weight, memory3.data(), three);
    EXPECT_EQ(
        std::memcmp(memory1.data(), memory3.data(), static_cast<std::size_t>(a.units() * a.unit_bytes())), 0);
  }
}

TEST(PackedMatrix, LeavesWeightsThatAreNotInAFileAsTheyAre) {
  Random random(15);
  const Tensor weight = test::random_matrix(random, DType::kQ8_0, 512, 1024);  // many pages
  const std::vector<std::byte> before(weight.data, weight.data + weight.bytes());
  test::PackedMemory memory(weight);
  ThreadPool pool(1);
  const PackedMatrix packed("w", weight, memory.data(), pool);
  EXPECT_EQ(std::memcmp(before.data(), weight.data, before.size()), 0);
}

TEST(PackedMatrix, AScaleThatIsNotFiniteNamesTheWeight) {
  Random random(16);
  for (const DType dtype : {DType::kQ8_0, DType::kQ4_0, DType::kQ4_K, DType::kQ6_K}) {
    for (const uint16_t bad : {0x7C00, 0xFC00, 0x7E01}) {
      Tensor weight = test::random_matrix(random, dtype, 40, 256);
      auto* data = const_cast<std::byte*>(weight.row(37));
      std::memcpy(data + (dtype == DType::kQ6_K ? offsetof(BlockQ6_K, d) : 0), &bad, 2);
      test::PackedMemory memory(weight);
      ThreadPool pool(2);
      try {
        const PackedMatrix packed("blk.7.ffn_up.weight", weight, memory.data(), pool);
        ADD_FAILURE() << "accepted " << name(dtype);
      } catch (const Error& e) {
        EXPECT_EQ(e.code(), ErrorCode::kInvalidInput);
        EXPECT_NE(std::string(e.what()).find("blk.7.ffn_up.weight"), std::string::npos) << e.what();
      }
    }
  }
}

TEST(PackedMatrix, RefusesTypesThatAreNotWeights) {
  for (const DType dtype : {DType::kI8, DType::kI32, DType::kF64}) {
    EXPECT_FALSE(can_multiply(dtype));
    const Tensor tensor = Tensor::allocate(dtype, {4, 32}, nullptr);
    ThreadPool pool(1);
    EXPECT_THROW(PackedMatrix("w", tensor, nullptr, pool), Error);
  }
}

}  // namespace
}  // namespace minnow
