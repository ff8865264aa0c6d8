// Training graphs of few operations on the CPU against the float64 interpreter. Whole models: train/executor_test.cc.
#include "cpu/train_executor.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"
#include "cpu/gather_products.h"
#include "cpu/test_training.h"
#include "graph/lora.h"
#include "graph/passes.h"
#include "graph/recompute.h"
#include "graph/rounding.h"
#include "tensor/codec.h"

namespace minnow {
namespace {

constexpr int64_t kVocab = 37, kWidth = 32;

// A language model of one layer, with what families seldom have: biases, dropout, caps.
struct SmallModel {
  Random random{5};
  Graph g;
  DType dtype = DType::kF32;  // of the matrices of the layer

  NodeId weight(const std::string& name, const Shape& shape, double mean = 0) {
    std::vector<float> values(static_cast<std::size_t>(shape.elements()));
    for (float& v : values) v = static_cast<float>(mean + 0.3 * random.normal());
    if (!name.starts_with("layer") || shape.rank() < 2) return g.weight(name, Tensor::from_f32(values, shape));
    std::byte* data = nullptr;
    const Tensor t = Tensor::allocate(dtype, shape, &data);
    encode_row(dtype, values.data(), data, shape.elements());
    return g.weight(name, t);
  }

  Graph make(double dropout) {
    NodeId x = g.embed(weight("embedding", {kVocab, kWidth}), g.tokens());
    if (dropout > 0) x = g.dropout(x, {.p = static_cast<float>(dropout), .salt = 3});
    const NodeId normed = g.layer_norm(x, weight("norm", {kWidth}, 1), weight("norm.bias", {kWidth}), 1e-5f);
    const auto heads = [&](const std::string& name, int64_t n) {
      const NodeId y = g.add(g.matmul(normed, weight("layer." + name, {n * 16, kWidth})), weight(name + ".bias", {n * 16}));
      return g.reshape(y, {kTokensDim, n, 16});
    };
    const NodeId table = g.rope_table(g.positions(), {.inv_freq = {1, 0.3, 0.1, 0.03, 0.01}, .magnitude = 1.1});
    const auto rotated = [&](NodeId x_heads) { return g.rope(x_heads, table, RopeLayout::kHalves); };
    const NodeId q = rotated(heads("q", 2)), k = rotated(heads("k", 1)), v = heads("v", 1);
    x = g.add(x, g.matmul(g.attention(q, k, v, {.scale = 0.25f}), weight("layer.o", {kWidth, kWidth})));
    const NodeId gate = g.unary(g.matmul(normed, weight("layer.gate", {64, kWidth})), UnaryFn::kSilu);
    const NodeId inner = g.mul(gate, g.matmul(normed, weight("layer.up", {64, kWidth})));
    x = g.add(x, g.matmul(inner, weight("layer.down", {kWidth, 64})));
    x = g.mul(g.softcap(x, 3), weight("gain", {kWidth}, 1));
    const NodeId out = g.add(g.matmul(g.select_rows(x), weight("output", {kVocab, kWidth})), weight("output.bias", {kVocab}));
    g.set_output(g.softcap(g.scale(out, 0.7f), 5));
    return fuse(g);
  }
};

// Documents of 100, 1, 30 and 170 tokens; every third row has a loss, some of them no target.
TrainingBatch batch_of(int64_t top_k) {
  TrainingBatch batch;
  Random random(9);
  for (const int32_t n : {100, 1, 30, 170}) {
    batch.sequences.push_back({.first = static_cast<int32_t>(batch.tokens.size()), .count = n});
    for (int32_t i = 0; i < n; ++i) batch.tokens.push_back(static_cast<int32_t>(random.below(kVocab)));
  }
  for (int32_t r = 0; r < 301; r += r % 5 == 0 ? 1 : 2) {
    batch.output_rows.push_back(r);
    batch.targets.push_back(r % 7 == 0 ? -1 : static_cast<int32_t>(random.below(kVocab)));
    batch.loss_weights.push_back(static_cast<float>(random.normal()));
    for (int64_t j = 0; j < top_k; ++j) batch.teacher.push_back(r % 11 == j ? -1 : static_cast<float>((r + 5 * j) % kVocab));
    for (int64_t j = 0; j < top_k; ++j) batch.teacher.push_back(static_cast<float>(-1 - random.uniform() * 3));
  }
  batch.seed = 77;
  return batch;
}

bool train_f32(const Node& w) { return w.constant.dtype == DType::kF32; }

TrainExecutorOptions options_of(Multiplied numbers = Multiplied::kF32) {
  return {.isa = chosen_isa(), .max_tokens = 320, .max_outputs = 300, .numbers = numbers};
}

class TrainExecutorOf : public testing::TestWithParam<Isa> {};
INSTANTIATE_TEST_SUITE_P(, TrainExecutorOf, testing::ValuesIn(available_isas()), test::isa_name);

TEST_P(TrainExecutorOf, ASmallModelGivesLossesAndGradientsOfFloat64) {
  const Graph graph = SmallModel().make(0.2);
  TrainExecutorOptions options = options_of();
  options.isa = GetParam();
  test::expect_training(differentiate(graph, {train_f32}), batch_of(0), options, 3e-5);
}

TEST(TrainExecutor, ComputesInBf16WithinItsRounding) {
  const Graph graph = SmallModel().make(0);
  test::expect_training(differentiate(graph, {train_f32}), batch_of(0), options_of(Multiplied::kBf16), 0.03);
}

// The gradient of y is that of x as well, and its product comes before the one of x that it is added to.
TEST(TrainExecutor, AddsTheProductOfAnEarlierGradient) {
  SmallModel small;
  Graph& g = small.g;
  const NodeId x = g.embed(small.weight("embedding", {kVocab, kWidth}), g.tokens());
  const NodeId y = g.add(x, small.weight("frozen", {kWidth}));
  const NodeId z = g.unary(g.matmul(x, small.weight("layer.z", {kWidth, kWidth})), UnaryFn::kSilu);
  const NodeId c = g.matmul(y, small.weight("layer.c", {kWidth, kWidth}));
  g.set_output(g.matmul(g.select_rows(g.add(z, c)), small.weight("output", {kVocab, kWidth})));
  const TrainingGraph training = differentiate(fuse(g), {[](const Node& w) { return w.name != "frozen"; }});
  test::expect_training(training, batch_of(0), options_of(), 3e-5);
  for (const auto& sum : gather_products(training).sums) EXPECT_TRUE(std::is_sorted(sum.begin(), sum.end()));
}

TEST(TrainExecutor, LearnsFromATeacherInEitherDirection) {
  for (const Divergence way : {Divergence::kForward, Divergence::kReverse}) {
    const Graph graph = SmallModel().make(0);
    const TeacherAttrs teacher{.top_k = 4, .temperature = 2, .alpha = 0.6f, .divergence = way};
    test::expect_training(differentiate(graph, {train_f32, LossKind::kTokens, teacher}), batch_of(4), options_of(), 3e-5);
  }
}

TEST(TrainExecutor, TakesTheTemperatureOfABatchInPlaceOfThatOfTheGraph) {
  const Graph graph = SmallModel().make(0);
  const auto executor_with = [&](float temperature) {
    const TeacherAttrs teacher{.top_k = 4, .temperature = temperature, .alpha = 0.6f};
    return TrainExecutor(differentiate(graph, {train_f32, LossKind::kTokens, teacher}), options_of());
  };
  TrainExecutor two = executor_with(2), one = executor_with(1);
  TrainingBatch batch = batch_of(4);
  const test::TrainingResult wanted = test::result_of(two, batch), other = test::result_of(one, batch);
  batch.teacher_temperature = 2;
  const test::TrainingResult got = test::result_of(one, batch);
  EXPECT_TRUE(test::same_bits(got.output, wanted.output));
  EXPECT_FALSE(test::same_bits(other.output, wanted.output));
  for (std::size_t i = 0; i < got.gradients.size(); ++i) EXPECT_TRUE(test::same_bits(got.gradients[i], wanted.gradients[i]));
  batch.teacher_temperature = -1;
  EXPECT_THROW(one.run(batch), Error);
}

TEST(TrainExecutor, PassesGradientsThroughFrozenWeightsOfAnyType) {
  for (const DType type : {DType::kF32, DType::kF16, DType::kBF16, DType::kQ8_0, DType::kQ4_0}) {
    SmallModel model;
    model.dtype = type;
    const Graph base = model.make(0);
    const auto adapter_of = [&](const Node& w) -> std::optional<LoraWeights> {
      if (!w.name.starts_with("layer")) return std::nullopt;
      const auto random_tensor = [&](const Shape& s) { return Tensor::from_f32(test::normals(model.random, s.elements(), 0.2), s); };
      return LoraWeights{random_tensor({4, w.shape[1]}), random_tensor({w.shape[0], 4}), 0.5f, 0.1f};
    };
    const Graph graph = fuse(add_lora(base, adapter_of));
    const auto is_adapter = [](const Node& w) { return w.name.find(".lora_") != std::string::npos; };
    test::expect_training(differentiate(graph, {is_adapter}), batch_of(0), options_of(), 3e-5);
  }
}

TEST(TrainExecutor, GivesRowsOfAdaptedWeightsTheirMagnitudes) {
  for (const DType dtype : {DType::kF32, DType::kQ8_0}) {
    SmallModel model;
    model.dtype = dtype;
    const Graph base = model.make(0);
    const Graph graph = fuse(add_lora(base, [&](const Node& w) -> std::optional<LoraWeights> {
      if (!w.name.starts_with("layer")) return std::nullopt;
      const auto random_tensor = [&](const Shape& s) { return Tensor::from_f32(test::normals(model.random, s.elements(), 0.2), s); };
      return LoraWeights{random_tensor({4, w.shape[1]}), random_tensor({w.shape[0], 4}), 0.5f, 0.1f, random_tensor({w.shape[0]})};
    }));
    const auto is_adapter = [](const Node& w) { return w.name.find(".lora_") != std::string::npos; };
    test::expect_training(differentiate(graph, {is_adapter}), batch_of(0), options_of(), 3e-5);
    test::expect_training(recompute(differentiate(graph, {is_adapter}), 1), batch_of(0), options_of(), 3e-5);
  }
}

TEST(TrainExecutor, MultipliesRoundedWeightsAndChangesThoseBehindThem) {
  const Graph graph = add_rounding(SmallModel().make(0.2), [](const Node& n) -> std::optional<RoundedWeight> {
    std::vector<std::byte> encoded(static_cast<std::size_t>(n.shape.rows()) * row_bytes(DType::kQ4_0, n.shape.last()));
    std::vector<float> values(static_cast<std::size_t>(n.shape.elements()));
    if (n.shape.rank() < 2) return std::nullopt;
    encode_row(DType::kQ4_0, n.constant.f32(), encoded.data(), n.shape.elements());
    decode_row(DType::kQ4_0, encoded.data(), values.data(), n.shape.elements());
    return RoundedWeight{Tensor::from_f32(values, n.shape)};
  });
  test::expect_training(differentiate(graph, {train_f32}), batch_of(0), options_of(), 3e-5);
}

TEST_P(TrainExecutorOf, RoundsInputsToTheCodesOfInference) {
  for (const int32_t block : {32, 256}) {
    const Graph graph = add_rounding(SmallModel().make(0), [&](const Node& n) -> std::optional<RoundedWeight> {
      if (n.shape.rank() < 2) return std::nullopt;
      return RoundedWeight{n.constant, block};
    });
    TrainExecutorOptions options = options_of();
    options.isa = GetParam();
    // Of many numbers one may be so near the middle between two codes that float32 takes the other.
    test::expect_training(differentiate(graph, {train_f32}), batch_of(0), options, 3e-3);
  }
}

TEST(TrainExecutor, GoesThroughALargeVocabularyInChunksOfRows) {
  constexpr int64_t kMany = 16500, kNarrow = 4;  // more logits than are held at a time
  Graph g;
  Random random(6);
  const auto weight = [&](const char* name, const Shape& shape) {
    return g.weight(name, Tensor::from_f32(test::normals(random, shape.elements()), shape));
  };
  const NodeId x = g.embed(weight("embedding", {kVocab, kNarrow}), g.tokens());
  g.set_output(g.add(g.matmul(x, weight("output", {kMany, kNarrow})), weight("output.bias", {kMany})));
  TrainingBatch batch = batch_of(0);
  batch.output_rows.clear();
  batch.targets.clear();
  batch.loss_weights.clear();
  for (std::size_t r = 0; r < batch.tokens.size(); ++r) {
    batch.targets.push_back(static_cast<int32_t>(random.below(kMany)));
    batch.loss_weights.push_back(static_cast<float>(random.normal()));
  }
  test::expect_training(differentiate(g, {train_f32}), batch, options_of(), 3e-5);
}

TEST(TrainExecutor, TakesTheGradientOfALossThatIsComputedElsewhere) {
  const Graph graph = SmallModel().make(0);
  TrainingBatch batch = batch_of(0);
  Random random(3);
  batch.output_grad = test::normals(random, static_cast<int64_t>(batch.output_rows.size()) * kVocab);
  test::expect_training(differentiate(graph, {train_f32, LossKind::kGiven}), batch, options_of(), 3e-5);
}

TEST(TrainExecutor, TellsLossesWithoutGradients) {
  const TrainingGraph losses = differentiate(SmallModel().make(0), {});
  EXPECT_TRUE(losses.gradients.empty());
  test::expect_training(losses, batch_of(0), options_of(), 1e-5);
}

TEST(TrainExecutor, ReadsWeightsAnewInEveryRunAndAddsGradientsUp) {
  const TrainingGraph training = differentiate(SmallModel().make(0), {train_f32});
  TrainExecutor executor(training, options_of());
  const TrainingBatch batch = batch_of(0);
  const test::TrainingResult once = test::result_of(executor, batch);
  executor.run(batch);
  for (std::size_t i = 0; i < once.gradients.size(); ++i) {
    double largest = 0, error = 0;
    for (std::size_t j = 0; j < once.gradients[i].size(); ++j) {
      largest = std::max<double>(largest, std::abs(once.gradients[i][j]));
      error = std::max<double>(error, std::abs(executor.gradient(i)[j] - 2 * once.gradients[i][j]));
    }
    EXPECT_LT(error, 1e-5 * largest);
  }
  // The memory of a weight is the test's own.
  for (const WeightGradient& g : training.gradients) {
    const Tensor& t = training.graph.node(g.weight).constant;
    auto* values = const_cast<float*>(t.f32());
    for (int64_t j = 0; j < t.shape.elements(); ++j) values[j] *= 1.25f;
  }
  const test::Interpreter wanted(training.graph, batch);
  EXPECT_LT(test::relative_error(test::result_of(executor, batch).output, wanted.output()), 1e-5);
}

TEST(TrainExecutor, RefusesWhatDoesNotFit) {
  const TrainingGraph training = differentiate(SmallModel().make(0), {train_f32});
  TrainExecutor executor(training, options_of());
  const auto refuses = [&](void (*spoil)(TrainingBatch&)) {
    TrainingBatch batch = batch_of(0);
    spoil(batch);
    EXPECT_THROW(executor.run(batch), Error);
  };
  refuses([](TrainingBatch& b) { b.tokens[4] = kVocab; });
  refuses([](TrainingBatch& b) { b.targets[1] = kVocab; });
  refuses([](TrainingBatch& b) { b.loss_weights.pop_back(); });
  refuses([](TrainingBatch& b) { b.sequences.pop_back(); });
  refuses([](TrainingBatch& b) { b.output_rows[1] = b.output_rows[0]; });
  refuses([](TrainingBatch& b) { b.tokens.resize(321, 0); });
  SmallModel halves;
  halves.dtype = DType::kBF16;
  EXPECT_THROW(TrainExecutor(differentiate(halves.make(0), {[](const Node&) { return true; }}), options_of()), Error);
}

TEST(GatherProducts, BringsTogetherWhatReadsTheSame) {
  const GatheredProducts made = gather_products(differentiate(SmallModel().make(0), {train_f32}));
  std::vector<std::size_t> sums;
  for (const auto& sum : made.sums) {
    if (!sum.empty()) sums.push_back(sum.size());
  }
  // All five products of the normed input: gate, up, queries, keys and values.
  EXPECT_EQ(sums, std::vector<std::size_t>{5});
  const auto& nodes = made.training.graph.nodes();
  int neighbours = 0;
  for (std::size_t i = 1; i < nodes.size(); ++i) {
    neighbours += nodes[i].op == Op::kMatMulWeightGrad && nodes[i - 1].op == nodes[i].op && nodes[i].inputs[1] == nodes[i - 1].inputs[1];
  }
  EXPECT_EQ(neighbours, 4);
}

}  // namespace
}  // namespace minnow
