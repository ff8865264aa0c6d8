#include "eval/step_work.h"

#include <gtest/gtest.h>

#include "models/family.h"
#include "models/random_model.h"

namespace minnow {
namespace {

// 2 layers, width 64, 4 query and 2 key heads of 32, feed-forward 96, vocabulary 300.
constexpr double kLayer = 64.0 * 128 + 2 * 64.0 * 64 + 128.0 * 64 + 3 * 64.0 * 96;
constexpr double kOutput = 300.0 * 64;

Graph graph_of(RandomModelShape shape) {
  shape.family = &kLlama;
  return build_graph(random_model(shape, 1), 64);
}

TEST(StepWork, OfATokenIsEveryMatrixOnce) {
  const StepWork w = step_work(graph_of({}), KvType::kF32, {1, 1, 0});
  EXPECT_EQ(w.weight_bytes, 4 * (2 * kLayer + kOutput));
  EXPECT_EQ(w.f32_ops, 2 * (2 * kLayer + kOutput) + 2 * 4.0 * 1 * 128);  // attention: one key, 4 heads of 32
  EXPECT_EQ(w.kv_bytes, 2 * 2.0 * 64 * 4);                              // two layers, keys and values
  EXPECT_EQ(w.int8_ops + w.bf16_ops, 0);
}

TEST(StepWork, CountsTheEmbeddingOnlyWhenItIsTheOutput) {
  EXPECT_EQ(step_work(graph_of({}), KvType::kF32, {}).weight_bytes, step_work(graph_of({.tied = false}), KvType::kF32, {}).weight_bytes);
}

TEST(StepWork, OfAPromptNeedsOneRowOfLogits) {
  const double attention = 2 * 4 * (10 + 11 + 12) * 128.0;  // the three tokens see 10, 11 and 12 keys
  const StepWork w = step_work(graph_of({}), KvType::kF32, {1, 3, 9});
  EXPECT_EQ(w.f32_ops, 2 * (3 * 2 * kLayer + kOutput) + attention);
  EXPECT_EQ(w.weight_bytes, 4 * (2 * kLayer + kOutput));
}

TEST(StepWork, OfSeveralSequencesReadsWeightsOnceAndEveryCache) {
  const StepWork one = step_work(graph_of({}), KvType::kF16, {1, 1, 20});
  const StepWork four = step_work(graph_of({}), KvType::kF16, {4, 1, 20});
  EXPECT_EQ(four.weight_bytes, one.weight_bytes);
  EXPECT_EQ(four.kv_bytes, 4 * one.kv_bytes);
  EXPECT_EQ(four.f32_ops, 4 * one.f32_ops);
}

TEST(StepWork, OfAWindowSeesNoMoreThanThat) {
  const Shape q{kTokensDim, 4, 32}, k{kTokensDim, 2, 32};
  AttentionAttrs attrs;
  attrs.window = 8;
  const StepWork w = attention_work(attrs, q, k, KvType::kF32, {1, 3, 6});
  EXPECT_EQ(w.f32_ops, 4 * (7 + 8 + 8) * 128.0);
  EXPECT_EQ(w.kv_bytes, 9 * 2 * 64 * 4.0);
  EXPECT_EQ(attention_work(attrs, q, k, KvType::kF32, {1, 1, 100}).kv_bytes, 8 * 2 * 64 * 4.0);
}

TEST(StepWork, OfQuantizedWeightsIsInBytes) {
  const StepWork w = step_work(graph_of({.dtype = DType::kQ8_0}), KvType::kF32, {1, 1, 0});
  EXPECT_EQ(w.int8_ops, 2 * (2 * kLayer + kOutput));
  EXPECT_EQ(w.weight_bytes, (2 * kLayer + kOutput) / 32 * 34);
}

TEST(LowerBound, IsTheTighterLimit) {
  MachineLimits limits;
  limits.read_bytes_per_second = 100;
  limits.int8_ops_per_second = 1000;
  limits.f32_ops_per_second = 10;
  StepWork w;
  w.weight_bytes = 150;
  w.kv_bytes = 50;
  w.int8_ops = 1500;
  EXPECT_DOUBLE_EQ(lower_bound(w, limits).seconds, 2);
  EXPECT_TRUE(lower_bound(w, limits).by_memory);
  w.f32_ops = 10;
  w.bf16_ops = 10;  // no instruction for it: as f32
  EXPECT_DOUBLE_EQ(lower_bound(w, limits).seconds, 3.5);
  EXPECT_FALSE(lower_bound(w, limits).by_memory);
}

}  // namespace
}  // namespace minnow
