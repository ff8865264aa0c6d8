#include "compress/plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>

#include "base/error.h"

namespace minnow {
namespace {

// Names and shapes of a model; there are no weights behind them.
struct Shapes {
  int n_layers = 32;
  int64_t n_embd = 4096, n_kv = 1024, n_ff = 14336, n_vocab = 128256;
  bool tied = false, fused = false;
  int64_t n_experts = 0;
};

std::vector<NamedTensor> tensors_of(const Shapes& s) {
  std::vector<NamedTensor> all;
  const auto add = [&](const std::string& name, Shape shape, DType dtype = DType::kF16) {
    all.push_back({name, {dtype, shape, nullptr, nullptr}});
  };
  add("token_embd.weight", {s.n_vocab, s.n_embd});
  add("output_norm.weight", {s.n_embd}, DType::kF32);
  if (!s.tied) add("output.weight", {s.n_vocab, s.n_embd});
  for (int layer = 0; layer < s.n_layers; ++layer) {
    const std::string at = "blk." + std::to_string(layer) + ".";
    add(at + "attn_norm.weight", {s.n_embd}, DType::kF32);
    if (s.fused) {
      add(at + "attn_qkv.weight", {s.n_embd + 2 * s.n_kv, s.n_embd});
    } else {
      add(at + "attn_q.weight", {s.n_embd, s.n_embd});
      add(at + "attn_k.weight", {s.n_kv, s.n_embd});
      add(at + "attn_v.weight", {s.n_kv, s.n_embd});
    }
    add(at + "attn_output.weight", {s.n_embd, s.n_embd});
    if (s.n_experts > 0) {
      add(at + "ffn_gate_inp.weight", {s.n_experts, s.n_embd}, DType::kF32);
      add(at + "ffn_down_exps.weight", {s.n_experts, s.n_embd, s.n_ff});
      add(at + "ffn_up_exps.weight", {s.n_experts, s.n_ff, s.n_embd});
    } else {
      add(at + "ffn_gate.weight", {s.n_ff, s.n_embd});
      add(at + "ffn_up.weight", {s.n_ff, s.n_embd});
      add(at + "ffn_down.weight", {s.n_embd, s.n_ff});
    }
  }
  return all;
}

ModelConfig heads(int64_t n_heads, int64_t n_kv_heads) {
  ModelConfig config;
  config.n_heads = n_heads, config.n_kv_heads = n_kv_heads;
  return config;
}

std::map<std::string, PlannedTensor> plan_of(const std::vector<NamedTensor>& tensors, const QuantizeOptions& options,
                                             const ModelConfig& config = heads(32, 8)) {
  std::map<std::string, PlannedTensor> by_name;
  for (const PlannedTensor& p : plan_quantization(tensors, config, options)) by_name.emplace(p.name, p);
  return by_name;
}

QuantizeOptions with(std::string_view recipe) {
  QuantizeOptions options;
  options.recipe = &find_recipe(recipe);
  return options;
}

std::string refusal(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

// What llama-quantize's own help page says of Llama 3 8B, in GiB.
TEST(Plan, GivesTheFileSizesThatLlamaCppStatesForLlama3) {
  const std::map<std::string, double> stated = {
      {"Q4_0", 4.34},   {"Q4_1", 4.78},   {"Q5_0", 5.21},   {"Q5_1", 5.65},   {"Q2_K", 2.96},
      {"Q3_K_S", 3.41}, {"Q3_K_M", 3.74}, {"Q3_K_L", 4.03}, {"Q4_K_S", 4.37}, {"Q4_K_M", 4.58},
      {"Q5_K_S", 5.21}, {"Q5_K_M", 5.33}, {"Q6_K", 6.14},   {"Q8_0", 7.96},   {"F16", 14.96}};
  for (const auto& [name, gib] : stated) {
    uint64_t bytes = 0;
    for (const auto& [tensor, p] : plan_of(tensors_of({}), with(name))) bytes += p.bytes_after();
    EXPECT_NEAR(static_cast<double>(bytes) / (1 << 30), gib, 0.016) << name;  // 8 MB of them are its vocabulary
  }
}

TEST(Plan, BitsPerWeightOfTheHelpPageAreTheKnownOnes) {
  EXPECT_NEAR(typical_bits_per_weight(find_recipe("Q4_K_M")), 4.89, 0.02);
  EXPECT_NEAR(typical_bits_per_weight(find_recipe("Q8_0")), 8.5, 0.001);
  EXPECT_NEAR(typical_bits_per_weight(find_recipe("BF16")), 16, 0);
}

TEST(Plan, MoreBitsGoToTheFirstAndLastEighthAndEveryThirdLayer) {
  const auto plan = plan_of(tensors_of({}), with("Q4_K_M"));
  std::string six;
  for (int layer = 0; layer < 32; ++layer) {
    const DType v = plan.at("blk." + std::to_string(layer) + ".attn_v.weight").to;
    EXPECT_EQ(plan.at("blk." + std::to_string(layer) + ".ffn_down.weight").to, v);
    if (v == DType::kQ6_K) six += std::to_string(layer) + " ";
    else EXPECT_EQ(v, DType::kQ4_K);
  }
  EXPECT_EQ(six, "0 1 2 3 6 9 12 15 18 21 24 27 28 29 30 31 ");
  EXPECT_EQ(plan.at("blk.0.attn_q.weight").to, DType::kQ4_K);
  EXPECT_EQ(plan.at("output.weight").to, DType::kQ6_K);
  EXPECT_EQ(plan.at("token_embd.weight").to, DType::kQ4_K);
}

TEST(Plan, DoesNotDependOnTheOrderOfTheFile) {
  std::vector<NamedTensor> tensors = tensors_of({});
  const auto plan = plan_of(tensors, with("Q3_K_M"));
  std::sort(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  for (const auto& [name, p] : plan_of(tensors, with("Q3_K_M"))) EXPECT_EQ(p.to, plan.at(name).to) << name;
  EXPECT_EQ(plan.at("blk.1.attn_v.weight").to, DType::kQ5_K);
  EXPECT_EQ(plan.at("blk.2.attn_v.weight").to, DType::kQ4_K);
  EXPECT_EQ(plan.at("blk.10.attn_v.weight").to, DType::kQ4_K);
}

TEST(Plan, TheTiedEmbeddingIsTheOutput) {
  EXPECT_EQ(plan_of(tensors_of({.tied = true}), with("Q4_0")).at("token_embd.weight").to, DType::kQ6_K);
  EXPECT_EQ(plan_of(tensors_of({.tied = false}), with("Q4_0")).at("token_embd.weight").to, DType::kQ4_0);
  EXPECT_EQ(plan_of(tensors_of({.tied = false}), with("TQ2_0")).at("token_embd.weight").to, DType::kQ4_K);
  EXPECT_EQ(plan_of(tensors_of({.tied = true}), with("Q8_0")).at("token_embd.weight").to, DType::kQ8_0);
}

TEST(Plan, FusedAttentionAndSharedHeadsHaveTheirOwnRules) {
  EXPECT_EQ(plan_of(tensors_of({.fused = true}), with("Q4_K_M")).at("blk.5.attn_qkv.weight").to, DType::kQ5_K);
  EXPECT_EQ(plan_of(tensors_of({.fused = true}), with("Q3_K_L")).at("blk.5.attn_qkv.weight").to, DType::kQ4_K);
  const auto value_type = [](const char* recipe, int64_t n_kv_heads) {
    return plan_of(tensors_of({}), with(recipe), heads(32, n_kv_heads)).at("blk.5.attn_v.weight").to;
  };
  EXPECT_EQ(value_type("Q2_K", 8), DType::kQ4_K);
  EXPECT_EQ(value_type("Q2_K", 16), DType::kQ3_K);
  EXPECT_EQ(value_type("IQ4_XS", 8), DType::kQ5_K);
  EXPECT_EQ(value_type("IQ4_XS", 32), DType::kIQ4_XS);
}

TEST(Plan, RouterInputsAndNormsStayAsTheyAre) {
  const auto plan = plan_of(tensors_of({.n_layers = 4, .n_experts = 8}), with("Q4_K_M"));
  EXPECT_EQ(plan.at("blk.0.ffn_gate_inp.weight").to, DType::kF32);
  EXPECT_EQ(plan.at("blk.0.ffn_gate_inp.weight").kind, TensorKind::kKept);
  EXPECT_EQ(plan.at("blk.0.attn_norm.weight").to, DType::kF32);
  EXPECT_EQ(plan.at("blk.3.ffn_down_exps.weight").to, DType::kQ6_K);
  const auto mxfp4 = plan_of(tensors_of({.n_layers = 4, .n_experts = 8}), with("MXFP4_MOE"));
  EXPECT_EQ(mxfp4.at("blk.3.ffn_down_exps.weight").to, DType::kMXFP4);
  EXPECT_EQ(mxfp4.at("blk.3.attn_q.weight").to, DType::kQ8_0);
}

TEST(Plan, ImportanceWeightsChangeTheFirstLayersOfOldTypes) {
  QuantizeOptions options = with("Q4_0");
  EXPECT_EQ(plan_of(tensors_of({}), options).at("blk.3.ffn_down.weight").to, DType::kQ4_0);
  options.importance = [](const NamedTensor&) { return std::span<const float>(); };
  EXPECT_EQ(plan_of(tensors_of({}), options).at("blk.3.ffn_down.weight").to, DType::kQ4_1);
  EXPECT_EQ(plan_of(tensors_of({}), options).at("blk.4.ffn_down.weight").to, DType::kQ4_0);
}

TEST(Plan, RowsThatAreNotWholeBlocksGetTheNextTypeThatFits) {
  EXPECT_EQ(fitting_dtype(DType::kQ4_K, 512), DType::kQ4_K);
  EXPECT_EQ(fitting_dtype(DType::kQ4_K, 576), DType::kQ5_0);
  EXPECT_EQ(fitting_dtype(DType::kQ5_K, 576), DType::kQ5_1);
  EXPECT_EQ(fitting_dtype(DType::kQ6_K, 576), DType::kQ8_0);
  EXPECT_EQ(fitting_dtype(DType::kQ2_K, 576), DType::kQ4_0);
  EXPECT_EQ(fitting_dtype(DType::kTQ1_0, 576), DType::kQ4_0);
  EXPECT_EQ(fitting_dtype(DType::kIQ4_XS, 576), DType::kIQ4_NL);
  EXPECT_EQ(fitting_dtype(DType::kI2_S, 640), DType::kI2_S);
  EXPECT_EQ(fitting_dtype(DType::kQ4_K, 100), DType::kF16);
  EXPECT_EQ(fitting_dtype(DType::kQ4_0, 100), DType::kF16);
  EXPECT_EQ(fitting_dtype(DType::kF32, 100), DType::kF32);
  const auto plan = plan_of(tensors_of({.n_layers = 4, .n_embd = 576, .n_kv = 192, .n_ff = 1536, .tied = true}), with("Q4_K_M"));
  EXPECT_EQ(plan.at("token_embd.weight").to, DType::kQ8_0);
  EXPECT_EQ(plan.at("blk.1.attn_q.weight").to, DType::kQ5_0);
  EXPECT_TRUE(plan.at("blk.1.attn_q.weight").fell_back());
  EXPECT_EQ(plan.at("blk.1.attn_q.weight").wanted, DType::kQ4_K);
  EXPECT_EQ(plan.at("blk.1.ffn_down.weight").to, DType::kQ4_K);
}

TEST(Plan, OptionsOverrideTheRecipe) {
  QuantizeOptions options = with("Q4_K_M");
  options.output_type = DType::kQ8_0;
  options.embedding_type = DType::kF16;
  options.overrides.emplace_back(NamePattern("blk\\.[01]\\.ffn_.*"), DType::kQ5_1);
  options.overrides.emplace_back(NamePattern("ffn_up"), DType::kIQ4_NL);
  const auto plan = plan_of(tensors_of({}), options);
  EXPECT_EQ(plan.at("output.weight").to, DType::kQ8_0);
  EXPECT_EQ(plan.at("token_embd.weight").to, DType::kF16);
  EXPECT_EQ(plan.at("blk.1.ffn_up.weight").to, DType::kQ5_1) << "the first pattern counts";
  EXPECT_EQ(plan.at("blk.11.ffn_up.weight").to, DType::kIQ4_NL);
  EXPECT_EQ(plan.at("blk.0.ffn_down.weight").to, DType::kQ5_1);
  EXPECT_EQ(plan.at("blk.0.attn_norm.weight").to, DType::kF32);
  QuantizeOptions pure = with("Q3_K_M");
  pure.pure = true;
  for (const auto& [name, p] : plan_of(tensors_of({}), pure)) {
    EXPECT_EQ(p.to, p.kind == TensorKind::kKept ? p.from : DType::kQ3_K) << name;
  }
}

TEST(Plan, RefusesTypesThatHoldNoWeights) {
  QuantizeOptions options = with("Q4_K_M");
  options.output_type = DType::kI32;
  EXPECT_EQ(refusal([&] { plan_of(tensors_of({}), options); }), "I32 is not a type of weights");
}

TEST(Recipe, NamesAreFoundInAnyCaseAndNearOnesSuggested) {
  EXPECT_EQ(find_recipe("q4_k_m").name, "Q4_K_M");
  EXPECT_EQ(find_recipe("Q5_K").name, "Q5_K_M");
  EXPECT_EQ(refusal([] { find_recipe("Q4_KM"); }),
            "Q4_KM: no such recipe; did you mean Q4_K_M? ('minnow quantize --help' lists all)");
  EXPECT_EQ(refusal([] { find_recipe("banana"); }), "banana: no such recipe; 'minnow quantize --help' lists them");
}

TEST(NamePattern, FindsAnywhereAndRefusesBrokenOrEndlessExpressions) {
  EXPECT_TRUE(NamePattern("attn_v").matches("blk.3.attn_v.weight"));
  EXPECT_TRUE(NamePattern("blk\\.(1|2)\\.").matches("blk.2.attn_v.weight"));
  EXPECT_FALSE(NamePattern("blk\\.(1|2)\\.").matches("blk.12.attn_v.weight"));
  EXPECT_NE(refusal([] { NamePattern("ffn_(down"); }).find("ffn_(down: not a regular expression: "), std::string::npos);
  EXPECT_NE(refusal([] { NamePattern("(a+)+$").matches(std::string(60, 'a') + "b"); }).find("too many steps"), std::string::npos);
}

}  // namespace
}  // namespace minnow
