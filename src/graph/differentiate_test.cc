#include "graph/differentiate.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "base/test_refusal.h"
#include "graph/passes.h"
#include "graph/test_gradients.h"

namespace minnow {
namespace {

using test::refusal;

constexpr int64_t kVocab = 11, kWidth = 8;

// A graph of random weights, to which an operation is added.
class Maker {
 public:
  explicit Maker(uint64_t seed = 7) : random_(seed) {}
  Graph g;

  NodeId weight(const std::string& name, const Shape& shape, double deviation = 0.7, double mean = 0) {
    std::vector<float> values(static_cast<std::size_t>(shape.elements()));
    for (float& v : values) v = static_cast<float>(mean + deviation * random_.normal());
    return g.weight(name, Tensor::from_f32(values, shape));
  }
  NodeId norm_weight(const std::string& name, int64_t n) { return weight(name, {n}, 0.3, 1); }
  // [T, width]; every token has a row of a trained table.
  NodeId x(const std::string& name = "x", int64_t width = kWidth) {
    return g.embed(weight(name, {kVocab, width}), tokens());
  }
  NodeId heads(const std::string& name, int64_t n, int64_t d) { return g.reshape(x(name, n * d), {kTokensDim, n, d}); }
  NodeId rope_table(int64_t n_freq) {
    RopeTableAttrs attrs{.magnitude = 1.2, .temperature_beta = 0.3, .temperature_length = 2};
    for (int64_t i = 0; i < n_freq; ++i) attrs.inv_freq.push_back(std::pow(10.0, -static_cast<double>(i) / 2));
    return g.rope_table(positions(), attrs);
  }
  NodeId tokens() { return tokens_ == kNoNode ? tokens_ = g.tokens() : tokens_; }
  NodeId positions() { return positions_ == kNoNode ? positions_ = g.positions() : positions_; }
  // Logits of a small head.
  NodeId logits(NodeId x) { return g.matmul(g.select_rows(x), weight("output", {kVocab, g.node(x).shape.last()})); }

