#include "graph/lora.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "graph/passes.h"
#include "graph/test_gradients.h"
#include "tensor/codec.h"

namespace minnow {
namespace {

constexpr int64_t kVocab = 11, kWidth = 8, kRank = 3;

Tensor random_tensor(uint64_t seed, const Shape& shape) {
  Random random(seed);
  std::vector<float> values(static_cast<std::size_t>(shape.elements()));
  for (float& v : values) v = static_cast<float>(0.5 * random.normal());
  return Tensor::from_f32(values, shape);
}

Tensor zeros(const Shape& shape) { return Tensor::allocate(DType::kF32, shape, nullptr); }

// Two parts of one matrix, gate and up, and a matrix after them.
Graph model() {
  Graph g;
  const NodeId x = g.embed(g.weight("embd", random_tensor(1, {kVocab, kWidth})), g.tokens());
  const Tensor fused = random_tensor(2, {12, kWidth});
  Tensor upper = fused;
  upper.data = fused.row(6);
  upper.shape[0] = 6;
  Tensor lower = fused;
  lower.shape[0] = 6;
  const NodeId gate = g.matmul(x, g.weight("ffn_up.weight", lower, 0)),
               up = g.matmul(x, g.weight("ffn_up.weight", upper, 6));
  const NodeId y =
      g.matmul(g.mul(g.unary(gate, UnaryFn::kSilu), up), g.weight("ffn_down.weight", random_tensor(3, {kWidth, 6})));
  g.set_output(g.matmul(g.select_rows(g.add(x, y)), g.weight("output.weight", random_tensor(4, {kVocab, kWidth}))));
  return g;
}

std::optional<LoraWeights> of_feed_forward(const Node& w, bool zero_b, float dropout = 0) {
  const int64_t rows = w.name == "ffn_up.weight" ? 12 : kWidth;
  if (w.name == "output.weight") return std::nullopt;
  const Tensor b = zero_b ? zeros({rows, kRank}) : random_tensor(6, {rows, kRank});
  return LoraWeights{random_tensor(5, {kRank, w.shape[1]}), b, 1.5f, dropout};
}

bool is_adapter(const Node& w) { return w.name.find(".lora_") != std::string::npos; }

TEST(Lora, ChangesNothingWhileBIsZero) {
  const Graph g = model(), adapted = add_lora(g, [](const Node&w) { return of_feed_forward(w, true); });
  const TrainingBatch batch = test::small_batch(kVocab);
  EXPECT_EQ(test::Interpreter(adapted, batch).output(), test::Interpreter(g, batch).output());
}

TEST(Lora, IsTheModelWithItsProductMergedIntoTheWeights) {
  const Graph g = model(), adapted = add_lora(g, [](const Node&w) { return of_feed_forward(w, false); });
  const TrainingBatch batch = test::small_batch(kVocab);
  test::WeightValues merged;
  for (const Node& w : g.nodes()) {
    if (w.op != Op::kWeight || w.shape[0] == kVocab) continue;
    const LoraWeights lora = *of_feed_forward(w, false);
    const int64_t first = w.get<WeightAttrs>().first_row, columns = w.shape[1];
    std::vector<double> values;
    for (const float v : to_f32(w.constant)) values.push_back(v);
    for (int64_t i = 0; i < w.shape.elements(); ++i) {
      for (int64_t r = 0; r < kRank; ++r) {
        values[static_cast<std::size_t>(i)] +=
            1.5 * lora.b.f32()[(first + i / columns) * kRank + r] * lora.a.f32()[r * columns + i % columns];
      }
    }
    merged[test::key_of(w)] = values;
  }
  const auto wanted = test::Interpreter(g, batch, merged).output(), got = test::Interpreter(adapted, batch).output();
  for (std::size_t i = 0; i < wanted.size(); ++i) EXPECT_NEAR(got[i], wanted[i], 1e-12);
}

TEST(Lora, GradientsOfAAndBAgreeWithFiniteDifferencesAndTheBaseHasNone) {
  const Graph adapted = fuse(add_lora(model(), [](const Node& w) { return of_feed_forward(w, false); }));
  const DifferentiateOptions options{is_adapter};
  const TrainingGraph training = differentiate(adapted, options);
  EXPECT_EQ(training.gradients.size(), 5u);  // parts of one tensor share A
  test::GradientCheck{adapted, test::small_batch(kVocab), options}.expect_right_gradients();
}

TEST(Lora, DropoutHasOneMaskForwardAndBackward) {
  const Graph adapted = fuse(add_lora(model(), [](const Node& w) { return of_feed_forward(w, false, 0.25f); }));
  TrainingBatch batch = test::small_batch(kVocab);
  const auto first = test::Interpreter(adapted, batch).output();
  batch.seed = 1;
  EXPECT_NE(test::Interpreter(adapted, batch).output(), first);
  // The table below the adapters sees gradients through the masks.
  test::GradientCheck{adapted, batch, {[](const Node& w) { return is_adapter(w) || w.name == "embd"; }}}.expect_right_gradients();
}

TEST(Lora, TrainsBesideQuantizedWeights) {
  Graph g;
  const NodeId x = g.embed(g.weight("embd", random_tensor(1, {kVocab, 32})), g.tokens());
  const Tensor source = random_tensor(2, {kWidth, 32});
  std::byte* data = nullptr;
  const Tensor quantized = Tensor::allocate(DType::kQ8_0, {kWidth, 32}, &data);
  for (int64_t r = 0; r < kWidth; ++r)
    encode_row(DType::kQ8_0, source.f32() + r * 32, data + r * static_cast<int64_t>(row_bytes(DType::kQ8_0, 32)), 32);
  const NodeId y = g.select_rows(g.unary(g.matmul(x, g.weight("w", quantized)), UnaryFn::kTanh));
  g.set_output(g.matmul(y, g.weight("output", random_tensor(3, {kVocab, kWidth}))));
  const Graph adapted = add_lora(g, [](const Node& w) -> std::optional<LoraWeights> {
    if (w.name != "w") return std::nullopt;
    return LoraWeights{random_tensor(5, {kRank, 32}), random_tensor(6, {kWidth, kRank}), 2};
  });
  test::GradientCheck{adapted, test::small_batch(kVocab), {is_adapter}}.expect_right_gradients();
}

std::optional<LoraWeights> with_magnitude(const Node& w, double factor_of_norms = 0) {
  auto lora = of_feed_forward(w, false);
  if (!lora) return lora;
  const int64_t rows = lora->b.shape[0];
  lora->magnitude = random_tensor(8, {rows});
  if (factor_of_norms == 0) return lora;
  // Magnitudes that are the norms times a factor, from their definition.
  std::vector<float> norms;
  const Tensor weight = random_tensor(w.name == "ffn_up.weight" ? 2 : 3, {rows, w.shape[1]});
  for (int64_t n = 0; n < rows; ++n) {
    double squares = 0;
    for (int64_t i = 0; i < w.shape[1]; ++i) {
      double v = weight.f32()[n * w.shape[1] + i];
      for (int64_t r = 0; r < kRank; ++r) v += 1.5 * lora->b.f32()[n * kRank + r] * lora->a.f32()[r * w.shape[1] + i];
      squares += v * v;
    }
    norms.push_back(static_cast<float>(factor_of_norms * std::sqrt(squares)));
  }
  lora->magnitude = Tensor::from_f32(norms, {rows});
  return lora;
}

TEST(Dora, WithTheNormsThatRowsHaveIsLoraAndWithTwiceTheseTwiceThat) {
  const TrainingBatch batch = test::small_batch(kVocab);
  const auto plain = test::Interpreter(add_lora(model(), [](const Node& w) { return of_feed_forward(w, false); }), batch).output();
  const auto same = test::Interpreter(add_lora(model(), [](const Node& w) { return with_magnitude(w, 1); }), batch).output();
  for (std::size_t i = 0; i < plain.size(); ++i) EXPECT_NEAR(same[i], plain[i], 1e-5);
  const auto gains = test::Interpreter(add_lora(model(), [](const Node& w) {
    auto lora = of_feed_forward(w, false);
    if (lora) lora->gain = Tensor::from_f32(std::vector<float>(static_cast<std::size_t>(lora->b.shape[0]), 2.0f), {lora->b.shape[0]});
    return lora;
  }), batch).output();
  const auto twice = test::Interpreter(add_lora(model(), [](const Node& w) { return with_magnitude(w, 2); }), batch).output();
  for (std::size_t i = 0; i < plain.size(); ++i) EXPECT_NEAR(twice[i], gains[i], 1e-4);
  EXPECT_NE(twice[0], plain[0]);
}

TEST(Dora, GradientsAgreeWithFiniteDifferencesWhileNormsStandStill) {
  const Graph adapted = fuse(add_lora(model(), [](const Node& w) { return with_magnitude(w); }));
  const TrainingBatch batch = test::small_batch(kVocab);
  // Magnitudes have no part in the norms.
  const auto is_magnitude = [](const Node& w) { return w.name.ends_with(".lora_magnitude"); };
  test::GradientCheck{adapted, batch, {is_magnitude}}.expect_right_gradients();
  // The same graph with norms that are weights: finite differences of A and B do not move them.
  const test::Interpreter values(adapted, batch);
  Graph still;
  for (std::size_t i = 0; i < adapted.nodes().size(); ++i) {
    const Node& n = adapted.nodes()[i];
    if (n.op != Op::kInverseRowNorms) {
      still.append(n);
      continue;
    }
    const auto& norms = values.value(static_cast<NodeId>(i));
    const std::vector<float> rounded(norms.begin(), norms.end());
    still.weight("norms" + std::to_string(i), Tensor::from_f32(rounded, n.shape));
  }
  still.set_output(adapted.output());
  test::GradientCheck{still, batch, {is_adapter}}.expect_right_gradients();
  const TrainingGraph training = differentiate(adapted, {is_adapter}), wanted = differentiate(still, {is_adapter});
  ASSERT_EQ(training.gradients.size(), 8u);  // 5 of A and B, 3 of magnitudes
  ASSERT_EQ(wanted.gradients.size(), 8u);
  const test::Interpreter got_run(training.graph, batch), wanted_run(wanted.graph, batch);
  for (std::size_t i = 0; i < wanted.gradients.size(); ++i) {
    const auto &a = *got_run.gradient(training.gradients[i].weight), &b = *wanted_run.gradient(wanted.gradients[i].weight);
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t j = 0; j < a.size(); ++j) EXPECT_NEAR(a[j], b[j], 1e-6 * std::max(1.0, std::abs(b[j])));
  }
}

TEST(Lora, WithoutDropoutNothingIsDropped) {
  const Graph dropping = add_lora(model(), [](const Node& w) { return of_feed_forward(w, false, 0.25f); });
  const Graph plain = add_lora(model(), [](const Node& w) { return of_feed_forward(w, false); });
  const TrainingBatch batch = test::small_batch(kVocab);
  EXPECT_EQ(test::Interpreter(without_dropout(dropping), batch).output(), test::Interpreter(plain, batch).output());
}

TEST(Lora, ShapesThatDoNotFitNameTheWeight) {
  const auto refused = [](const LoraWeights& lora) -> std::string {
    try {
      add_lora(model(), [&](const Node& w) { return w.name == "ffn_up.weight" ? std::optional(lora) : std::nullopt; });
    } catch (const Error& e) {
      return e.what();
    }
    return {};
  };
  EXPECT_NE(refused({zeros({kRank, kWidth}), zeros({11, kRank})}).find("ffn_up.weight"), std::string::npos);
  EXPECT_NE(refused({zeros({kRank, kWidth}), zeros({12, kRank + 1})}).find("ffn_up.weight"), std::string::npos);
  EXPECT_NE(refused({zeros({kRank, kWidth + 1}), zeros({12, kRank})}).find("ffn_up.weight.lora_a"), std::string::npos);
  EXPECT_EQ(refused({zeros({kRank, kWidth}), zeros({12, kRank})}), "");
  EXPECT_NE(refused({zeros({kRank, kWidth}), zeros({12, kRank}), 1, 0, zeros({11})}).find("ffn_up.weight"), std::string::npos);
}

}  // namespace
}  // namespace minnow
