#include "graph/rounding.h"

#include <gtest/gtest.h>

#include "base/test_refusal.h"
#include "graph/passes.h"
#include "graph/test_gradients.h"

namespace minnow {
namespace {

constexpr int64_t kVocab = 11, kWidth = 64;

std::vector<float> normals(Random& random, int64_t n) {
  std::vector<float> values(static_cast<std::size_t>(n));
  for (float& v : values) v = static_cast<float>(random.normal());
  return values;
}

// Values as a coarse quantizer leaves them.
std::vector<float> coarse(std::vector<float> values) {
  for (float& v : values) v = std::round(v * 2) / 2;
  return values;
}

// Two layers, of which the first is embedded and the last a head; `change` makes its weights of the first values.
Graph small_graph(const std::function<std::vector<float>(std::vector<float>)>& change) {
  Random random(3);
  Graph g;
  const auto weight = [&](const char* name, const Shape& shape) {
    return g.weight(name, Tensor::from_f32(change(normals(random, shape.elements())), shape));
  };
  const NodeId x = g.embed(weight("embedding", {kVocab, kWidth}), g.tokens());
  const NodeId up = g.matmul(x, weight("up", {kWidth, kWidth})), gate = g.matmul(x, weight("gate", {kWidth, kWidth}));
  const NodeId y = g.add(x, g.scale(g.mul(g.unary(gate, UnaryFn::kTanh), up), 0.01f));
  g.set_output(g.scale(g.matmul(g.select_rows(y), weight("output", {kVocab, kWidth})), 0.1f));
  return fuse(g);
}

std::optional<RoundedWeight> coarse_of(const Node& n) {
  const float* values = n.constant.f32();
  return RoundedWeight{Tensor::from_f32(coarse({values, values + n.shape.elements()}), n.shape)};
}

// Straight-through, by its definition: what operations read is rounded, and gradients are taken there as if it were not.
TEST(Rounding, GivesOutputAndGradientsOfAModelWhoseWeightsAreTheRoundedOnes) {
  const Graph rounded = add_rounding(small_graph([](auto v) { return v; }), coarse_of), plain = small_graph(coarse);
  const TrainingGraph a = differentiate(rounded, {test::train_all}), b = differentiate(plain, {test::train_all});
  const TrainingBatch batch = test::small_batch(kVocab);
  const test::Interpreter run(a.graph, batch), wanted(b.graph, batch);
  EXPECT_EQ(run.output(), wanted.output());
  ASSERT_EQ(a.gradients.size(), 4u);
  for (std::size_t i = 0; i < a.gradients.size(); ++i) {
    const Node& weight = a.graph.node(a.gradients[i].weight);
    EXPECT_EQ(*run.gradient(a.gradients[i].weight), *wanted.gradient(b.gradients[i].weight)) << weight.name;
    EXPECT_NE(weight.constant.f32()[0], weight.rounded.f32()[0]);  // what will be changed are the values behind
  }
}

TEST(Rounding, LetsGradientsPassRoundedInputsAsIfTheyWereNot) {
  const auto made = [](bool rounds) {
    const Graph g = small_graph([](auto v) { return v; });
    return add_rounding(g, [&](const Node& n) -> std::optional<RoundedWeight> {
      if (n.name == "embedding") return std::nullopt;
      return RoundedWeight{n.constant, rounds ? 32 : 0};
    });
  };
  const Graph rounding = made(true);
  const TrainingGraph a = differentiate(rounding, {test::train_all, LossKind::kGiven});
  TrainingBatch batch = test::small_batch(kVocab);
  batch.output_grad = test::random_grad(batch.output_rows.size() * kVocab);
  const test::Interpreter run(a.graph, batch);
  const auto nodes = [&](Op op) {
    return std::count_if(rounding.nodes().begin(), rounding.nodes().end(), [op](const Node& n) { return n.op == op; });
  };
  EXPECT_EQ(nodes(Op::kRoundInput), 2);  // up and gate share one
  // The head sees rounded rows: its weight's gradient is of them, that of the rows is the plain product.
  for (std::size_t i = 0; i < a.graph.nodes().size(); ++i) {
    const Node& n = a.graph.nodes()[i];
    if (n.op == Op::kMatMulWeightGrad) {
      EXPECT_EQ(a.graph.node(n.inputs[1]).op, Op::kRoundInput);
    } else if (n.op == Op::kScatterRows) {
      EXPECT_EQ(a.graph.node(n.inputs[0]).op, Op::kMatMulGrad);
    }
  }
  const test::Interpreter plain(differentiate(made(false), {test::train_all, LossKind::kGiven}).graph, batch);
  double apart = 0, largest = 0;
  for (std::size_t i = 0; i < plain.output().size(); ++i) {
    apart = std::max(apart, std::abs(run.output()[i] - plain.output()[i]));
    largest = std::max(largest, std::abs(plain.output()[i]));
  }
  EXPECT_GT(apart, 0);
  EXPECT_LT(apart, 0.03 * largest);
}

TEST(Rounding, RefusesValuesOfAnotherShapeAndRowsThatAreNotWholeVectors) {
  const Graph g = small_graph([](auto v) { return v; });
  const auto wrong = [](const Node&) { return RoundedWeight{Tensor::from_f32(std::vector<float>(4), {2, 2})}; };
  EXPECT_NE(test::refusal([&] { add_rounding(g, wrong); }).find("embedding [11, 64]"), std::string::npos);
  Graph odd;
  const NodeId x = odd.embed(odd.weight("w", Tensor::from_f32(std::vector<float>(50), {1, 50})), odd.tokens());
  EXPECT_NE(test::refusal([&] { odd.round_input(x, {32}); }), "");
}

}  // namespace
}  // namespace minnow
