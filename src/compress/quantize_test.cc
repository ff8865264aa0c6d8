#include "compress/quantize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/file.h"
#include "base/random.h"
#include "models/family.h"
#include "models/random_model.h"
#include "tensor/codec.h"

namespace minnow {
namespace {

namespace fs = std::filesystem;

QuantizeOptions with(std::string_view recipe) {
  QuantizeOptions options;
  options.recipe = &find_recipe(recipe);
  return options;
}

class Quantize : public testing::Test {
 protected:
  void SetUp() override { path_ = fs::path(testing::TempDir()) / "minnow_quantize.gguf"; }
  void TearDown() override { fs::remove(path_); }
  fs::path path_;
};

double relative_error(const Tensor& a, const Tensor& b) {
  const auto x = to_f32(a), y = to_f32(b);
  double error = 0, total = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    error += std::pow(static_cast<double>(x[i]) - y[i], 2);
    total += std::pow(static_cast<double>(x[i]), 2);
  }
  return std::sqrt(error / total);
}

TEST_F(Quantize, WritesMatricesInTheTypeAndKeepsTheRest) {
  const Model model = random_model({.family = &kLlama}, 3);
  const QuantizeReport report = quantize(model, path_, with("Q8_0"));
  const Model small = load_model(path_);
  EXPECT_EQ(small.weights.require("blk.0.attn_q.weight").dtype, DType::kQ8_0);
  EXPECT_EQ(small.weights.require("blk.0.attn_norm.weight").dtype, DType::kF32);
  EXPECT_EQ(report.n_fallback, 0);
  EXPECT_LT(report.bytes_after, report.bytes_before / 3);
  // Relative error of Q8_0 on normal values: 0.0053 (quantization reference, section 7).
  EXPECT_NEAR(relative_error(model.weights.require("blk.0.ffn_up.weight"), small.weights.require("blk.0.ffn_up.weight")), 0.0053, 0.001);
}

// Each recipe, on rows of whole super-blocks, gives a file that loads, whose tensors have the planned types and sizes, and
// whose errors are those of the type.
TEST_F(Quantize, EveryRecipeGivesAFileOfThePlannedTypes) {
  const Model model = random_model({.family = &kLlama, .n_embd = 256, .n_ff = 512, .n_heads = 8, .tied = false}, 3);
  for (const Recipe& recipe : recipes()) {
    QuantizeOptions options;
    options.recipe = &recipe;
    const QuantizeReport report = quantize(model, path_, options);
    const Model small = load_model(path_);
    EXPECT_EQ(small.metadata.integer("general.file_type", 999, 0, 1000), recipe.file_type) << recipe.name;
    uint64_t bytes = 0;
    for (const PlannedTensor& t : report.tensors) {
      const Tensor& stored = small.weights.require(t.name);
      EXPECT_EQ(stored.dtype, t.to) << recipe.name << " " << t.name;
      bytes += gguf_tensor_bytes(stored.dtype, stored.shape);
      const double error = relative_error(model.weights.require(t.name), stored);
      EXPECT_LT(error, t.kind == TensorKind::kKept ? 1e-9 : 0.9) << recipe.name << " " << t.name;
    }
    EXPECT_EQ(report.bytes_after, bytes) << recipe.name;
    EXPECT_EQ(report.n_fallback, 0) << recipe.name;
  }
}

TEST_F(Quantize, ATernaryModelGoesThroughI2SExactlyWithOneScalePerTensor) {
  Model model = random_model({.family = &kLlama, .n_embd = 256, .n_ff = 512, .n_heads = 8}, 3);
  const std::string name = "blk.1.ffn_up.weight";
  const Shape shape = model.weights.require(name).shape;
  Random random(9);
  std::vector<float> values(static_cast<std::size_t>(shape.elements()));
  for (float& v : values) v = 0.25f * static_cast<float>(static_cast<int>(random.below(3)) - 1);
  model.weights.set(name, Tensor::from_f32(values, shape));
  quantize(model, path_, with("I2_S"));
  const Model small = load_model(path_);
  EXPECT_EQ(small.weights.require(name).dtype, DType::kI2_S);
  EXPECT_EQ(to_f32(small.weights.require(name)), values);
  // Of master weights the scale is the mean size, for the whole tensor.
  const auto before = to_f32(model.weights.require("blk.0.ffn_up.weight")), after = to_f32(small.weights.require("blk.0.ffn_up.weight"));
  double mean = 0;
  for (const float v : before) mean += std::abs(static_cast<double>(v)) / static_cast<double>(before.size());
  for (std::size_t i = 0; i < after.size(); ++i) {
    const double ratio = static_cast<double>(before[i]) / mean;
    ASSERT_NEAR(after[i], mean * std::clamp(std::round(ratio), -1.0, 1.0), 1e-6) << i;
  }
}

// A stack of two matrices whose important columns differ, and a plain matrix with one set for all rows.
TEST_F(Quantize, ImportanceWeightsMakeTheErrorsOfImportantColumnsSmaller) {
  Model model = random_model({.family = &kLlama, .n_embd = 256, .n_ff = 512, .n_heads = 8}, 3);
  Random random(4);
  std::vector<float> stack(2 * 32 * 256), weights(2 * 256);
  for (float& v : stack) v = static_cast<float>(random.normal());
  for (float& w : weights) w = static_cast<float>(std::exp(2 * random.normal()));
  model.weights.set("blk.0.ffn_down_exps.weight", Tensor::from_f32(stack, {2, 32, 256}));
  const auto error = [&](const std::string& name) {
    const auto x = to_f32(model.weights.require(name)), y = to_f32(load_model(path_).weights.require(name));
    double sum = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const std::size_t expert = name.ends_with("exps.weight") ? i / (32 * 256) : 0;
      sum += std::pow(static_cast<double>(x[i]) - y[i], 2) * static_cast<double>(weights[expert * 256 + i % 256]);
    }
    return sum;
  };
  const char* const names[] = {"blk.0.ffn_down_exps.weight", "blk.0.ffn_up.weight"};
  double plain[2];
  quantize(model, path_, with("Q4_K_S"));
  for (int i = 0; i < 2; ++i) plain[i] = error(names[i]);
  QuantizeOptions options = with("Q4_K_S");
  options.importance = [&](const NamedTensor& t) {
    return std::span<const float>(weights).first(t.tensor.shape.rank() == 3 ? 512 : t.tensor.shape.last() == 256 ? 256 : 0);
  };
  quantize(model, path_, options);
  for (int i = 0; i < 2; ++i) EXPECT_LT(error(names[i]), 0.9 * plain[i]) << names[i];

