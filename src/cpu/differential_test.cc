// Instruction sets against each other and against float64, on random shapes and on blocks whose every bit is random.
// MINNOW_SHAPES=100000 tries that many shapes instead of some thousands.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>

#include "cpu/test_matmul.h"

namespace minnow {
namespace {

using test::between;

int64_t n_shapes() {
  const char* wanted = std::getenv("MINNOW_SHAPES");
  const int64_t n = wanted == nullptr ? 0 : std::strtoll(wanted, nullptr, 10);
  return n > 0 ? n : test::tries(3000);
}

// Any finite scale that the type can have: huge, subnormal, negative, zero. Sums of products still fit f32.
float any_scale(Random& random, DType dtype) {
  if (dtype == DType::kMXFP4) return std::ldexp(1.0f, static_cast<int>(between(random, -128, 100)));
  auto bits = static_cast<uint16_t>(random.next());
  if ((bits & 0x7C00) == 0x7C00) bits &= 0x83FF;
  return f16_to_f32(bits);
}

Tensor damaged_matrix(Random& random, DType dtype, int64_t rows, int64_t k) {
  std::byte* data = nullptr;
  Tensor tensor = Tensor::allocate(dtype, {rows, k}, &data);
  test::fill_blocks(
      dtype, {data, tensor.bytes()}, [&] { return static_cast<uint8_t>(random.next()); },
      [&] { return any_scale(random, dtype); });
  return tensor;
}

struct Product {
  Tensor weight;
  int64_t rows, k, n_cols;

  static Product any(Random& random, DType dtype) {
    const int64_t block = is_quantized(dtype) ? info(dtype).block_size : 1;
    const int64_t rows = between(random, 1, 70), k = block * between(random, 1, 1024 / block);
    const bool damaged = is_quantized(dtype) && random.below(2) == 0;
    return {damaged ? damaged_matrix(random, dtype, rows, k) : test::random_matrix(random, dtype, rows, k), rows, k,
            between(random, 1, 40)};
  }
};

// The baseline rounds a * b before it adds c; the others fuse them, and then differ in nothing.
bool is_fused(Isa isa) { return isa != Isa::kBaseline; }

void compare_levels(Random& random, DType dtype) {
  const Product p = Product::any(random, dtype);
  ThreadPool pool(1);
  test::PackedMemory memory(p.weight);
  const PackedMatrix packed("w", p.weight, memory.data(), pool);
  const double deviation = std::exp2(static_cast<double>(between(random, -10, 6)));
  const test::Columns x(random, kernels_for(Isa::kBaseline), packed.in_panels(), p.n_cols, p.k, deviation);
  const test::Decoded decoded(p.weight);
  const std::string what = fmt::format("{} {}x{}, {} columns", name(dtype), p.rows, p.k, p.n_cols);

  const std::vector<test::Expected> want = expected(decoded, x, p.rows, p.n_cols, p.k);
  std::vector<float> baseline, fused;
  for (const Isa isa : available_isas()) {
    std::vector<float> y(want.size());
    packed.multiply(kernels_for(isa), x.column(0, p.k), p.n_cols, y.data(), 0, packed.units());
    if (isa == Isa::kBaseline) baseline = y;
    for (std::size_t i = 0; i < y.size(); ++i) {
      ASSERT_NEAR(y[i], want[i].value, want[i].bound) << name(isa) << " " << what << ", output " << i;
      ASSERT_NEAR(y[i], baseline[i], 2 * want[i].bound) << name(isa) << " " << what << ", output " << i;
    }
    if (!is_fused(isa) || !packed.in_panels()) continue;  // float types sum as many lanes as there are
    if (fused.empty()) fused = y;
    ASSERT_TRUE(test::same_bits(y, fused)) << name(isa) << " " << what;
  }
}

TEST(Differential, ProductsOfEveryWeightTypeAgree) {
  std::vector<DType> types = {DType::kF32, DType::kF16, DType::kBF16};
  types.insert(types.end(), std::begin(test::kBlockTypes), std::end(test::kBlockTypes));
  Random random(21);
  const int64_t n = n_shapes();
  for (int64_t i = 0; i < n && !testing::Test::HasFatalFailure(); ++i) {
    compare_levels(random, types[static_cast<std::size_t>(i) % types.size()]);
  }
}

}  // namespace
}  // namespace minnow
