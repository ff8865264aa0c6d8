#include "compress/merge_adapters.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"
#include "compress/retype.h"
#include "formats/test_bytes.h"
#include "graph/test_interpreter.h"
#include "models/family.h"
#include "models/random_model.h"
#include "tensor/codec.h"

namespace minnow {
namespace {

using minnow::testing::expect_refused;

RandomModelShape shape_of(const Family& family, DType dtype = DType::kF32) {
  return {.family = &family, .n_layers = 2, .n_embd = 32, .n_ff = 32, .n_heads = 2, .n_kv_heads = 1, .head_dim = 16, .n_vocab = 300, .dtype = dtype};
}

Adapter random_adapter(const Model& base, uint64_t seed, AdapterShape shape = {.targets = TargetModules::parse("all-linear"), .rank = 3}) {
  Adapter adapter = new_adapter(base, shape, seed);
  Random random(seed);
  for (AdapterMatrix& m : adapter.matrices) {
    std::vector<float> b(static_cast<std::size_t>(m.b.shape.elements()));
    for (float& v : b) v = static_cast<float>(0.1 * random.normal());
    m.b = Tensor::from_f32(b, m.b.shape);
    if (!m.magnitude) continue;
    std::vector<float> magnitude = to_f32(m.magnitude);
    for (float& v : magnitude) v *= static_cast<float>(1 + 0.2 * random.normal());
    m.magnitude = Tensor::from_f32(magnitude, m.magnitude.shape);
  }
  return adapter;
}

std::vector<double> logits(const Model& model, const Adapter* adapter = nullptr) {
  const std::vector<int32_t> tokens = {1, 5, 70, 5, 299};
  const Graph graph = build_graph(model, 16);
  return test::Interpreter::run(adapter != nullptr ? with_adapter(graph, model, *adapter, AdapterUse::kAnswer) : graph, tokens);
}

double largest(const std::vector<double>& v) {
  double most = 0;
  for (const double x : v) most = std::max(most, std::abs(x));
  return most;
}
double difference(const std::vector<double>& a, const std::vector<double>& b) {
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(a[i] - b[i]));
  return most;
}

class MergeOfEachFamily : public ::testing::TestWithParam<const Family*> {};

TEST_P(MergeOfEachFamily, BaseWithAdapterIsTheMergedModelAndANewAdapterIsNothing) {
  for (const bool magnitudes : {false, true}) {
    const Model base = random_model(shape_of(*GetParam()), 4);
    const AdapterShape shape{.targets = TargetModules::parse("all-linear"), .rank = 3, .magnitudes = magnitudes};
    const Adapter fresh = new_adapter(base, shape, 1);
    const auto before = logits(base);
    if (magnitudes) {
      EXPECT_LT(difference(logits(base, &fresh), before), 1e-5 * largest(before));
    } else {
      EXPECT_EQ(logits(base, &fresh), before);
    }
    const Adapter adapter = random_adapter(base, 2, shape);
    const auto beside = logits(base, &adapter);
    EXPECT_GT(difference(beside, before), 1e-2 * largest(before));
    Model merged = base;
    const WeightedAdapter all[] = {{&adapter}};
    merge_adapters(merged, all);
    EXPECT_LT(difference(logits(merged), beside), 1e-5 * largest(beside)) << magnitudes;
    // What training has in its graph is the same.
    const std::vector<int32_t> tokens = {1, 5, 70, 5, 299};
    const auto training = test::Interpreter::run(with_adapter(build_graph(base, 16), base, adapter, AdapterUse::kTrain), tokens);
    EXPECT_LT(difference(training, beside), 1e-5 * largest(beside)) << magnitudes;
  }
}

INSTANTIATE_TEST_SUITE_P(Families, MergeOfEachFamily, ::testing::Values(&kLlama, &kQwen2, &kGemma3, &kPhi2, &kPhi3, &kGpt2, &kGptNeoX, &kLfm2, &kMixtral),
                         [](const auto& c) { return std::string(c.param->hf_model_type); });

TEST(MergeAdapters, QuantizedWeightsAreRoundedOnceToTheirType) {
  const Model base = random_model(shape_of(kLlama, DType::kQ8_0), 4);
  const Adapter adapter = random_adapter(base, 2);
  Model merged = base, as_f32 = base;
  const WeightedAdapter all[] = {{&adapter, 0.5}};
  merge_adapters(merged, all);
  merge_adapters(as_f32, all, [](const NamedTensor&) { return DType::kF32; });
  const AdapterMatrix& m = adapter.matrices[0];
  EXPECT_EQ(merged.weights.require(m.name).dtype, DType::kQ8_0);
  const Tensor exact = as_f32.weights.require(m.name);
  const Tensor rounded = retyped(m.name, exact, DType::kQ8_0);
  EXPECT_EQ(to_f32(merged.weights.require(m.name)), to_f32(rounded));
  // From its definition.
  const std::vector<float> w = to_f32(base.weights.require(m.name));
  for (const int64_t i : {0, 77, 500}) {
    double wanted = w[static_cast<std::size_t>(i)];
    for (int64_t r = 0; r < 3; ++r) wanted += 0.5 * (8.0 / 3) * m.b.f32()[i / 32 * 3 + r] * m.a.f32()[r * 32 + i % 32];
    EXPECT_NEAR(exact.f32()[i], wanted, 1e-5);
  }
  EXPECT_EQ(merged.weights.require("token_embd.weight").data, base.weights.require("token_embd.weight").data);
}

TEST(MergeAdapters, WeightsOfSeveralAddUpAndCancel) {
  const Model base = random_model(shape_of(kQwen2), 4);
  const Adapter a = random_adapter(base, 2), b = random_adapter(base, 3, {.rank = 2, .magnitudes = true});
  Model merged = base;
  const WeightedAdapter all[] = {{&a, 1}, {&b, 0.5}, {&a, -1}, {&b, -0.5}};
  merge_adapters(merged, all);
  EXPECT_LT(difference(logits(merged), logits(base)), 1e-5 * largest(logits(base)));
}

TEST(MergeAdapters, ATiedOutputProjectionGetsATensorOfItsOwn) {
  const Model base = random_model(shape_of(kQwen2), 4);
  Adapter adapter = random_adapter(base, 2, {.rank = 3});
  AdapterMatrix head{"output.weight", Tensor::from_f32(std::vector<float>(32, 0.1f), {1, 32}), Tensor::from_f32(std::vector<float>(300, 0.2f), {300, 1})};
  adapter.matrices.push_back(head);
  check_adapter(adapter, base, "test");
  Model merged = base;
  const WeightedAdapter all[] = {{&adapter}};
  merge_adapters(merged, all);
  ASSERT_NE(merged.weights.find("output.weight"), nullptr);
  EXPECT_EQ(to_f32(merged.weights.require("token_embd.weight")), to_f32(base.weights.require("token_embd.weight")));
  EXPECT_LT(difference(logits(merged), logits(base, &adapter)), 1e-5 * largest(logits(base)));
}

TEST(MergeAdapters, RefusesTypesThatCannotBeWritten) {
  Model base = random_model(shape_of(kQwen2), 4);
  const Adapter adapter = random_adapter(base, 2);
  const WeightedAdapter all[] = {{&adapter}};
  expect_refused([&] { merge_adapters(base, all, [](const NamedTensor&) { return DType::kIQ2_XS; }); }, ErrorCode::kUsage, "--type");
}

double product_at(const Adapter& adapter, std::size_t matrix, int64_t row, int64_t column) {
  const AdapterMatrix& m = adapter.matrices[matrix];
  double sum = 0;
  for (int64_t r = 0; r < m.rank(); ++r) {
    sum += static_cast<double>(m.b.f32()[row * m.rank() + r]) * static_cast<double>(m.a.f32()[r * m.a.shape[1] + column]);
  }
  return adapter.scale(m) * sum;
}

TEST(CombineAdapters, CatAndSvdOfFullRankAreTheWeightedSum) {
  const Model base = random_model(shape_of(kQwen2), 4);
  const Adapter a = random_adapter(base, 2), b = random_adapter(base, 3, {.targets = TargetModules::parse("all-linear"), .rank = 2, .alpha = 5, .rank_stabilized = true});
  const WeightedAdapter both[] = {{&a, 0.7}, {&b, -1.5}};
  const Adapter cat = combine_adapters(base, both, Combination::kCat), svd = combine_adapters(base, both, Combination::kSvd, 5);
  EXPECT_EQ(cat.matrices[0].rank(), 5);
  EXPECT_EQ(cat.scale(cat.matrices[0]), 1);
  for (std::size_t m = 0; m < cat.matrices.size(); ++m) {
    for (const int64_t i : {0, 3, 11}) {
      const double wanted = 0.7 * product_at(a, m, i, i + 2) - 1.5 * product_at(b, m, i, i + 2);
      EXPECT_NEAR(product_at(cat, m, i, i + 2), wanted, 1e-6);
      EXPECT_NEAR(product_at(svd, m, i, i + 2), wanted, 1e-6);
    }
  }
  EXPECT_EQ(combine_adapters(base, both, Combination::kSvd).matrices[0].rank(), 3);
}

TEST(CombineAdapters, OneAdapterAloneIsItself) {
  const Model base = random_model(shape_of(kQwen2), 4);
  const Adapter a = random_adapter(base, 2);
  const WeightedAdapter one[] = {{&a}};
  for (const auto how : {Combination::kCat, Combination::kSvd, Combination::kLinear}) {
    const Adapter same = combine_adapters(base, one, how);
    for (const int64_t i : {0, 3, 11}) EXPECT_NEAR(product_at(same, 1, i, i), product_at(a, 1, i, i), 1e-6);
  }
}

TEST(CombineAdapters, LinearAddsFactorsAndNeedsAdaptersThatAreAlike) {
  const Model base = random_model(shape_of(kQwen2), 4);
  const Adapter a = random_adapter(base, 2), b = random_adapter(base, 3);
  const WeightedAdapter both[] = {{&a, 0.5}, {&b, -2}};
  const Adapter sum = combine_adapters(base, both, Combination::kLinear);
  const double s = 8.0 / 3, f = std::sqrt(0.5 * s), g = std::sqrt(2 * s);
  EXPECT_NEAR(sum.matrices[0].a.f32()[7], f * a.matrices[0].a.f32()[7] - g * b.matrices[0].a.f32()[7], 1e-6);
  EXPECT_NEAR(sum.matrices[0].b.f32()[7], f * a.matrices[0].b.f32()[7] + g * b.matrices[0].b.f32()[7], 1e-6);
  const Adapter few = random_adapter(base, 4, {.rank = 3});
  const WeightedAdapter unlike[] = {{&a}, {&few}};
  expect_refused([&] { combine_adapters(base, unlike, Combination::kLinear); }, ErrorCode::kUsage, "cat or svd");
  const Adapter dora = random_adapter(base, 4, {.magnitudes = true});
  const WeightedAdapter with_magnitudes[] = {{&dora}};
  expect_refused([&] { combine_adapters(base, with_magnitudes, Combination::kCat); }, ErrorCode::kUnsupported, "DoRA");
}

TEST(RetypeLayers, ChangesTheLayersAndFallsBackWhereRowsAreNotWholeBlocks) {
  Model model = random_model({.family = &kLlama, .n_layers = 1, .n_embd = 256, .n_ff = 96, .n_heads = 2, .n_kv_heads = 1, .head_dim = 16}, 4);
  const RetypeReport r = retype_layers(model, DType::kQ4_K);
  EXPECT_EQ(r.n_changed, 5);   // rows of 256
  EXPECT_EQ(r.n_fallback, 2);  // attn_output of 32, ffn_down of 96
  EXPECT_EQ(model.weights.require("blk.0.attn_q.weight").dtype, DType::kQ4_K);
  EXPECT_EQ(model.weights.require("blk.0.ffn_down.weight").dtype, DType::kQ8_0);
  EXPECT_EQ(model.weights.require("token_embd.weight").dtype, DType::kF32);
  expect_refused([&] { retype_layers(model, DType::kIQ1_S); }, ErrorCode::kUsage, "IQ1_S");
}

}  // namespace
}  // namespace minnow
