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
  const test::Columns x(random, kernels_for(Isa::kBaseline), packed.input(), p.n_cols, p.k, deviation);
  const test::Decoded decoded(p.weight);
  const std::string what = fmt::format("{} {}x{}, {} columns", name(dtype), p.rows, p.k, p.n_cols);

  const std::vector<test::Expected> want = expected(decoded, x, p.rows, p.n_cols, p.k);
  std::vector<float> baseline, fused;
  for (const Isa isa : available_isas()) {
    std::vector<float> y(want.size());
    packed.multiply(kernels_for(isa), x.column(0), p.n_cols, y.data(), 0, packed.units());
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
  Random random(21);
  const int64_t n = n_shapes();
  for (int64_t i = 0; i < n && !testing::Test::HasFatalFailure(); ++i) {
    compare_levels(random, test::kWeightTypes[static_cast<std::size_t>(i) % std::size(test::kWeightTypes)]);
  }
}

constexpr auto kSilu = static_cast<int>(UnaryFn::kSilu), kGeluTanh = static_cast<int>(UnaryFn::kGeluTanh),
               kGelu = static_cast<int>(UnaryFn::kGelu), kRelu = static_cast<int>(UnaryFn::kRelu),
               kReluSquared = static_cast<int>(UnaryFn::kReluSquared), kTanh = static_cast<int>(UnaryFn::kTanh);

double gelu(double x) { return 0.5 * x * std::erfc(-x / std::sqrt(2.0)); }
double silu(double x) { return x / (1 + std::exp(-x)); }
double gelu_argument(double x) { return 1.5957691216057308 * (x + 0.044715 * x * x * x); }
double gelu_tanh(double x) { return x / (1 + std::exp(-gelu_argument(x))); }

// A kernel on two rows of floats, its meaning in float64, and the most that it may be off.
struct RowKernel {
  const char* name;
  void (*run)(const Kernels&, const float* a, const float* b, float* y, int64_t n);
  double (*value)(double a, double b);
  double (*bound)(double a, double b);  // in units of kUnit
};
// Activations: e^x is off by some ulp, and by its argument's roundings: that many ulp as the argument is large.
const RowKernel kRowKernels[] = {
    {"add", [](const Kernels& k, const float* a, const float* b, float* y, int64_t n) { k.add(a, b, y, n); },
     [](double a, double b) { return a + b; }, [](double a, double b) { return std::abs(a + b); }},
    {"mul", [](const Kernels& k, const float* a, const float* b, float* y, int64_t n) { k.mul(a, b, y, n); },
     [](double a, double b) { return a * b; }, [](double a, double b) { return std::abs(a * b); }},
    {"scale", [](const Kernels& k, const float* a, const float*, float* y, int64_t n) { k.scale(a, 0.37f, y, n); },
     [](double a, double) { return a * double{0.37f}; }, [](double a, double) { return std::abs(a * 0.37); }},
    {"softcap", [](const Kernels& k, const float* a, const float*, float* y, int64_t n) { k.softcap(a, 20, y, n); },
     [](double a, double) { return 20 * std::tanh(a / 20); }, [](double, double) { return 16.0 * 20; }},
    {"silu", [](const Kernels& k, const float* a, const float*, float* y, int64_t n) { k.unary[kSilu](a, y, n); },
     [](double a, double) { return silu(a); },
     [](double a, double) { return (16 + 4 * std::abs(a)) * std::abs(silu(a)); }},
    {"gelu_tanh",
     [](const Kernels& k, const float* a, const float*, float* y, int64_t n) { k.unary[kGeluTanh](a, y, n); },
     [](double a, double) { return gelu_tanh(a); },
     [](double a, double) { return (16 + 8 * std::abs(gelu_argument(a))) * std::abs(gelu_tanh(a)); }},
    {"gated_silu",
     [](const Kernels& k, const float* a, const float* b, float* y, int64_t n) { k.gated[kSilu](a, b, y, n); },
     [](double a, double b) { return silu(a) * b; },
     [](double a, double b) { return (16 + 4 * std::abs(a)) * std::abs(silu(a) * b); }},
    {"gated_gelu_tanh",
     [](const Kernels& k, const float* a, const float* b, float* y, int64_t n) { k.gated[kGeluTanh](a, b, y, n); },
     [](double a, double b) { return gelu_tanh(a) * b; },
     [](double a, double b) { return (16 + 8 * std::abs(gelu_argument(a))) * std::abs(gelu_tanh(a) * b); }},
    // The formula for erf is good to 1.5e-7, before it is multiplied with its argument.
    {"gelu", [](const Kernels& k, const float* a, const float*, float* y, int64_t n) { k.unary[kGelu](a, y, n); },
     [](double a, double) { return gelu(a); }, [](double a, double) { return 8 * std::abs(a); }},
    {"gated_gelu", [](const Kernels& k, const float* a, const float* b, float* y, int64_t n) { k.gated[kGelu](a, b, y, n); },
     [](double a, double b) { return gelu(a) * b; }, [](double a, double b) { return 8 * std::abs(a * b); }},
    {"relu", [](const Kernels& k, const float* a, const float*, float* y, int64_t n) { k.unary[kRelu](a, y, n); },
     [](double a, double) { return std::max(a, 0.0); }, [](double, double) { return 0.0; }},
    {"relu_squared",
     [](const Kernels& k, const float* a, const float*, float* y, int64_t n) { k.unary[kReluSquared](a, y, n); },
     [](double a, double) { return a > 0 ? a * a : 0; }, [](double a, double) { return a * a; }},
    {"gated_relu_squared",
     [](const Kernels& k, const float* a, const float* b, float* y, int64_t n) { k.gated[kReluSquared](a, b, y, n); },
     [](double a, double b) { return a > 0 ? a * a * b : 0; }, [](double a, double b) { return 2 * std::abs(a * a * b); }},
    {"tanh", [](const Kernels& k, const float* a, const float*, float* y, int64_t n) { k.unary[kTanh](a, y, n); },
     [](double a, double) { return std::tanh(a); }, [](double, double) { return 16.0; }},
    {"add_scaled",
     [](const Kernels& k, const float* a, const float* b, float* y, int64_t n) {
       std::copy_n(b, n, y);
       k.add_scaled(a, 0.37f, y, n);
     },
     [](double a, double b) { return b + double{0.37f} * a; },
     [](double a, double b) { return 2 * (std::abs(a) + std::abs(b)); }},
};

