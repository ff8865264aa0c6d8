#include "compress/quantize.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "models/family.h"
#include "models/random_model.h"
#include "tensor/codec.h"

namespace minnow {
namespace {

namespace fs = std::filesystem;

TEST(Quantize, WritesMatricesInTheTypeAndKeepsTheRest) {
  const Model model = random_model({.family = &kLlama}, 3);
  const fs::path path = fs::path(testing::TempDir()) / "minnow_quantize.gguf";
  const QuantizeReport report = quantize(model, path, DType::kQ8_0);
  const Model small = load_model(path);
  EXPECT_EQ(small.weights.require("blk.0.attn_q.weight").dtype, DType::kQ8_0);
  EXPECT_EQ(small.weights.require("blk.0.attn_norm.weight").dtype, DType::kF32);
  EXPECT_EQ(report.n_fallback, 0);
  EXPECT_LT(report.bytes_after, report.bytes_before / 3);
  // Relative error of Q8_0 on normal values: 0.0053 (quantization reference, section 7).
  const auto x = to_f32(model.weights.require("blk.0.ffn_up.weight")), y = to_f32(small.weights.require("blk.0.ffn_up.weight"));
  double error = 0, total = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    error += std::pow(static_cast<double>(x[i]) - y[i], 2);
    total += std::pow(static_cast<double>(x[i]), 2);
  }
  EXPECT_NEAR(std::sqrt(error / total), 0.0053, 0.001);
  fs::remove(path);
}

TEST(Quantize, Q4KeepsTheOutputProjectionInQ8) {
  const Model tied = random_model({.family = &kLlama}, 3);
  const Model untied = random_model({.family = &kLlama, .tied = false}, 3);
  const auto type = [](const Model& m, const char* tensor) {
    return recipe_dtype(m, DType::kQ4_0, {tensor, m.weights.require(tensor)});
  };
  EXPECT_EQ(type(tied, "token_embd.weight"), DType::kQ8_0);
  EXPECT_EQ(type(untied, "token_embd.weight"), DType::kQ4_0);
  EXPECT_EQ(type(untied, "output.weight"), DType::kQ8_0);
  EXPECT_EQ(type(tied, "blk.0.ffn_down.weight"), DType::kQ4_0);
}

TEST(Quantize, RowsThatAreNotWholeBlocksBecomeF16) {
  const Model model = random_model({.family = &kLlama, .n_ff = 172 - 4}, 3);
  EXPECT_EQ(recipe_dtype(model, DType::kQ4_0, {"blk.0.ffn_down.weight", model.weights.require("blk.0.ffn_down.weight")}), DType::kF16);
}

TEST(Quantize, RefusesTypesItCannotWriteBeforeTouchingTheDisk) {
  const fs::path path = fs::path(testing::TempDir()) / "minnow_quantize_refused.gguf";
  EXPECT_THROW(quantize(random_model({.family = &kLlama}, 3), path, DType::kQ6_K), Error);
  EXPECT_FALSE(fs::exists(path));
}

}  // namespace
}  // namespace minnow