 private:
  Random random_;
  NodeId tokens_ = kNoNode, positions_ = kNoNode;
};

struct OpCase {
  const char* name;
  NodeId (*build)(Maker& m);
};
void PrintTo(const OpCase& c, std::ostream* out) { *out << c.name; }

NodeId attention(Maker& m, AttentionAttrs attrs) {
  const NodeId q = m.heads("q", 4, 3), k = m.heads("k", 2, 3), v = m.heads("v", 2, 3);
  return m.g.attention(q, k, v, attrs);
}

NodeId experts(Maker& m, bool normalize) {
  const NodeId x = m.x();
  const NodeId route =
      m.g.route(m.g.matmul(x, m.weight("router", {4, kWidth})), {.n_used = 2, .normalize = normalize, .scale = 1.5f});
  const NodeId inner = m.g.unary(m.g.expert_matmul(x, m.weight("up", {4, 6, kWidth}), route), UnaryFn::kTanh);
  return m.g.expert_sum(m.g.expert_matmul(inner, m.weight("down", {4, 5, 6}), route), route);
}

template <UnaryFn fn>
NodeId unary(Maker& m) {
  return m.g.unary(m.x(), fn);
}
template <UnaryFn fn>
NodeId gated(Maker& m) {
  return m.g.mul(m.g.unary(m.x("gate"), fn), m.x("up"));
}

constexpr OpCase kOpCases[] = {
    {"Embed", [](Maker& m) { return m.x(); }},
    {"EmbedOfPositions",
     [](Maker& m) {
       return m.g.add(m.x(), m.g.embed(m.weight("position", {6, kWidth}), m.positions()));
     }},
    {"EmbedOfSegments",
     [](Maker& m) {
       return m.g.embed(m.weight("types", {2, kWidth}), m.g.segments());
     }},
    {"MatMul",
     [](Maker& m) {
       return m.g.matmul(m.x(), m.weight("w", {5, kWidth}));
     }},
    {"Add", [](Maker& m) { return m.g.add(m.x("a"), m.x("b")); }},
    {"AddOfAVector", [](Maker& m) { return m.g.add(m.x(), m.weight("bias", {kWidth})); }},
    {"AddOfAVectorToHeads", [](Maker& m) { return m.g.add(m.heads("a", 3, 4), m.weight("bias", {4})); }},
    {"AddToItself",
     [](Maker& m) {
       const NodeId x = m.x();
       return m.g.add(x, x);
     }},
    {"Mul", [](Maker& m) { return m.g.mul(m.x("a"), m.x("b")); }},
    {"MulByAVector", [](Maker& m) { return m.g.mul(m.x(), m.weight("gain", {kWidth})); }},
    {"MulByItself",
     [](Maker& m) {
       const NodeId x = m.x();
       return m.g.mul(x, x);
     }},
    {"Scale", [](Maker& m) { return m.g.scale(m.x(), -1.75f); }},
    {"Silu", unary<UnaryFn::kSilu>},
    {"GeluTanh", unary<UnaryFn::kGeluTanh>},
    {"Gelu", unary<UnaryFn::kGelu>},
    {"Relu", unary<UnaryFn::kRelu>},
    {"ReluSquared", unary<UnaryFn::kReluSquared>},
    {"Tanh", unary<UnaryFn::kTanh>},
    {"GatedSilu", gated<UnaryFn::kSilu>},
    {"GatedGeluTanh", gated<UnaryFn::kGeluTanh>},
    {"GatedReluSquared", gated<UnaryFn::kReluSquared>},
    {"SoftCap", [](Maker& m) { return m.g.softcap(m.g.scale(m.x(), 3), 2.5f); }},
    {"RmsNorm", [](Maker& m) { return m.g.rms_norm(m.x(), m.norm_weight("norm", kWidth), 1e-2f); }},
    {"RmsNormOfHeads", [](Maker& m) { return m.g.rms_norm(m.heads("x", 2, 6), m.norm_weight("norm", 6), 1e-5f); }},
    {"LayerNorm",
     [](Maker& m) { return m.g.layer_norm(m.x(), m.norm_weight("norm", kWidth), m.weight("bias", {kWidth}), 1e-2f); }},
    {"LayerNormWithoutBias",
     [](Maker& m) { return m.g.layer_norm(m.heads("x", 2, 6), m.norm_weight("norm", 6), kNoNode, 1e-5f); }},
    {"RopeHalves", [](Maker& m) { return m.g.rope(m.heads("x", 2, 6), m.rope_table(3), RopeLayout::kHalves); }},
    {"RopeInterleaved", [](Maker& m) { return m.g.rope(m.heads("x", 2, 6), m.rope_table(3), RopeLayout::kInterleaved); }},
    {"RopeOfAPart", [](Maker& m) { return m.g.rope(m.heads("x", 3, 8), m.rope_table(2), RopeLayout::kHalves); }},
    {"Attention", [](Maker& m) { return attention(m, {.scale = 0.6f}); }},
    {"AttentionWithWindow", [](Maker& m) { return attention(m, {.scale = 0.6f, .window = 2}); }},
    {"AttentionWithSoftCap", [](Maker& m) { return attention(m, {.scale = 0.9f, .softcap = 1.5f}); }},
    {"AttentionOfBothSides", [](Maker& m) { return attention(m, {.scale = 0.6f, .causal = false}); }},
    {"AttentionOfBothSidesWithWindow", [](Maker& m) { return attention(m, {.scale = 0.6f, .window = 2, .causal = false}); }},
    {"AttentionToItself",
     [](Maker& m) {
       const NodeId x = m.heads("x", 2, 4);
       return m.g.attention(x, x, x, {.scale = 0.5f});
     }},
    {"ShortConv",
     [](Maker& m) {
       return m.g.short_conv(m.x(), m.weight("taps", {kWidth, 3}), {});
     }},
    {"Reshape",
     [](Maker& m) {
       return m.g.scale(m.g.reshape(m.g.reshape(m.x(), {kTokensDim, 2, 4}), {kTokensDim, kWidth}), 2);
     }},
    {"SelectRows", [](Maker& m) { return m.g.select_rows(m.x()); }},
    {"Dropout", [](Maker& m) { return m.g.dropout(m.x(), {.p = 0.4f, .salt = 3}); }},
    {"Experts", [](Maker& m) { return experts(m, false); }},
    {"NormalizedExperts", [](Maker& m) { return experts(m, true); }},
};

class GradientOf : public testing::TestWithParam<OpCase> {
 protected:
  // The loss is a random sum of the outputs.
  static void check(const Graph& graph) {
    test::GradientCheck check{graph, test::small_batch(kVocab), {test::train_all, LossKind::kGiven, {}}};
    check.batch.sequences[0].second_segment = 3;
    const int64_t rows = static_cast<int64_t>(check.batch.tokens.size()),
                  outputs = static_cast<int64_t>(check.batch.output_rows.size());
    check.batch.output_grad =
        test::random_grad(static_cast<std::size_t>(resolve(graph.node(graph.output()).shape, {rows, outputs}).elements()));
    check.expect_right_gradients();
  }
};
INSTANTIATE_TEST_SUITE_P(, GradientOf, testing::ValuesIn(kOpCases), [](const auto& c) { return std::string(c.param.name); });

TEST_P(GradientOf, AgreesWithFiniteDifferences) {
  Maker m;
  m.g.set_output(GetParam().build(m));
  check(m.g);
  check(fuse(m.g));
}

TEST(Gradient, OfAValueWithSeveralUsesIsTheirSum) {
  Maker m;
  const NodeId x = m.x();
  const NodeId y = m.g.unary(m.g.matmul(x, m.weight("w", {kWidth, kWidth})), UnaryFn::kSilu);
  m.g.set_output(m.logits(m.g.add(m.g.mul(y, x), m.g.add(x, y))));
  test::GradientCheck{m.g, test::small_batch(kVocab), {test::train_all}}.expect_right_gradients();
}

class HeadLoss : public testing::Test {
 protected:
  static Graph head(bool bias, float scale, float cap) {
    Maker m;
    NodeId y = m.logits(m.x());
    if (bias) y = m.g.add(y, m.weight("output.bias", {kVocab}));
    if (scale != 1) y = m.g.scale(y, scale);
    if (cap > 0) y = m.g.softcap(y, cap);
    m.g.set_output(y);
    return m.g;
  }
  // Four tokens of a row; of one row only two.
  static TrainingBatch with_teacher() {
    TrainingBatch batch = test::small_batch(kVocab);
    Random random(94);
    for (std::size_t r = 0; r < batch.targets.size(); ++r) {
      for (int j = 0; j < 4; ++j)
        batch.teacher.push_back(r == 2 && j > 1 ? -1.0f : static_cast<float>((3 * j + 2 * static_cast<int>(r)) % kVocab));
      for (int j = 0; j < 4; ++j) batch.teacher.push_back(static_cast<float>(-1 - random.uniform() * 3));
    }
    return batch;
  }
};

TEST_F(HeadLoss, GradientsAgreeWithFiniteDifferencesOfTheLogitsCrossEntropy) {
  for (const bool bias : {false, true}) {
    for (const float scale : {1.0f, 0.3f}) {
      for (const float cap : {0.0f, 1.5f}) {
        const Graph g = head(bias, scale, cap);
        test::GradientCheck{g, test::small_batch(kVocab), {test::train_all}}.expect_right_gradients();
      }
    }
  }
}

TEST_F(HeadLoss, OfAGraphThatSelectsNoRowsHasATargetForEveryToken) {
  Maker m;
  m.g.set_output(m.g.matmul(m.x(), m.weight("output", {kVocab, kWidth})));
  TrainingBatch batch = test::small_batch(kVocab);
  batch.targets = {1, 2, 3, -1, 5, 6, 7, 10};
  batch.loss_weights = {1, 1, 0.5f, 1, 0, -1, 1, 2};
  EXPECT_EQ(differentiate(m.g, {}).graph.node(differentiate(m.g, {}).graph.output()).shape, (Shape{kTokensDim, 1}));
  test::GradientCheck{m.g, batch, {test::train_all}}.expect_right_gradients();
}

TEST_F(HeadLoss, GradientsAgreeWithFiniteDifferencesWithATeacher) {
  for (const Divergence divergence : {Divergence::kForward, Divergence::kReverse}) {
    for (const float alpha : {0.0f, 0.6f, 1.0f}) {
      const Graph g = head(false, 1, 3);
      const TeacherAttrs teacher{.top_k = 4, .temperature = 2, .alpha = alpha, .divergence = divergence};
      test::GradientCheck{g, with_teacher(), {test::train_all, LossKind::kTokens, teacher}}.expect_right_gradients();
    }
  }
}

TEST_F(HeadLoss, OutputTellsEachRowsLossesAndNothingOfRowsWithoutATarget) {
  const Graph g = head(true, 0.5f, 2);
  const TrainingBatch batch = with_teacher();
  const std::vector<double> logits = test::Interpreter(g, batch).output();
  const TrainingGraph training = differentiate(g, {.teacher = {.top_k = 4, .temperature = 2, .alpha = 0.5f}});
  EXPECT_TRUE(training.gradients.empty());
  const std::vector<double> losses = test::Interpreter(training.graph, batch).output();
  ASSERT_EQ(losses.size(), 2 * batch.targets.size());
  for (std::size_t r = 0; r < batch.targets.size(); ++r) {
    const std::vector<double> z(logits.begin() + static_cast<int64_t>(r) * kVocab,
                                logits.begin() + static_cast<int64_t>(r + 1) * kVocab);
    const double wanted = batch.targets[r] < 0 ? 0 : -std::log(test::softmax(z)[static_cast<std::size_t>(batch.targets[r])]);
    EXPECT_NEAR(losses[2 * r], wanted, 1e-12);
    EXPECT_GT(losses[2 * r + 1], 0);
  }
}

TEST_F(HeadLoss, OfAStudentThatIsItsTeacherHasNoDivergenceAndNoGradient) {
  const Graph g = head(false, 1, 0);
  TrainingBatch batch = test::small_batch(kVocab);
  const std::vector<double> logits = test::Interpreter(g, batch).output();
  for (std::size_t r = 0; r < batch.targets.size(); ++r) {
    for (int v = 0; v < kVocab; ++v) batch.teacher.push_back(static_cast<float>(v));
    for (int v = 0; v < kVocab; ++v)
      batch.teacher.push_back(static_cast<float>(logits[r * kVocab + static_cast<std::size_t>(v)] - 5));
  }
  for (const Divergence divergence : {Divergence::kForward, Divergence::kReverse}) {
    const TeacherAttrs teacher{
        .top_k = static_cast<int32_t>(kVocab), .temperature = 1.5f, .alpha = 1, .divergence = divergence};
    const TrainingGraph training = differentiate(g, {test::train_all, LossKind::kTokens, teacher});
    const test::Interpreter run(training.graph, batch);
    for (std::size_t r = 0; r < batch.targets.size(); ++r) EXPECT_NEAR(run.output()[2 * r + 1], 0, 1e-10);
    // The teacher's numbers are f32.
    for (const double d : *run.gradient(training.gradients.front().weight)) EXPECT_NEAR(d, 0, 1e-6);
  }
}

int count(const Graph& g, Op op) {
  return static_cast<int>(std::count_if(g.nodes().begin(), g.nodes().end(), [op](const Node& n) { return n.op == op; }));
}

// Two blocks of a norm, a gated feed-forward part and a residual, and a tied head.
Graph two_blocks() {
  Maker m;
  const NodeId table = m.weight("embd", {kVocab, kWidth});
  NodeId x = m.g.embed(table, m.tokens());
  for (const std::string b : {"0.", "1."}) {
    const NodeId h = m.g.rms_norm(x, m.norm_weight(b + "norm", kWidth), 1e-5f);
    const NodeId gate = m.g.unary(m.g.matmul(h, m.weight(b + "gate", {12, kWidth})), UnaryFn::kSilu);
    const NodeId up = m.g.matmul(h, m.weight(b + "up", {12, kWidth}));
    x = m.g.add(x, m.g.matmul(m.g.mul(gate, up), m.weight(b + "down", {kWidth, 12})));
  }
  m.g.set_output(m.g.matmul(m.g.select_rows(x), table));
  return fuse(m.g);
}

TEST(Dropout, DropsTheShareThatItSays) {
  int dropped = 0;
  constexpr int kRows = 400, kColumns = 256;
  for (uint32_t row = 0; row < kRows; ++row) {
    const uint32_t key = dropout_row_key(5, 1, row);
    for (uint32_t column = 0; column < kColumns; ++column) dropped += dropout_bits(key, column) < dropout_threshold(0.3f);
  }
  // Five standard deviations of a binomial distribution.
  EXPECT_NEAR(dropped, 0.3 * kRows * kColumns, 5 * std::sqrt(0.21 * kRows * kColumns));
}

TEST(Dropout, MasksDifferBySeedOperationRowAndColumn) {
  const auto bits = [](uint64_t seed, uint32_t salt, uint32_t row, uint32_t column) {
    return dropout_bits(dropout_row_key(seed, salt, row), column);
  };
  const std::set<uint32_t> all = {bits(1, 1, 1, 1), bits(2, 1, 1, 1), bits(1, 2, 1, 1), bits(1, 1, 2, 1), bits(1, 1, 1, 2)};
  EXPECT_EQ(all.size(), 5u);
}

TEST(Differentiate, TiedEmbeddingsAddTwoGradientsToOneWeight) {
  const Graph g = two_blocks();
  const TrainingGraph training = differentiate(g, {test::train_all});
  ASSERT_EQ(training.gradients.size(), 9u);
  EXPECT_EQ(training.graph.node(training.gradients[0].weight).name, "embd");
  ASSERT_EQ(training.gradients[0].from.size(), 2u);
  EXPECT_EQ(training.graph.node(training.gradients[0].from[0]).op, Op::kHeadLoss);
  EXPECT_EQ(training.graph.node(training.gradients[0].from[1]).op, Op::kEmbedWeightGrad);
  test::GradientCheck{g, test::small_batch(kVocab), {test::train_all}}.expect_right_gradients();
}

TEST(Differentiate, NoWorkIsDoneBelowTheLowestTrainedWeight) {
  const Graph g = two_blocks();
  const DifferentiateOptions options{[](const Node& w) { return w.name == "1.down"; }};
  const TrainingGraph training = differentiate(g, options);
  ASSERT_EQ(training.gradients.size(), 1u);
  std::string ops;
  for (NodeId id = training.first_backward; id < static_cast<NodeId>(training.graph.nodes().size()); ++id) {
    ops += std::string(name(training.graph.node(id).op)) + " ";
  }
  EXPECT_EQ(ops, "targets loss_weights head_loss part scatter_rows matmul_weight_grad ");
  test::GradientCheck{g, test::small_batch(kVocab), options}.expect_right_gradients();
}

TEST(Differentiate, AFrozenWeightBetweenTrainedOnesHasNoGradientButPassesOneOn) {
  const Graph g = two_blocks();
  const DifferentiateOptions options{[](const Node& w) { return w.name == "0.up"; }};
  const TrainingGraph training = differentiate(g, options);
  EXPECT_EQ(count(training.graph, Op::kMatMulWeightGrad), 1);
  EXPECT_EQ(count(training.graph, Op::kRmsNormGrad), 1);
  EXPECT_EQ(count(training.graph, Op::kRmsNormWeightGrad), 0);
  test::GradientCheck{g, test::small_batch(kVocab), options}.expect_right_gradients();
}

TEST(Differentiate, WithoutTrainedWeightsTheGraphTellsLossesOnly) {
  const TrainingGraph training = differentiate(two_blocks(), {});
  EXPECT_TRUE(training.gradients.empty());
  EXPECT_EQ(training.graph.nodes().back().op, Op::kHeadLoss);
  EXPECT_EQ(training.graph.node(training.graph.output()).shape, (Shape{kOutputsDim, 1}));
}

TEST(Differentiate, GradientsOfTwoBatchesAddUpToThatOfBoth) {
  const Graph g = two_blocks();
  const TrainingGraph training = differentiate(g, {test::train_all});
  const TrainingBatch both = test::small_batch(kVocab);
  TrainingBatch first = both, second = both;
  first.tokens.resize(5);
  first.sequences.resize(1);
  second.tokens.erase(second.tokens.begin(), second.tokens.begin() + 5);
  second.sequences = {{.first = 0, .count = 3}};
  first.output_rows = {0, 2, 3};
  second.output_rows = {0, 2};
  first.targets.resize(3);
  first.loss_weights.resize(3);
  second.targets.erase(second.targets.begin(), second.targets.begin() + 3);
  second.loss_weights.erase(second.loss_weights.begin(), second.loss_weights.begin() + 3);
  const test::Interpreter all(training.graph, both), one(training.graph, first), two(training.graph, second);
  for (const WeightGradient& w : training.gradients) {
    const auto &a = *all.gradient(w.weight), &b = *one.gradient(w.weight), &c = *two.gradient(w.weight);
    for (std::size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i] + c[i], 1e-12);
  }
}

TEST(Differentiate, TextNamesWeightsThatGradientsAreAddedTo) {
  const std::string text = differentiate(two_blocks(), {test::train_all}).graph.text();
  EXPECT_NE(text.find("1.down += matmul_weight_grad("), std::string::npos) << text;
  EXPECT_NE(text.find("head_loss("), std::string::npos) << text;
  EXPECT_NE(text.find(", 1) [O, 8]"), std::string::npos) << text;  // the gradient of the last hidden state
}

TEST(Differentiate, RefusesOutputsThatAreNotLogits) {
  Maker m;
  m.g.set_output(m.g.unary(m.logits(m.x()), UnaryFn::kTanh));
  EXPECT_NE(refusal([&] { differentiate(m.g, {test::train_all}); }).find("unary"), std::string::npos);
}

TEST(Differentiate, RefusesToTrainQuantizedWeightsButNotWhatIsBesideThem) {
  Maker m;
  const NodeId w = m.g.weight("blk.0.ffn_up.weight", Tensor::allocate(DType::kQ8_0, {5, 32}, nullptr));
  m.g.set_output(m.logits(m.g.matmul(m.x("x", 32), w)));
  const std::string what = refusal([&] { differentiate(m.g, {test::train_all}); });
  EXPECT_NE(what.find("blk.0.ffn_up.weight"), std::string::npos) << what;
  EXPECT_NE(what.find("Q8_0"), std::string::npos) << what;
  EXPECT_NO_THROW(differentiate(m.g, {[](const Node& n) { return n.name == "x"; }}));
}

TEST(Differentiate, RefusesATrainedWeightWhereItIsAValue) {
  Maker m;
  const NodeId w = m.weight("oddity", {kVocab, kWidth});
  m.g.set_output(m.g.matmul(m.g.scale(w, 2), m.weight("output", {kVocab, kWidth})));
  const DifferentiateOptions options{test::train_all, LossKind::kGiven, {}};
  EXPECT_NE(refusal([&] { differentiate(m.g, options); }).find("oddity"), std::string::npos);
}

TEST(Graph, RefusesGradientsWhoseShapesDoNotFitAndNamesTheWeight) {
  Maker m;
  const NodeId x = m.x(), w = m.weight("blk.2.attn_k.weight", {5, kWidth});
  EXPECT_NE(refusal([&] { m.g.matmul_grad(x, w); }).find("blk.2.attn_k.weight [5, 8]"), std::string::npos);
  EXPECT_NE(refusal([&] { m.g.matmul_weight_grad(x, x, w); }).find("blk.2.attn_k.weight [5, 8]"), std::string::npos);
  EXPECT_NE(refusal([&] { m.g.bias_grad(x, w); }).find("blk.2.attn_k.weight"), std::string::npos);
  const NodeId t = m.g.targets(kTokensDim), lw = m.g.loss_weights(kTokensDim),
               other = m.weight("output.weight", {kVocab, 9});
  EXPECT_NE(refusal([&] { m.g.head_loss({x, other, t, lw}, {}); }).find("output.weight"), std::string::npos);
  EXPECT_NE(refusal([&] { m.g.head_loss({x, w, m.g.targets(kOutputsDim), lw}, {}); }), "");
  EXPECT_NE(refusal([&] { m.g.part(x, 1); }), "");
}

}  // namespace
}  // namespace minnow