TEST(Differential, RowsAgree) {
  Random random(22);
  const int64_t n_tries = n_shapes();
  for (int64_t t = 0; t < n_tries; ++t) {
    const RowKernel& kernel = kRowKernels[static_cast<std::size_t>(t) % std::size(kRowKernels)];
    const int64_t n = between(random, 1, 700);
    const double deviation = std::exp2(static_cast<double>(between(random, -10, 5)));
    const auto a = test::normals(random, n, deviation), b = test::normals(random, n);
    std::vector<float> baseline;
    for (const Isa isa : available_isas()) {
      std::vector<float> y(a.size());
      kernel.run(kernels_for(isa), a.data(), b.data(), y.data(), n);
      if (isa == Isa::kBaseline) baseline = y;
      for (std::size_t i = 0; i < y.size(); ++i) {
        // Left of -87, e^-x is taken as no larger than at 87.
        const double bound = kernel.bound(a[i], b[i]) * test::kUnit + 1e-35;
        ASSERT_NEAR(y[i], kernel.value(a[i], b[i]), bound) << kernel.name << " of " << a[i] << ", " << name(isa);
        ASSERT_NEAR(y[i], baseline[i], 2 * bound) << kernel.name << " of " << a[i] << ", " << name(isa);
      }
    }
  }
}

