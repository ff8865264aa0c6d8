#include "models/config.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "base/error.h"
#include "models/family.h"
#include "models/random_model.h"

namespace minnow {
namespace {

GgufMetadata llama_metadata() {
  GgufMetadata m("test.gguf");
  m.set("general.architecture", std::string("llama"));
  m.set("llama.block_count", uint32_t{2});
  m.set("llama.embedding_length", uint32_t{64});
  m.set("llama.feed_forward_length", uint32_t{128});
  m.set("llama.context_length", uint32_t{2048});
  m.set("llama.attention.head_count", uint32_t{4});
  m.set("llama.attention.head_count_kv", uint32_t{2});
  m.set("llama.attention.layer_norm_rms_epsilon", 1e-5f);
  return m;
}

Json llama_json() {
  return {{"architectures", {"LlamaForCausalLM"}}, {"model_type", "llama"}, {"hidden_size", 64}, {"intermediate_size", 128},
          {"num_hidden_layers", 2}, {"num_attention_heads", 4}, {"num_key_value_heads", 2}, {"vocab_size", 300},
          {"max_position_embeddings", 2048}, {"rms_norm_eps", 1e-5}, {"rope_theta", 10000.0}};
}

std::string refusal(const auto& action) {
  try {
    action();
  } catch (const Error& e) {
    return e.what();
  }
  return "accepted";
}

TEST(ConfigFromGguf, ReadsTheNumbersAndFillsInTheRest) {
  const ModelConfig c = config_from_gguf(llama_metadata());
  EXPECT_EQ(c.family, &kLlama);
  EXPECT_EQ(c.n_kv_heads, 2);
  EXPECT_EQ(c.head_dim, 16);
  EXPECT_EQ(c.rope.n_rot, 16);
  EXPECT_EQ(c.rope.layout, RopeLayout::kInterleaved);
  EXPECT_FALSE(c.is_local(0));
}

TEST(ConfigFromGguf, NamesTheKeyThatIsMissingOrWrong) {
  GgufMetadata m = llama_metadata();
  m.erase("llama.block_count");
  EXPECT_NE(refusal([&] { config_from_gguf(m); }).find("llama.block_count"), std::string::npos);
  m = llama_metadata();
  m.set("llama.attention.head_count_kv", uint32_t{3});
  EXPECT_NE(refusal([&] { config_from_gguf(m); }).find("3 key-value heads"), std::string::npos);
  m = llama_metadata();
  m.set("llama.block_count", uint32_t{1u << 30});
  EXPECT_NE(refusal([&] { config_from_gguf(m); }), "accepted");
  m = llama_metadata();
  m.set("llama.rope.scaling.type", std::string("spiral"));
  EXPECT_NE(refusal([&] { config_from_gguf(m); }).find("spiral"), std::string::npos);
  m = llama_metadata();
  m.set("general.architecture", std::string("mamba"));
  EXPECT_NE(refusal([&] { config_from_gguf(m); }).find("minnow runs: llama, mistral3"), std::string::npos);
}

TEST(ConfigFromGguf, SurvivesTheWayBack) {
  GgufMetadata m = llama_metadata();
  m.set("llama.rope.scaling.type", std::string("yarn"));
  m.set("llama.rope.scaling.factor", 4.0f);
  m.set("llama.rope.scaling.original_context_length", uint32_t{512});
  const ModelConfig c = config_from_gguf(m);
  GgufMetadata written("again.gguf");
  config_to_gguf(c, written);
  const ModelConfig again = config_from_gguf(written);
  EXPECT_EQ(again.n_ff, c.n_ff);
  EXPECT_EQ(again.head_dim, c.head_dim);
  EXPECT_EQ(again.rope.scaling, RopeScaling::kYarn);
  EXPECT_EQ(again.rope.original_context, 512);
  EXPECT_DOUBLE_EQ(again.rope.factor, 4);
  EXPECT_NEAR(again.rope.attention_factor, c.rope.attention_factor, 1e-6);
}

TEST(ConfigFromHf, ReadsTheNumbersAndFillsInTheRest) {
  const ModelConfig c = config_from_hf(llama_json(), "config.json");
  EXPECT_EQ(c.family, &kLlama);
  EXPECT_EQ(c.head_dim, 16);
  EXPECT_EQ(c.rope.layout, RopeLayout::kHalves);
}

TEST(ConfigFromHf, ReadsBothFormsOfGemmaLayers) {
  Json j = {{"architectures", {"Gemma3ForCausalLM"}}, {"hidden_size", 64}, {"intermediate_size", 128}, {"num_hidden_layers", 7},
            {"num_attention_heads", 4}, {"num_key_value_heads", 1}, {"head_dim", 32}, {"sliding_window", 16},
            {"query_pre_attn_scalar", 64}, {"rope_theta", 1e6}, {"rope_local_base_freq", 1e4}};
  ModelConfig c = config_from_hf(j, "config.json");
  EXPECT_TRUE(c.is_local(4));
  EXPECT_FALSE(c.is_local(5));
  EXPECT_TRUE(c.is_local(6));
  EXPECT_DOUBLE_EQ(c.attention_scale, 1.0 / 8);
  j["layer_types"] = {"sliding_attention", "sliding_attention", "sliding_attention", "sliding_attention",
                      "sliding_attention", "full_attention", "sliding_attention"};
  EXPECT_NO_THROW(config_from_hf(j, "config.json"));
  j["layer_types"][0] = "full_attention";
  EXPECT_FALSE(config_from_hf(j, "config.json").is_local(0));
  j["layer_types"].erase(0);
  EXPECT_THROW(config_from_hf(j, "config.json"), Error);
  // The multimodal checkpoint keeps the text model's numbers one level down.
  j.erase("layer_types");
  const Json outer = {{"architectures", {"Gemma3ForConditionalGeneration"}}, {"model_type", "gemma3"}, {"text_config", j}};
  EXPECT_EQ(config_from_hf(outer, "config.json").n_layers, 7);
}

TEST(ConfigFromHf, ReadsEveryRopeScalingAndRefusesOthersByName) {
  Json j = llama_json();
  j["rope_scaling"] = {{"rope_type", "llama3"}, {"factor", 8.0}, {"low_freq_factor", 1.0}, {"high_freq_factor", 4.0},
                       {"original_max_position_embeddings", 1024}};
  EXPECT_EQ(config_from_hf(j, "c").rope.scaling, RopeScaling::kLlama3);
  j["rope_scaling"] = {{"type", "linear"}, {"factor", 2.0}};
  EXPECT_EQ(config_from_hf(j, "c").rope.scaling, RopeScaling::kLinear);
  j.erase("rope_scaling");
  j["rope_parameters"] = {{"rope_type", "default"}, {"rope_theta", 5e5}};
  EXPECT_DOUBLE_EQ(config_from_hf(j, "c").rope.base, 5e5);
  j["rope_scaling"] = {{"rope_type", "spiral"}, {"factor", 2.0}};
  EXPECT_NE(refusal([&] { config_from_hf(j, "c"); }).find("\"spiral\""), std::string::npos);
  j["rope_scaling"] = 7;
  EXPECT_THROW(config_from_hf(j, "c"), Error);
}

TEST(ConfigFromHf, ReadsThePartOfAHeadThatRotatesWhereverItStands) {
  Json j = llama_json();
  j["partial_rotary_factor"] = 0.5;
  EXPECT_EQ(config_from_hf(j, "c").rope.n_rot, 8);
  j.erase("partial_rotary_factor");
  j["rope_parameters"] = {{"rope_type", "default"}, {"rope_theta", 5e5}, {"partial_rotary_factor", 0.25}};
  EXPECT_EQ(config_from_hf(j, "c").rope.n_rot, 4);
  j["rope_parameters"]["partial_rotary_factor"] = 7;
  EXPECT_THROW(config_from_hf(j, "c"), Error);
}

TEST(ConfigFromHf, SurvivesTheWayBack) {
  Json j = llama_json();
  j["rope_scaling"] = {{"rope_type", "llama3"}, {"factor", 8.0}, {"low_freq_factor", 1.0}, {"high_freq_factor", 4.0},
                       {"original_max_position_embeddings", 1024}};
  const ModelConfig c = config_from_hf(j, "c");
  const ModelConfig again = config_from_hf(config_to_hf(c), "again");
  EXPECT_EQ(llama3_divisors(again.rope), llama3_divisors(c.rope));
  EXPECT_EQ(again.n_ff, c.n_ff);
  EXPECT_EQ(again.norm_eps, c.norm_eps);
}

TEST(Rope, PlainAndLinearFrequencies) {
  RopeConfig r{.base = 10000, .n_rot = 8};
  const auto plain = rope_frequencies(r, 100, {}).inv_freq;
  ASSERT_EQ(plain.size(), 4u);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(plain[i], std::pow(10.0, -static_cast<double>(i)), 1e-12);
  r.scaling = RopeScaling::kLinear;
  r.factor = 4;
  EXPECT_NEAR(rope_frequencies(r, 100, {}).inv_freq[1], 0.025, 1e-12);
}

TEST(Rope, Llama3KeepsFastPairsAndSlowsTheSlowOnes) {
  const RopeConfig r{.base = 500000, .n_rot = 64, .scaling = RopeScaling::kLlama3, .factor = 8, .original_context = 8192};
  const auto divisors = llama3_divisors(r);
  EXPECT_FLOAT_EQ(divisors.front(), 1);
  EXPECT_FLOAT_EQ(divisors.back(), 8);
  EXPECT_TRUE(std::is_sorted(divisors.begin(), divisors.end()));
  // The same scaling as numbers and as GGUF's tensor.
  RopeConfig plain = r;
  plain.scaling = RopeScaling::kNone;
  EXPECT_EQ(rope_frequencies(plain, 100, divisors).inv_freq, rope_frequencies(r, 100, {}).inv_freq);
  EXPECT_THROW(rope_frequencies(plain, 100, {1.0f, 2.0f}), Error);
}

TEST(Rope, YarnInterpolatesOnlyWhatTurnsSlowly) {
  const RopeConfig r{.base = 10000, .n_rot = 64, .scaling = RopeScaling::kYarn, .factor = 4, .original_context = 2048};
  const auto table = rope_frequencies(r, 8192, {});
  EXPECT_NEAR(table.inv_freq.front(), 1, 1e-12);
  EXPECT_NEAR(table.inv_freq.back(), std::pow(10000, -62.0 / 64) / 4, 1e-12);
  EXPECT_NEAR(table.magnitude, 1 + 0.1 * std::log(4.0), 1e-12);
}

TEST(Rope, DynamicStretchesOnlyPastTheOriginalContext) {
  const RopeConfig r{.base = 10000, .n_rot = 64, .scaling = RopeScaling::kDynamic, .factor = 2, .original_context = 2048};
  const RopeConfig plain{.base = 10000, .n_rot = 64};
  EXPECT_EQ(rope_frequencies(r, 2048, {}).inv_freq, rope_frequencies(plain, 2048, {}).inv_freq);
  EXPECT_LT(rope_frequencies(r, 4096, {}).inv_freq.back(), rope_frequencies(plain, 4096, {}).inv_freq.back());
}

TEST(TensorNames, TranslateBothWaysForEveryFamily) {
  for (const Family* f : kFamilies) {
    if (!f->converts) continue;
    const Model model = random_model({.family = f}, 1);
    for (const NamedTensor& t : model.weights.all()) {
      if (t.name.starts_with("rope_f")) continue;  // part of config.json
      EXPECT_EQ(gguf_tensor_name(*f, hf_tensor_name(*f, t.name, 3)).name, t.name) << f->hf_architectures[0];
    }
  }
  EXPECT_EQ(gguf_tensor_name(kGemma3, "model.layers.3.post_attention_layernorm.weight").name, "blk.3.post_attention_norm.weight");
  EXPECT_EQ(gguf_tensor_name(kLlama, "model.layers.3.post_attention_layernorm.weight").name, "blk.3.ffn_norm.weight");
  EXPECT_EQ(gguf_tensor_name(kLlama, "model.layers.3.self_attn.rotary_emb.inv_freq").name, "");
  EXPECT_EQ(gguf_tensor_name(kLlama, "vision_tower.x.weight").name, "");
}

}  // namespace
}  // namespace minnow
