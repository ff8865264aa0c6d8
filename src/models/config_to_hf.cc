// Model numbers to a Hugging Face config.json.
#include <cmath>

#include "models/config.h"
#include "models/family.h"

namespace minnow {
namespace {

std::string_view activation_name(UnaryFn fn) {
  switch (fn) {
    case UnaryFn::kSilu: return "silu";
    case UnaryFn::kGeluTanh: return "gelu_pytorch_tanh";
    case UnaryFn::kGelu: return "gelu";
    case UnaryFn::kRelu: return "relu";
    case UnaryFn::kReluSquared: return "relu2";
    case UnaryFn::kTanh: return "tanh";
  }
  return "";
}

Json rope_scaling(const ModelConfig& c) {
  const RopeConfig& r = c.rope;
  Json j = Json::object();
  switch (r.scaling) {
    case RopeScaling::kNone: break;
    case RopeScaling::kLinear: j = {{"rope_type", "linear"}, {"factor", r.factor}}; break;
    case RopeScaling::kDynamic: j = {{"rope_type", "dynamic"}, {"factor", r.factor}}; break;
    case RopeScaling::kLlama3:
      j = {{"rope_type", "llama3"}, {"factor", r.factor}, {"low_freq_factor", r.low_freq}, {"high_freq_factor", r.high_freq}};
      break;
    case RopeScaling::kYarn:
      j = {{"rope_type", "yarn"}, {"factor", r.factor}, {"beta_fast", r.beta_fast}, {"beta_slow", r.beta_slow}};
      if (r.attention_factor > 0) j["attention_factor"] = r.attention_factor;
      break;
    case RopeScaling::kLongRope:  // the factors of each frequency are added by whoever has the tensors
      j = {{"rope_type", "longrope"}, {"type", "longrope"}};
      if (r.attention_factor > 0) j["attention_factor"] = r.attention_factor;
      break;
  }
  if (r.scaling != RopeScaling::kNone && r.scaling != RopeScaling::kLinear) {
    j["original_max_position_embeddings"] = r.original_context;
  }
  if (c.temperature_beta > 0) {
    j["llama_4_scaling_beta"] = c.temperature_beta;
    j["original_max_position_embeddings"] = r.original_context;
    if (!j.contains("rope_type")) j["rope_type"] = "default";
  }
  return j;
}

// layer_types, where layers differ.
Json layer_types(const ModelConfig& c) {
  Json types = Json::array();
  for (int64_t l = 0; l < c.n_layers; ++l) {
    types.push_back(c.is_conv(l) ? "conv" : c.is_local(l) ? "sliding_attention" : "full_attention");
  }
  return types;
}

void add_positions(const ModelConfig& c, Json& j) {
  const Family& f = *c.family;
  if (f.positions != PositionKind::kRope) return;
  j[f.hf_key("rope_theta")] = c.rope.base;
  if (c.rope.n_rot != c.head_dim || f.default_rotary_part != 1 || f.hf_key("partial_rotary_factor") != "partial_rotary_factor") {
    j[f.hf_key("partial_rotary_factor")] = static_cast<double>(c.rope.n_rot) / static_cast<double>(c.head_dim);
  }
  if (const Json scaling = rope_scaling(c); !scaling.empty()) j["rope_scaling"] = scaling;
  if (c.rope.scaling == RopeScaling::kLongRope) j["original_max_position_embeddings"] = c.rope.original_context;
  if (!c.nope_layers.empty()) {
    j["no_rope_layer_interval"] = f.nope_interval;
    for (const bool without : c.nope_layers) j["no_rope_layers"].push_back(without ? 0 : 1);
  }
}

void add_layers(const ModelConfig& c, Json& j) {
  if (c.sliding_window > 0) {
    j["sliding_window"] = c.sliding_window;
    j["use_sliding_window"] = true;
    if (c.family->window_pattern > 0) j["sliding_window_pattern"] = c.family->window_pattern;
    if (c.local_rope_base > 0 && !c.family->plain_local_rope) j["rope_local_base_freq"] = c.local_rope_base;
    j["layer_types"] = layer_types(c);
  }
  if (!c.conv_layers.empty()) {
    j["layer_types"] = layer_types(c);
    j["conv_L_cache"] = c.n_conv_taps;
    j["conv_bias"] = false;
    j["block_auto_adjust_ff_dim"] = false;
  }
  if (c.n_experts > 0) {
    const Family& f = *c.family;
    j[f.hf_key("num_experts")] = c.n_experts;
    j["num_experts_per_tok"] = c.n_experts_used;
    j[f.hf_key("moe_intermediate_size")] = c.n_ff_expert;
    j["norm_topk_prob"] = c.normalized_experts;
  }
}

}  // namespace

Json config_to_hf(const ModelConfig& c) {
  const Family& f = *c.family;
  Json j = {
      {"architectures", {std::string(f.hf_architectures[0])}},
      {"model_type", std::string(f.hf_model_type)},
      {f.hf_key("hidden_size"), c.n_embd},
      {f.hf_key("intermediate_size"), c.n_ff},
      {f.hf_key("num_hidden_layers"), c.n_layers},
      {f.hf_key("num_attention_heads"), c.n_heads},
      {"vocab_size", c.n_vocab},
      {f.hf_key("max_position_embeddings"), c.n_ctx_train + f.hf_first_position},
      {f.hf_key("norm_eps"), c.norm_eps},
  };
  if (f.positions == PositionKind::kRope && f.causal) {
    j["num_key_value_heads"] = c.n_kv_heads;
    j["head_dim"] = c.head_dim;
    j["attention_bias"] = false;
  }
  j[f.hf_key("hidden_act")] = activation_name(c.activation);
  if (f.gated && f.activation == UnaryFn::kGeluTanh) j["hidden_activation"] = activation_name(c.activation);
  if (c.form != f.form || f.form == BlockForm::kParallel) j["use_parallel_residual"] = c.form == BlockForm::kParallel;
  add_positions(c, j);
  add_layers(c, j);
  const auto cap = [&](const char* key, double value, double usual) {
    if (value > 0) {
      j[key] = value;
    } else if (usual > 0) {
      j[key] = nullptr;
    }
  };
  cap("final_logit_softcapping", c.logit_softcap, f.default_logit_softcap);
  cap("attn_logit_softcapping", c.attention_softcap, f.default_attention_softcap);
  const bool granite = c.family == &kGranite || c.embedding_scale > 0 || c.residual_scale != 1 || c.logit_scale != 1;
  if (granite) {
    j["embedding_multiplier"] = c.embedding_scale > 0 ? c.embedding_scale : 1;
    j["residual_multiplier"] = c.residual_scale;
    j["logits_scaling"] = c.logit_scale;
    j["attention_multiplier"] = c.attention_scale > 0 ? c.attention_scale : 1 / std::sqrt(static_cast<double>(c.head_dim));
  } else if (c.attention_scale > 0 || f.form == BlockForm::kSandwich) {
    j["query_pre_attn_scalar"] = c.attention_scale > 0 ? 1 / (c.attention_scale * c.attention_scale) : static_cast<double>(c.head_dim);
  }
  return j;
}

}  // namespace minnow