TEST(Differential, NormsAgree) {
  Random random(23);
  const int64_t n_tries = n_shapes();
  for (int64_t t = 0; t < n_tries; ++t) {
    const int64_t n = between(random, 1, 700);
    const auto x = test::normals(random, n, std::exp2(static_cast<double>(between(random, -8, 8))));
    const auto w = test::normals(random, n);
    double squares = 0;
    for (const float v : x) squares += static_cast<double>(v) * v;
    const double factor = 1 / std::sqrt(squares / static_cast<double>(n) + 1e-5);
    std::vector<float> baseline;
    for (const Isa isa : available_isas()) {
      std::vector<float> y(x.size());
      kernels_for(isa).rms_norm(x.data(), w.data(), y.data(), n, 1e-5f);
      if (isa == Isa::kBaseline) baseline = y;
      for (std::size_t i = 0; i < y.size(); ++i) {
        const double want = x[i] * factor * w[i];
        const double bound = (static_cast<double>(n) / 8 + 12) * test::kUnit * std::abs(want) + 1e-44;
        ASSERT_NEAR(y[i], want, bound) << name(isa);
        ASSERT_NEAR(y[i], baseline[i], 2 * bound) << name(isa);
      }
    }
  }
}

TEST(Differential, LayerNormsAgree) {
  Random random(27);
  const int64_t n_tries = n_shapes();
  for (int64_t t = 0; t < n_tries; ++t) {
    const int64_t n = between(random, 2, 700);
    const auto x = test::normals(random, n, std::exp2(static_cast<double>(between(random, -4, 8))));
    const auto w = test::normals(random, n), b = test::normals(random, n);
    const float* bias = t % 2 == 0 ? b.data() : nullptr;
    double mean = 0, variance = 0, largest = 0;
    for (const float v : x) mean += v / static_cast<double>(n), largest = std::max(largest, std::abs(double{v}));
    for (const float v : x) variance += (v - mean) * (v - mean) / static_cast<double>(n);
    const double factor = 1 / std::sqrt(variance + 1e-5);
    std::vector<float> baseline;
    for (const Isa isa : available_isas()) {
      std::vector<float> y(x.size());
      kernels_for(isa).layer_norm(x.data(), w.data(), bias, y.data(), n, 1e-5f);
      if (isa == Isa::kBaseline) baseline = y;
      for (std::size_t i = 0; i < y.size(); ++i) {
        const double want = (x[i] - mean) * factor * w[i] + (bias != nullptr ? bias[i] : 0);
        const double size = (largest * factor + 1) * std::abs(w[i]) + std::abs(want);
        const double bound = (static_cast<double>(n) / 8 + 12) * test::kUnit * size;
        ASSERT_NEAR(y[i], want, bound) << name(isa);
        ASSERT_NEAR(y[i], baseline[i], 2 * bound) << name(isa);
      }
    }
  }
}

TEST(Differential, RotationsAgree) {
  Random random(24);
  const int64_t n_tries = n_shapes();
  for (int64_t t = 0; t < n_tries; ++t) {
    const int64_t n_freq = between(random, 1, 70), head_dim = 2 * n_freq + between(random, 0, 20);
    const auto x = test::normals(random, head_dim), table = test::normals(random, 2 * n_freq);
    const bool halves = random.below(2) == 0;
    std::vector<float> baseline;
    for (const Isa isa : available_isas()) {
      std::vector<float> y(x.size());
      const auto kernel = halves ? kernels_for(isa).rope_halves : kernels_for(isa).rope_interleaved;
      kernel(x.data(), table.data(), y.data(), head_dim, n_freq);
      if (isa == Isa::kBaseline) baseline = y;
      for (std::size_t i = 0; i < y.size(); ++i) {
        ASSERT_NEAR(y[i], baseline[i], 4 * test::kUnit * 2 * 6 * 6) << name(isa) << ", feature " << i;
      }
    }
  }
}

// Codes, scales and sums to the bit: every operation on the way is correctly rounded.
TEST(Differential, QuantizedActivationsAreTheSame) {
  Random random(25);
  const int64_t n_tries = n_shapes();
  for (int64_t t = 0; t < n_tries; ++t) {
    const int64_t k = 32 * between(random, 1, 12);
    const auto x = test::normals(random, k, std::exp2(static_cast<double>(between(random, -30, 30))));
    for (const auto form : {MatMulInput::kBlocks32, MatMulInput::kBlocks256}) {
      const auto bytes = static_cast<std::size_t>(input_row_bytes(form, k));
      std::vector<ActBlock256> baseline(k / 32), y(k / 32);
      for (const Isa isa : available_isas()) {
        to_input(kernels_for(isa), form, x.data(), y.data(), k);
        if (isa == Isa::kBaseline) baseline = y;
        ASSERT_EQ(std::memcmp(y.data(), baseline.data(), bytes), 0) << name(isa);
      }
    }
  }
}

