#include "graph/passes.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/random.h"
#include "graph/test_plan.h"

namespace minnow {
namespace {

Tensor matrix(int64_t rows, int64_t columns) { return Tensor::allocate(DType::kF32, {rows, columns}, nullptr); }
Tensor vector(int64_t n) { return Tensor::allocate(DType::kF32, {n}, nullptr); }

// A gated feed-forward block with a residual.
Graph feed_forward() {
  Graph g;
  const NodeId x = g.embed(g.weight("embd", matrix(10, 8)), g.tokens());
  const NodeId h = g.rms_norm(x, g.weight("norm", vector(8)), 1e-6f);
  const NodeId gate = g.unary(g.matmul(h, g.weight("gate", matrix(16, 8))), UnaryFn::kSilu);
  const NodeId up = g.matmul(h, g.weight("up", matrix(16, 8)));
  const NodeId down = g.matmul(g.mul(gate, up), g.weight("down", matrix(8, 16)));
  g.set_output(g.select_rows(g.add(x, down)));
  return g;
}

TEST(Graph, InfersShapesWithUnknownTokenCount) {
  const Graph g = feed_forward();
  EXPECT_EQ(g.node(g.output()).shape, (Shape{kOutputsDim, 8}));
  EXPECT_EQ(resolve(g.node(g.output()).shape, {5, 2}), (Shape{2, 8}));
}

TEST(Graph, RefusesShapesThatDoNotFitAndNamesTheWeight) {
  Graph g;
  const NodeId x = g.embed(g.weight("embd", matrix(10, 8)), g.tokens());
  try {
    g.matmul(x, g.weight("blk.0.attn_q.weight", matrix(8, 9)));
    FAIL() << "accepted";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kInvalidInput);
    EXPECT_NE(std::string(e.what()).find("blk.0.attn_q.weight [8, 9]"), std::string::npos) << e.what();
  }
  EXPECT_THROW(g.reshape(x, {kTokensDim, 3, 3}), Error);
  EXPECT_THROW(g.rms_norm(x, g.weight("n", vector(7)), 1e-6f), Error);
}

TEST(Fuse, MakesOneGatedOpOfActivationTimesUp) {
  const Graph fused = fuse(feed_forward());
  int gated = 0, unary = 0, mul = 0;
  for (const Node& n : fused.nodes()) {
    gated += n.op == Op::kGated;
    unary += n.op == Op::kUnary;
    mul += n.op == Op::kMul;
  }
  EXPECT_EQ(gated, 1);
  EXPECT_EQ(unary, 0);
  EXPECT_EQ(mul, 0);
}

TEST(Fuse, KeepsAnActivationThatIsUsedTwice) {
  Graph g;
  const NodeId x = g.embed(g.weight("embd", matrix(10, 8)), g.tokens());
  const NodeId act = g.unary(x, UnaryFn::kSilu);
  g.set_output(g.add(g.mul(act, x), act));
  const Graph fused = fuse(g);
  EXPECT_TRUE(std::any_of(fused.nodes().begin(), fused.nodes().end(), [](const Node& n) { return n.op == Op::kUnary; }));
}

TEST(WithoutDropout, EveryUserReadsWhatWasDroppedFrom) {
  Graph g;
  const NodeId x = g.embed(g.weight("embd", matrix(10, 8)), g.tokens());
  const NodeId dropped = g.dropout(g.dropout(x, {.p = 0.5f, .salt = 1}), {.p = 0.1f, .salt = 2});
  g.set_output(g.dropout(g.add(dropped, x), {.p = 0.2f, .salt = 3}));
  const Graph kept = without_dropout(g);
  EXPECT_EQ(kept.nodes().size(), g.nodes().size() - 3);
  const Node& sum = kept.node(kept.output());
  EXPECT_EQ(sum.op, Op::kAdd);
  EXPECT_EQ(sum.inputs[0], sum.inputs[1]);
}

TEST(PlanMemory, NeverOverwritesAValueThatIsStillNeeded) {
  test::expect_plan_keeps_values(feed_forward(), {7, 3});
  test::expect_plan_keeps_values(fuse(feed_forward()), {1, 1});
}

TEST(PlanMemory, HoldsForRandomGraphs) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    Random random(seed);
    Graph g;
    std::vector<NodeId> values = {g.embed(g.weight("embd", matrix(10, 8)), g.tokens())};
    const auto any = [&] { return values[random.below(values.size())]; };
    for (int i = 0; i < 30; ++i) {
      switch (random.below(5)) {
        case 0: values.push_back(g.add(any(), any())); break;
        case 1: values.push_back(g.scale(any(), 2)); break;
        case 2: values.push_back(g.matmul(any(), g.weight("w", matrix(8, 8)))); break;
        case 3: values.push_back(g.mul(g.unary(any(), UnaryFn::kSilu), any())); break;
        default: values.push_back(g.reshape(g.reshape(any(), {kTokensDim, 2, 4}), {kTokensDim, 8})); break;
      }
    }
    g.set_output(g.select_rows(values.back()));
    test::expect_plan_keeps_values(fuse(g), {static_cast<int64_t>(1 + random.below(9)), 1});
  }
}

TEST(PlanMemory, ReusesTheBytesOfDeadValues) {
  Graph g;
  NodeId x = g.embed(g.weight("embd", matrix(10, 8)), g.tokens());
  for (int i = 0; i < 50; ++i) x = g.matmul(x, g.weight("w", matrix(8, 8)));
  g.set_output(x);
  EXPECT_LE(plan_memory(g, {16, 1}).bytes, 2 * 16 * 8 * 4);
}

}  // namespace
}  // namespace minnow