  options.importance = [&](const NamedTensor&) { return std::span<const float>(weights).first(7); };
  EXPECT_THROW(quantize(model, path_, options), Error) << "weights of another model";
  weights[3] = -1;
  options.importance = [&](const NamedTensor& t) { return std::span<const float>(weights).first(t.tensor.shape.last() == 256 ? 256 : 0); };
  EXPECT_THROW(quantize(model, path_, options), Error);
}

TEST_F(Quantize, TheFileIsTheSameForAnyNumberOfThreads) {
  const Model model = random_model({.family = &kLlama, .n_embd = 256, .n_ff = 512}, 3);
  std::string first;
  for (const int threads : {1, 2, 7}) {
    quantize(model, path_, with("Q4_K_M"), threads);
    const std::string bytes = read_text_file(path_, 1 << 26);
    if (first.empty()) first = bytes;
    EXPECT_TRUE(bytes == first) << threads;
  }
}

TEST_F(Quantize, AChangedTypeOfAQuantizedTensorIsCounted) {
  quantize(random_model({.family = &kLlama}, 3), path_, with("Q8_0"));
  const Model small = load_model(path_);
  EXPECT_EQ(quantize_report(small, with("Q8_0")).n_requantized, 0);
  EXPECT_GT(quantize_report(small, with("Q4_0")).n_requantized, 10);
}

TEST_F(Quantize, ValuesPastTheRangeOfATypeAreAnErrorAndNoFile) {
  Model model = random_model({.family = &kLlama}, 3);
  const Tensor& old = model.weights.require("blk.1.ffn_up.weight");
  std::vector<float> values = to_f32(old);
  values[777] = 1e9f;
  model.weights.set("blk.1.ffn_up.weight", Tensor::from_f32(values, old.shape));
  for (const char* recipe : {"Q4_0", "Q8_0", "F16", "Q4_K_M"}) {
    try {
      quantize(model, path_, with(recipe));
      ADD_FAILURE() << recipe;
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find("blk.1.ffn_up.weight: holds a value past the range of"), std::string::npos) << e.what();
    }
    EXPECT_FALSE(fs::exists(path_));
  }
  EXPECT_NO_THROW(quantize(model, path_, with("BF16")));
}

}  // namespace
}  // namespace minnow