// The largest sum of |q_i k_i| of a pair of rows.
double largest_magnitude(const std::vector<float>& q, const std::vector<float>& k, std::size_t d) {
  double largest = 0;
  for (std::size_t a = 0; a < q.size(); a += d) {
    for (std::size_t b = 0; b < k.size(); b += d) {
      double sum = 0;
      for (std::size_t i = 0; i < d; ++i) sum += std::abs(static_cast<double>(q[a + i]) * k[b + i]);
      largest = std::max(largest, sum);
    }
  }
  return largest;
}

// Pages are the same to the bit; attention over them is an average of values, whose weights are off by what the scores
// and the exponential are; and, where numbers are rounded to bf16, by up to 2^-8 for each of query, key, weight, value.
void compare_attention(Random& random) {
  const auto type = static_cast<KvType>(random.below(4));
  const auto d = static_cast<int32_t>(type == KvType::kQ8_0 ? 32 * between(random, 1, 8) : 4 * between(random, 1, 64));
  const auto length = static_cast<int32_t>(between(random, 1, 3 * kKvPage));
  const auto n_q = static_cast<int32_t>(between(random, 1, kAttentionRows));
  const int64_t element = type == KvType::kF32 ? 4 : type == KvType::kQ8_0 ? 1 : 2;
  const int64_t part = d * kKvPage * element + (type == KvType::kQ8_0 ? d / 32 * kKvPage * 4 : 0);
  const auto q = test::normals(random, n_q * d);
  const auto k = test::normals(random, length * d), v = test::normals(random, length * d);
  const std::vector<int32_t> begin(static_cast<std::size_t>(n_q), 0), end(static_cast<std::size_t>(n_q), length);
  const int32_t page_order[] = {2, 0, 1};
  const auto scale = static_cast<float>(1 / std::sqrt(d));

  const double magnitude = scale * largest_magnitude(q, k, static_cast<std::size_t>(d));
  const auto bound = [&](double rounding) {
    const double score_error = ((d / 4.0 + 16) * test::kUnit + 2 * rounding) * magnitude;
    return 2 * 6 * (score_error + length * test::kUnit + 2 * rounding);  // normal values are below 6
  };

  std::vector<char> baseline_pages;
  std::vector<float> baseline;
  for (const Isa isa : available_isas()) {
    const Kernels& kernels = kernels_for(isa);
    std::vector<char> pages(static_cast<std::size_t>(6 * part));
    for (int32_t p = 0; p < length; ++p) {
      char* page = pages.data() + page_order[p / kKvPage] * 2 * part;
      kernels.kv_store({type, d, k.data() + p * d, v.data() + p * d, page, page + part, p % kKvPage});
    }
    std::vector<float> y(static_cast<std::size_t>(n_q * d));
    std::vector<float> scratch(static_cast<std::size_t>(attention_scratch_floats(d)));
    std::vector<const float*> rows;
    std::vector<float*> out;
    for (int32_t i = 0; i < n_q; ++i) {
      rows.push_back(q.data() + i * d);
      out.push_back(y.data() + i * d);
    }
    kernels.attention({type, d, n_q, rows.data(), out.data(), begin.data(), end.data(), scale, 0, page_order,
                       pages.data(), pages.data() + part, 2 * part, scratch.data()});
    if (isa == Isa::kBaseline) {
      baseline_pages = pages;
      baseline = y;
    }
    ASSERT_EQ(pages, baseline_pages) << name(isa);
    for (std::size_t i = 0; i < y.size(); ++i) {
      const bool bf16 = kernels.bf16_products() && (type == KvType::kBf16 || type == KvType::kQ8_0);
      ASSERT_NEAR(y[i], baseline[i], bound(bf16 ? 0x1p-8 : 0)) << name(isa) << ", head of " << d << ", " << length << " positions";
    }
  }
}

TEST(Differential, AttentionAgrees) {
  Random random(26);
  const int64_t n = n_shapes() / 20;
  for (int64_t i = 0; i < n && !testing::Test::HasFatalFailure(); ++i) compare_attention(random);
}

}  // namespace
}  // namespace minnow
