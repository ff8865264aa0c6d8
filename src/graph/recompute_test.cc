#include "graph/recompute.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "graph/passes.h"
#include "graph/test_gradients.h"
#include "graph/test_plan.h"

namespace minnow {
namespace {

constexpr int64_t kVocab = 11, kHeads = 2, kHeadDim = 4, kWidth = kHeads * kHeadDim, kFf = 20;

// Layers of attention and a gated feed-forward part, each with a norm before and a residual around it.
class Layers {
 public:
  Graph make(int n_layers) {
    const NodeId table = g_.rope_table(g_.positions(), {.inv_freq = {1, 0.3}});
    NodeId x = g_.embed(weight("embd", {kVocab, kWidth}), g_.tokens());
    for (int i = 0; i < n_layers; ++i) {
      const std::string b = std::to_string(i) + ".";
      x = g_.add(x, attention(g_.rms_norm(x, weight(b + "norm", {kWidth}), 1e-5f), table, b));
      const NodeId h = g_.rms_norm(x, weight(b + "ffn_norm", {kWidth}), 1e-5f);
      const NodeId gate = g_.unary(g_.matmul(h, weight(b + "gate", {kFf, kWidth})), UnaryFn::kSilu);
      const NodeId inner = g_.mul(gate, g_.matmul(h, weight(b + "up", {kFf, kWidth})));
      x = g_.add(x, g_.matmul(inner, weight(b + "down", {kWidth, kFf})));
    }
    x = g_.rms_norm(g_.select_rows(x), weight("output_norm", {kWidth}), 1e-5f);
    g_.set_output(g_.matmul(x, weight("output", {kVocab, kWidth})));
    return fuse(g_);
  }

 private:
  NodeId weight(const std::string& name, const Shape& shape) {
    std::vector<float> values(static_cast<std::size_t>(shape.elements()));
    for (float& v : values) v = static_cast<float>(0.4 * random_.normal() + (shape.rank() == 1 ? 1 : 0));
    return g_.weight(name, Tensor::from_f32(values, shape));
  }
  NodeId heads(NodeId x, const std::string& name) {
    return g_.reshape(g_.matmul(x, weight(name, {kWidth, kWidth})), {kTokensDim, kHeads, kHeadDim});
  }
  NodeId attention(NodeId h, NodeId table, const std::string& b) {
    const NodeId q = g_.rope(heads(h, b + "q"), table, RopeLayout::kHalves),
                 k = g_.rope(heads(h, b + "k"), table, RopeLayout::kHalves);
    return g_.matmul(g_.attention(q, k, heads(h, b + "v"), {.scale = 0.5f}), weight(b + "o", {kWidth, kWidth}));
  }

