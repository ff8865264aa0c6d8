// Gradients of whole models of several families against finite differences, in float64.
#include <gtest/gtest.h>

#include "graph/lora.h"
#include "graph/passes.h"
#include "graph/recompute.h"
#include "graph/test_gradients.h"
#include "graph/test_plan.h"
#include "models/random_model.h"

namespace minnow {
namespace {

struct FamilyCase {
  const char* name;
  RandomModelShape shape;
  void (*change)(ModelConfig& config) = [](ModelConfig&) {};
};
void PrintTo(const FamilyCase& c, std::ostream* out) { *out << c.name; }

RandomModelShape shape_of(const Family& family, bool tied, int64_t window = 0) {
  return {.family = &family,
          .n_layers = 2,
          .n_embd = 16,
          .n_ff = 20,
          .n_heads = 2,
          .n_kv_heads = 1,
          .head_dim = 8,
          .n_vocab = 300,
          .n_ctx = 32,
          .sliding_window = window,
          .tied = tied};
}

Model model_of(const FamilyCase& c) {
  Model model = random_model(c.shape, 5);
  c.change(model.config);
  return model;
}

void soft_caps(ModelConfig& c) {
  c.attention_softcap = 2;
  c.logit_softcap = 3;
}
void granite_scales(ModelConfig& c) {
  c.embedding_scale = 1.5;
  c.attention_scale = 0.2;
  c.residual_scale = 0.6;
  c.logit_scale = 2;
}

const FamilyCase kCases[] = {
    {"Llama", shape_of(kLlama, false)},
    {"LlamaTied", shape_of(kLlama, true)},
    {"Qwen2", shape_of(kQwen2, true)},
    {"Qwen3", shape_of(kQwen3, true)},
    {"Gemma2", shape_of(kGemma2, true, 3), soft_caps},
    {"Gemma3", shape_of(kGemma3, true, 3)},
    {"Phi2", shape_of(kPhi2, false)},
    {"Phi3", shape_of(kPhi3, false, 4)},
    {"Gpt2", shape_of(kGpt2, true)},
    {"GptNeoX", shape_of(kGptNeoX, false)},
    {"Olmo2", shape_of(kOlmo2, false)},
    {"Granite", shape_of(kGranite, true), granite_scales},
    {"StableLM", shape_of(kStableLM, false)},
    {"Bitnet", shape_of(kBitnetB158, true)},
    {"Lfm2", shape_of(kLfm2, true)},
    {"Qwen3Moe", shape_of(kQwen3Moe, false)},
};

class GradientsOfModel : public testing::TestWithParam<FamilyCase> {};
INSTANTIATE_TEST_SUITE_P(, GradientsOfModel, testing::ValuesIn(kCases),
                         [](const auto& c) { return std::string(c.param.name); });

TEST_P(GradientsOfModel, AgreeWithFiniteDifferencesForEveryWeight) {
  const Model model = model_of(GetParam());
  const Graph graph = fuse(build_graph(model, 32));
  const test::GradientCheck check{graph, test::small_batch(300), {test::train_all}};
  const TrainingGraph training = differentiate(graph, check.options);
  // Every tensor that the graph reads and that is one of the file's.
  std::size_t n_weights = 0;
  for (const Node& n : graph.nodes()) n_weights += n.op == Op::kWeight;
  EXPECT_EQ(training.gradients.size(), n_weights);
  check.expect_right_slopes(training);
}

TEST_P(GradientsOfModel, AreTheSameWhenLayersAreComputedAgainInLessMemory) {
  const Model model = model_of(GetParam());
  const TrainingGraph plain = differentiate(fuse(build_graph(model, 32)), {test::train_all}), less = recompute(plain, 1);
  const TrainingBatch batch = test::small_batch(300);
  const test::Interpreter wanted(plain.graph, batch), got(less.graph, batch);
  ASSERT_EQ(less.gradients.size(), plain.gradients.size());
  for (std::size_t i = 0; i < plain.gradients.size(); ++i) {
    EXPECT_EQ(*got.gradient(less.gradients[i].weight), *wanted.gradient(plain.gradients[i].weight));
  }
  EXPECT_LT(plan_memory(less.graph, {64, 64}).bytes, plan_memory(plain.graph, {64, 64}).bytes);
  test::expect_plan_keeps_values(less.graph, {5, 3});
}

TEST_P(GradientsOfModel, OfAdaptersOnAllMatricesButTheHeadAgreeWithFiniteDifferences) {
  const Model model = model_of(GetParam());
  constexpr int64_t kRank = 2;
  Random random(6);
  const auto random_tensor = [&](const Shape& shape) {
    std::vector<float> values(static_cast<std::size_t>(shape.elements()));
    for (float& v : values) v = static_cast<float>(0.2 * random.normal());
    return Tensor::from_f32(values, shape);
  };
  const Graph graph = fuse(add_lora(build_graph(model, 32), [&](const Node& w) -> std::optional<LoraWeights> {
    if (!w.name.starts_with("blk.")) return std::nullopt;
    return LoraWeights{random_tensor({kRank, w.shape[1]}), random_tensor({model.weights.require(w.name).shape[0], kRank}),
                       0.5f};
  }));
  const test::GradientCheck check{
      graph, test::small_batch(300), {[](const Node& w) { return w.name.find(".lora_") != std::string::npos; }}};
  check.expect_right_slopes(differentiate(graph, check.options));
}

}  // namespace
}  // namespace minnow
