// Products of packed weights with batches of columns, at every instruction set of this machine: against
// float64, and bit by bit against themselves cut up differently.
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "cpu/pack.h"
#include "cpu/test_matmul.h"

namespace minnow {
namespace {

using test::between;
using test::Columns;
using test::Decoded;

struct Case {
  Isa isa;
  DType dtype;
  MatMulInput halves;  // what F16 and BF16 weights meet
};
// Every type at every instruction set; 16-bit floats in bf16, too, where there is a unit for it.
std::vector<Case> cases() {
  std::vector<Case> all;
  for (const Isa isa : available_isas()) {
    for (const DType dtype : test::kWeightTypes) {
      all.push_back({isa, dtype, MatMulInput::kF32});
      const bool half = dtype == DType::kF16 || dtype == DType::kBF16;
      if (half && kernels_for(isa).bf16_products()) all.push_back({isa, dtype, MatMulInput::kBf16});
    }
  }
  return all;
}

class MatMul : public testing::TestWithParam<Case> {
 protected:
  DType dtype() const { return GetParam().dtype; }
  const Kernels& kernels() const { return kernels_for(GetParam().isa); }
  PackedMatrix pack(const Tensor& weight, test::PackedMemory& memory) {
    return PackedMatrix("w", weight, memory.data(), pool_, GetParam().halves);
  }
  ThreadPool pool_{1};
};
INSTANTIATE_TEST_SUITE_P(, MatMul, testing::ValuesIn(cases()), [](const auto& p) {
  const bool in_bf16 = p.param.halves == MatMulInput::kBf16;
  return std::string(name(p.param.isa)) + "_" + std::string(name(p.param.dtype)) + (in_bf16 ? "_in_bf16" : "");
});

struct Size {
  int64_t rows, k, n_cols;
};
Size any_size(Random& random, DType dtype) {
  const int64_t block = is_quantized(dtype) ? info(dtype).block_size : 1;
  const int64_t longest = random.below(8) == 0 ? 4500 : 150;  // a few floats are summed in several pieces of K
  const int64_t k = block == 1 ? between(random, 1, longest) : block * between(random, 1, block == 256 ? 3 : 9);
  const int64_t n_cols = random.below(8) == 0 ? between(random, 90, 130) : between(random, 1, 20);  // blocks of columns
  return {between(random, 1, 70), k, n_cols};
}

TEST_P(MatMul, IsWithinTheRoundingOfItsAccumulator) {
  Random random(11);
  for (int t = 0; t < test::tries(40); ++t) {
    const Size size = any_size(random, dtype());
    const Tensor weight = test::random_matrix(random, dtype(), size.rows, size.k);
    test::PackedMemory memory(weight);
    const PackedMatrix packed = pack(weight, memory);
    const Decoded decoded(weight, packed.input());
    const Columns x(random, kernels(), packed.input(), size.n_cols, size.k);
    std::vector<float> y(static_cast<std::size_t>(size.rows * size.n_cols));
    packed.multiply(kernels(), x.column(0), size.n_cols, y.data(), 0, packed.units());

    const std::vector<test::Expected> want = expected(decoded, x, size.rows, size.n_cols, size.k);
    for (std::size_t i = 0; i < y.size(); ++i) {
      ASSERT_NEAR(y[i], want[i].value, want[i].bound)
          << size.rows << "x" << size.k << ", output " << i << " of " << size.n_cols << " columns";
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
    const PackedMatrix packed = pack(weight, memory);
    const Columns x(random, kernels(), packed.input(), size.n_cols, size.k);
    const auto rows = static_cast<std::size_t>(size.rows);
    std::vector<float> batch(rows * static_cast<std::size_t>(size.n_cols));
    packed.multiply(kernels(), x.column(0), size.n_cols, batch.data(), 0, packed.units());

    for (int64_t c = 0; c < size.n_cols; ++c) {
      std::vector<float> alone(rows);
      packed.multiply(kernels(), x.column(c), 1, alone.data(), 0, packed.units());
      ASSERT_TRUE(test::same_bits(alone, std::span(batch).subspan(static_cast<std::size_t>(c) * rows, rows)))
          << size.rows << "x" << size.k << ", column " << c << " of " << size.n_cols;
    }
    std::vector<float> chunked(batch.size());
    for (int64_t begin = 0; begin < packed.units();) {
      const int64_t end = between(random, begin + 1, packed.units());
      packed.multiply(kernels(), x.column(0), size.n_cols, chunked.data(), begin, end);
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
    const PackedMatrix packed = pack(weight, memory);
    const Columns x(random, kernels(), packed.input(), size.n_cols, size.k);
    const int64_t begin = between(random, 0, packed.units() - 1),
                  end = between(random, begin, packed.units());
    std::vector<float> y(static_cast<std::size_t>(size.rows * size.n_cols), kUntouched);
    packed.multiply(kernels(), x.column(0), size.n_cols, y.data(), begin, end);
    const int64_t unit = packed.in_panels() ? kPanelRows : 1;
    for (int64_t i = 0; i < size.rows * size.n_cols; ++i) {
      const int64_t row = i % size.rows;
      const bool inside = row >= begin * unit && row < end * unit;
      ASSERT_EQ(y[static_cast<std::size_t>(i)] != kUntouched, inside)
          << "row " << row << " for " << begin << ".." << end;
    }
  }
}

// 16 equal rows of blocks whose bytes are all `byte`, with these scales, times a column of `x`.
struct EqualRows {
  std::vector<float> y = std::vector<float>(16);
  test::Expected want;

  EqualRows(const Kernels& kernels, DType dtype, uint8_t byte, float scale, float x) {
    const int64_t k = 512;
    std::byte* data = nullptr;
    const Tensor weight = Tensor::allocate(dtype, {16, k}, &data);
    test::fill_blocks(
        dtype, {data, weight.bytes()}, [&] { return byte; }, [&] { return scale; });
    test::PackedMemory memory(weight);
    ThreadPool pool(1);
    const PackedMatrix packed("w", weight, memory.data(), pool);
    Random random(1);
    Columns columns(random, kernels, packed.input(), 1, k);
    std::fill(columns.given.begin(), columns.given.end(), x);
    columns.convert(kernels);
    packed.multiply(kernels, columns.column(0), 1, y.data(), 0, 1);
    want = expected(Decoded(weight), columns, 16, 1, k)[0];
  }
};

TEST_P(MatMul, TheLargestCodesDoNotOverflow) {
  if (!is_quantized(dtype())) return;
  for (const uint8_t byte : {0x00, 0xFF, 0x7F, 0x80, 0x88, 0x77}) {
    for (const float x : {127.0f, -127.0f}) {
      for (const float scale : {1.0f, -1.0f, 65504.0f, -65504.0f}) {
        const EqualRows product(kernels(), dtype(), byte, scale, x);
        for (const float v : product.y) {
          ASSERT_NEAR(v, product.want.value, product.want.bound) << "bytes " << int{byte} << ", scale " << scale;
        }
      }
    }
  }
}

TEST_P(MatMul, SubnormalScalesAreNotZero) {
  if (!is_quantized(dtype())) return;
  // The smallest f16 and the largest subnormal one; the smallest exponents of MXFP4.
  const float f16[] = {0x1p-24f, 0x3FFp-24f, -0x1p-24f}, powers[] = {0x1p-128f, 0x1p-127f, 0x1p-126f};
  for (const float scale : dtype() == DType::kMXFP4 ? powers : f16) {
    const EqualRows product(kernels(), dtype(), 0x01, scale, 100.0f);
    for (const float v : product.y) {
      ASSERT_NEAR(v, product.want.value, product.want.bound) << "scale " << scale;
      if (product.want.value != 0) {
        ASSERT_NE(v, 0) << "scale " << scale;
      }
    }
  }
}

TEST_P(MatMul, BlocksOfZerosGiveZero) {
  if (!is_quantized(dtype())) return;
  const EqualRows zero_scales(kernels(), dtype(), 0, 0.0f, 3.0f);
  for (const float v : zero_scales.y) EXPECT_EQ(v, 0);
  const EqualRows zero_columns(kernels(), dtype(), 0x5A, 1.0f, 0.0f);
  for (const float v : zero_columns.y) EXPECT_EQ(v, 0);
}

// Every code that a byte can hold, under every scale that the type can have.
TEST_P(MatMul, EveryByteMeansWhatTheDecoderSays) {
  if (!is_quantized(dtype())) return;
  for (int byte = 0; byte < 256; ++byte) {
    const EqualRows product(kernels(), dtype(), static_cast<uint8_t>(byte), -0.37f, 1.5f);
    for (const float v : product.y) ASSERT_NEAR(v, product.want.value, product.want.bound) << "byte " << byte;
  }
}

TEST(PackedMatrix, ARowIsWhatTheDecoderSays) {
  Random random(19);
  ThreadPool pool(1);
  for (const DType dtype : test::kWeightTypes) {
    const Tensor weight = test::random_matrix(random, dtype, 70, 512);
    test::PackedMemory memory(weight);
    const PackedMatrix packed("w", weight, memory.data(), pool);
    const std::vector<float> want = to_f32(weight);
    const bool by_points = is_quantized(dtype) && packed.in_panels() && name(dtype).starts_with("IQ") && name(dtype)[2] < '4';
    for (const int64_t r : {0, 15, 16, 31, 32, 63, 64, 69}) {
      std::vector<float> y(512);
      packed.row(r, y.data());
      for (std::size_t i = 0; i < y.size(); ++i) {
        const float w = want[static_cast<std::size_t>(r) * 512 + i];
        ASSERT_NEAR(y[i], w, by_points ? std::abs(w) * 3e-7 : 0) << name(dtype) << ", row " << r << ", column " << i;
      }
    }
  }
}

TEST(PackedMatrix, IsTheSameForAnyNumberOfThreads) {
  Random random(14);
  for (const DType dtype : test::kBlockTypes) {
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

void expect_refused(const Tensor& weight, const std::string& why) {
  test::PackedMemory memory(weight);
  ThreadPool pool(2);
  try {
    const PackedMatrix packed("blk.7.ffn_up.weight", weight, memory.data(), pool);
    ADD_FAILURE() << "accepted " << name(weight.dtype);
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kInvalidInput);
    EXPECT_NE(std::string(e.what()).find("blk.7.ffn_up.weight"), std::string::npos) << e.what();
    EXPECT_NE(std::string(e.what()).find(why), std::string::npos) << e.what();
  }
}

TEST(PackedMatrix, AScaleThatIsNotFiniteNamesTheWeight) {
  Random random(16);
  for (const DType dtype : test::kBlockTypes) {
    if (dtype == DType::kNVFP4) continue;  // all of its scales are numbers
    for (const uint16_t bad : {0x7C00, 0xFC00, 0x7E01}) {
      Tensor weight = test::random_matrix(random, dtype, 40, 256);
      auto* data = const_cast<std::byte*>(weight.row(37));
      test::with_block(dtype, [&](auto block) {
        std::memcpy(&block, data, sizeof(block));
        if constexpr (requires { block.e; }) {
          block.e = 255;
        } else if constexpr (std::is_same_v<decltype(block), BlockI2_S>) {
          block.d = f16_to_f32(bad);
        } else if constexpr (requires { block.d = bad; }) {
          block.d = bad;
        } else {
          test::set_scales(block, f16_to_f32(bad), 0);
        }
        std::memcpy(data, &block, sizeof(block));
      });
      expect_refused(weight, "not a finite number");
    }
  }
}

TEST(PackedMatrix, AMinimumThatIsNotFiniteNamesTheWeight) {
  Random random(17);
  for (const DType dtype : {DType::kQ4_1, DType::kQ5_1, DType::kQ2_K, DType::kQ4_K, DType::kQ5_K}) {
    Tensor weight = test::random_matrix(random, dtype, 40, 256);
    auto* data = const_cast<std::byte*>(weight.row(3));
    test::with_block(dtype, [&](auto block) {
      std::memcpy(&block, data, sizeof(block));
      if constexpr (requires { block.m; }) block.m = 0x7C00;
      if constexpr (requires { block.dmin; }) block.dmin = 0x7C00;
      std::memcpy(data, &block, sizeof(block));
    });
    expect_refused(weight, "not a finite number");
  }
}

// Their panels hold one scale for 16 rows.
TEST(PackedMatrix, RowsOfI2SWithDifferentScalesAreRefused) {
  Random random(18);
  Tensor weight = test::random_matrix(random, DType::kI2_S, 40, 256);
  BlockI2_S block;
  auto* data = const_cast<std::byte*>(weight.row(21));
  std::memcpy(&block, data, sizeof(block));
  block.d *= 2;
  std::memcpy(data, &block, sizeof(block));
  expect_refused(weight, "has one scale");
}

TEST(PackedMatrix, PanelsTakeHardlyMoreThanTheFile) {
  for (const DType dtype : test::kBlockTypes) {
    const Shape shape{2048, 2048};
    const double file = static_cast<double>(checked_tensor_bytes(dtype, shape, "w"));
    const bool by_points = name(dtype).starts_with("IQ") && name(dtype)[2] < '4';  // a byte for each value
    const double more = by_points ? 5.5 : dtype == DType::kTQ1_0 ? 66.0 / 54 : 1.04;  // TQ1_0 takes the two bits of TQ2_0
    EXPECT_LE(static_cast<double>(packed_bytes(dtype, shape)), file * more) << name(dtype);
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