  Graph g_;
  Random random_{17};
};

int count(const Graph& g, Op op) {
  return static_cast<int>(std::count_if(g.nodes().begin(), g.nodes().end(), [op](const Node& n) { return n.op == op; }));
}

TEST(Recompute, GradientsAreTheSameBits) {
  const TrainingGraph plain = differentiate(Layers().make(3), {test::train_all});
  const TrainingBatch batch = test::small_batch(kVocab);
  const test::Interpreter wanted(plain.graph, batch);
  for (const int every : {1, 2, 3, 4, 100}) {
    const TrainingGraph less = recompute(plain, every);
    const test::Interpreter got(less.graph, batch);
    EXPECT_EQ(got.output(), wanted.output());
    ASSERT_EQ(less.gradients.size(), plain.gradients.size());
    for (std::size_t i = 0; i < plain.gradients.size(); ++i) {
      EXPECT_EQ(less.graph.node(less.gradients[i].weight).name, plain.graph.node(plain.gradients[i].weight).name);
      EXPECT_EQ(*got.gradient(less.gradients[i].weight), *wanted.gradient(plain.gradients[i].weight)) << "every " << every;
    }
  }
}

TEST(Recompute, PlacesAreTheEmbeddingAndTheResidualsOfEachLayer) {
  const TrainingGraph training = differentiate(Layers().make(3), {test::train_all});
  std::string ops;
  for (const NodeId id : narrow_places(training.graph, training.first_backward))
    ops += std::string(name(training.graph.node(id).op)) + " ";
  EXPECT_EQ(ops, "embed add add add add add add select_rows rms_norm ");
}

TEST(Recompute, ComputesAllLayersButTheLastTwice) {
  const TrainingGraph plain = differentiate(Layers().make(4), {test::train_all}), less = recompute(plain, 2);
  EXPECT_EQ(count(plain.graph, Op::kBatchAttention), 4);
  EXPECT_EQ(count(less.graph, Op::kBatchAttention), 7);
  EXPECT_EQ(less.first_backward, plain.first_backward - 3);  // the sums of exponentials, which only gradients need
  // The last product of a layer makes its output, which is kept.
  EXPECT_EQ(count(less.graph, Op::kMatMul), count(plain.graph, Op::kMatMul) + 3 * 6);
}

TEST(Recompute, MemoryOfADeepModelIsThatOfItsLayersInputs) {
  const TrainingGraph plain = differentiate(Layers().make(16), {test::train_all});
  const StepSize size{256, 256};
  const int64_t all = plan_memory(plain.graph, size).bytes, some = plan_memory(recompute(plain, 2).graph, size).bytes;
  EXPECT_LT(some, all / 4);
  // At least the input of each layer is there.
  EXPECT_GT(some, 16 * 256 * kWidth * 4);
}

TEST(Recompute, FindsTheLeastMemoryByItself) {
  const TrainingGraph plain = differentiate(Layers().make(16), {test::train_all});
  const StepSize size{256, 256};
  const int64_t least = plan_memory(recompute_most(plain, size).graph, size).bytes;
  for (const int every : {1, 2, 4, 8}) EXPECT_LE(least, plan_memory(recompute(plain, every).graph, size).bytes);
}

TEST(Recompute, PlansNeverOverwriteAValueThatIsStillNeeded) {
  const TrainingGraph plain = differentiate(Layers().make(3), {test::train_all});
  test::expect_plan_keeps_values(plain.graph, {7, 3});
  for (const int every : {1, 2, 3}) test::expect_plan_keeps_values(recompute(plain, every).graph, {7, 3});
  test::expect_plan_keeps_values(fuse(recompute(plain, 2).graph), {7, 7});
}

// Values of [T, 8], each made of any that came before.
Graph random_graph(Random& random) {
  Graph g;
  const auto weight = [&](const Shape& shape) {
    std::vector<float> values(static_cast<std::size_t>(shape.elements()));
    for (float& v : values) v = static_cast<float>(0.4 * random.normal());
    return g.weight("w" + std::to_string(g.nodes().size()), Tensor::from_f32(values, shape));
  };
  std::vector<NodeId> values = {g.embed(weight({kVocab, kWidth}), g.tokens())};
  // Mostly of the last, so that there are narrow places.
  const auto any = [&] { return random.below(3) > 0 ? values.back() : values[random.below(values.size())]; };
  const auto heads = [&](NodeId x) { return g.reshape(x, {kTokensDim, kHeads, kHeadDim}); };
  for (int i = 0; i < 14; ++i) {
    switch (random.below(7)) {
      case 0: values.push_back(g.add(any(), any())); break;
      case 1: values.push_back(g.matmul(any(), weight({kWidth, kWidth}))); break;
      case 2: values.push_back(g.softcap(g.mul(g.unary(any(), UnaryFn::kSilu), any()), 4)); break;
      case 3: values.push_back(g.rms_norm(any(), weight({kWidth}), 1e-2f)); break;
      case 4: values.push_back(g.attention(heads(any()), heads(any()), heads(any()), {.scale = 0.5f})); break;
      case 5: values.push_back(g.softcap(g.scale(any(), 2), 3)); break;
      default:
        values.push_back(g.dropout(g.add(any(), weight({kWidth})), {.p = 0.2f, .salt = static_cast<uint32_t>(i)}));
        break;
    }
  }
  g.set_output(g.matmul(g.select_rows(values.back()), weight({kVocab, kWidth})));
  return fuse(g);
}

TEST(Recompute, HoldsForRandomGraphs) {
  const TrainingBatch batch = test::small_batch(kVocab);
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Random random(seed);
    const Graph graph = random_graph(random);
    const TrainingGraph plain = differentiate(graph, {[&](const Node&) { return random.below(2) == 0; }});
    const TrainingGraph less = recompute(plain, static_cast<int>(1 + random.below(3)));
    test::expect_plan_keeps_values(plain.graph, {5, 3});
    test::expect_plan_keeps_values(less.graph, {5, 3});
    const test::Interpreter wanted(plain.graph, batch), got(less.graph, batch);
    ASSERT_EQ(less.gradients.size(), plain.gradients.size());
    for (std::size_t i = 0; i < plain.gradients.size(); ++i) {
      ASSERT_EQ(*got.gradient(less.gradients[i].weight), *wanted.gradient(plain.gradients[i].weight)) << "seed " << seed;
    }
  }
}

TEST(Recompute, LeavesAGraphWithoutGradientsAsItIs) {
  const TrainingGraph losses = differentiate(Layers().make(2), {});
  EXPECT_EQ(recompute(losses, 2).graph.text(), losses.graph.text());
  EXPECT_THROW(recompute(losses, 0), Error);
}

}  // namespace
}  // namespace minnow
