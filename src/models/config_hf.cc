// Model numbers from a Hugging Face config.json, and from a llama2.c header.
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/limits.h"
#include "models/config.h"
#include "models/config_check.h"
#include "models/family.h"

namespace minnow {
namespace {

constexpr auto kWidth = static_cast<int64_t>(limits::kMaxWidth);
constexpr auto kContext = static_cast<int64_t>(limits::kMaxContext);

struct ActivationName {
  std::string_view name;
  UnaryFn fn;
};
constexpr ActivationName kActivations[] = {
    {"silu", UnaryFn::kSilu},          {"swish", UnaryFn::kSilu},        {"swiglu", UnaryFn::kSilu},
    {"gelu", UnaryFn::kGelu},          {"gelu_new", UnaryFn::kGeluTanh}, {"gelu_pytorch_tanh", UnaryFn::kGeluTanh},
    {"gelu_fast", UnaryFn::kGeluTanh}, {"relu", UnaryFn::kRelu},         {"relu2", UnaryFn::kReluSquared},
};

// The fields of a config under their usual names.
struct Fields {
  JsonFields json;
  const Family& family;

  const std::string& source() const { return json.source; }
  bool has(std::string_view usual) const { return json.has(family.hf_key(usual).c_str()); }
  const Json& at(std::string_view usual) const { return json.object.at(family.hf_key(usual)); }
  int64_t integer(std::string_view usual, int64_t fallback, int64_t lo, int64_t hi) const {
    return json.integer(family.hf_key(usual).c_str(), fallback, lo, hi);
  }
  int64_t require(std::string_view usual, int64_t hi) const {
    const std::string key = family.hf_key(usual);
    if (!json.has(key.c_str())) fail(ErrorCode::kInvalidInput, "{}: field \"{}\" is missing", json.source, key);
    return json.integer(key.c_str(), 0, 1, hi);
  }
  double number(std::string_view usual, double fallback) const { return json.number(family.hf_key(usual).c_str(), fallback); }
  bool boolean(std::string_view usual, bool fallback) const { return json.boolean(family.hf_key(usual).c_str(), fallback); }
  std::string text(std::string_view usual, const std::string& fallback) const {
    return json.text(family.hf_key(usual).c_str(), fallback);
  }
  // Fields that change what is computed and that minnow does not compute.
  void refuse_unless(std::string_view key, bool value) const {
    if (boolean(key, value) != value) fail(ErrorCode::kUnsupported, "{}: \"{}\": {} is not supported", source(), key, !value);
  }
};

const Family* family_of(const JsonFields& f) {
  std::string architecture;
  if (f.has("architectures") && f.object["architectures"].is_array() && !f.object["architectures"].empty() &&
      f.object["architectures"][0].is_string()) {
    architecture = f.object["architectures"][0].get<std::string>();
  }
  const std::string type = f.text("model_type", "");
  const Family* family = family_from_hf(architecture, type);
  if (family == nullptr) {
    throw Error(ErrorCode::kUnsupported,
                fmt::format("{}: architecture \"{}\" is not supported", f.source, architecture.empty() ? type : architecture),
                "minnow runs: " + family_names());
  }
  return family;
}

// How many features of a head are rotated.
int64_t rotated(const Fields& f, const ModelConfig& c, double part) {
  if (!(part > 0 && part <= 1)) fail(ErrorCode::kInvalidInput, "{}: {} is {}, not a part of a head", f.source(), f.family.hf_key("partial_rotary_factor"), part);
  return static_cast<int64_t>(part * static_cast<double>(c.head_dim));
}

double yarn_growth(double factor, double scale) { return factor <= 1 ? 1 : 0.1 * scale * std::log(factor) + 1; }

void read_rope_scaling(const Fields& f, ModelConfig& c) {
  // Newer files keep all of it, the base included, under rope_parameters.
  const char* key = f.json.has("rope_scaling") ? "rope_scaling" : "rope_parameters";
  if (!f.json.has(key)) return;
  const Json* scaling = &f.json.object.at(key);
  if (!scaling->is_object()) fail(ErrorCode::kInvalidInput, "{}: field \"{}\" must be an object", f.source(), key);
  if (scaling->contains("full_attention")) {  // one set per kind of layer
    if (scaling->contains("sliding_attention") && (*scaling)["sliding_attention"].is_object()) {
      c.local_rope_base = JsonFields{(*scaling)["sliding_attention"], f.source()}.number("rope_theta", c.local_rope_base);
    }
    scaling = &(*scaling)["full_attention"];
    if (!scaling->is_object()) fail(ErrorCode::kInvalidInput, "{}: \"full_attention\" must be an object", f.source());
  }
  const JsonFields s{*scaling, f.source() + ": " + key};
  c.rope.base = s.number("rope_theta", c.rope.base);
  const std::string type = s.text("rope_type", s.text("type", "default"));
  c.temperature_beta = s.number("llama_4_scaling_beta", 0);
  c.rope.original_context = s.integer("original_max_position_embeddings", c.rope.original_context, 1, kContext);
  if (s.has("partial_rotary_factor")) c.rope.n_rot = rotated(f, c, s.number("partial_rotary_factor", 1));
  if (type == "default" || type == "mrope") return;
  c.rope.factor = s.number("factor", 1);
  c.rope.attention_factor = s.number("attention_factor", 0);
  if (type == "linear") {
    c.rope.scaling = RopeScaling::kLinear;
  } else if (type == "dynamic") {
    c.rope.scaling = RopeScaling::kDynamic;
  } else if (type == "llama3") {
    c.rope.scaling = RopeScaling::kLlama3;
    c.rope.low_freq = s.number("low_freq_factor", 1);
    c.rope.high_freq = s.number("high_freq_factor", 4);
  } else if (type == "yarn") {
    c.rope.scaling = RopeScaling::kYarn;
    c.rope.beta_fast = s.number("beta_fast", 32);
    c.rope.beta_slow = s.number("beta_slow", 1);
    const double mscale = s.number("mscale", 0), all = s.number("mscale_all_dim", 0);
    if (c.rope.attention_factor == 0 && mscale != 0 && all != 0) {
      c.rope.attention_factor = yarn_growth(c.rope.factor, mscale) / yarn_growth(c.rope.factor, all);
    }
  } else if (type == "longrope" || type == "su") {
    c.rope.scaling = RopeScaling::kLongRope;
    const auto original = static_cast<double>(c.rope.original_context);
    const double factor = s.has("factor") ? c.rope.factor : static_cast<double>(c.n_ctx_train) / original;
    c.rope.factor = factor;
    if (c.rope.attention_factor == 0) {
      c.rope.attention_factor = factor <= 1 ? 1 : std::sqrt(1 + std::log(factor) / std::log(original));
    }
  } else {
    fail(ErrorCode::kUnsupported, "{}: rope scaling \"{}\" is not supported", f.source(), type);
  }
}

// One entry of layer_types for each layer, or empty.
std::vector<std::string> layer_types(const Fields& f, const ModelConfig& c) {
  std::vector<std::string> types;
  if (!f.json.has("layer_types")) return types;
  const Json& json = f.json.object["layer_types"];
  for (const Json& t : json) types.push_back(t.is_string() ? t.get<std::string>() : "");
  if (static_cast<int64_t>(types.size()) != c.n_layers) {
    fail(ErrorCode::kInvalidInput, "{}: layer_types has {} entries for {} layers", f.source(), types.size(), c.n_layers);
  }
  for (const std::string& t : types) {
    if (t != "sliding_attention" && t != "full_attention" && t != "conv") {
      fail(ErrorCode::kUnsupported, "{}: layers of type \"{}\" are not supported", f.source(), t);
    }
  }
  return types;
}

void read_layers(const Fields& f, ModelConfig& c) {
  const std::vector<std::string> types = layer_types(f, c);
  if (f.json.has("sliding_window") && f.boolean("use_sliding_window", c.family->hf_window)) {
    c.sliding_window = f.integer("sliding_window", 0, 1, kContext);
    c.local_layers = all_but_every_nth(c.n_layers, f.integer("sliding_window_pattern", c.family->window_pattern, 0, limits::kMaxLayers));
    if (!c.family->hf_window && types.empty()) {  // Qwen2: the layers from this one on
      const int64_t first = f.integer("max_window_layers", 28, 0, limits::kMaxLayers);
      for (int64_t l = 0; l < c.n_layers; ++l) c.local_layers[static_cast<std::size_t>(l)] = l >= first;
    }
  }
  if (std::count(types.begin(), types.end(), "sliding_attention") > 0 && f.json.has("sliding_window")) {
    c.sliding_window = f.integer("sliding_window", 0, 1, kContext);
    c.local_layers.clear();
    for (const std::string& t : types) c.local_layers.push_back(t == "sliding_attention");
  }
  if (std::count(types.begin(), types.end(), "conv") > 0) {
    for (const std::string& t : types) c.conv_layers.push_back(t == "conv");
  } else if (f.json.has("full_attn_idxs")) {  // older LFM2 files
    c.conv_layers.assign(static_cast<std::size_t>(c.n_layers), true);
    for (const Json& i : f.json.object["full_attn_idxs"]) {
      if (i.is_number_unsigned() && i < c.n_layers) c.conv_layers[i.get<std::size_t>()] = false;
    }
  }
  if (!c.conv_layers.empty()) {
    c.n_conv_taps = f.integer("conv_L_cache", 3, 1, kMaxConvTaps);
    f.refuse_unless("conv_bias", false);
  }
  c.nope_layers = every_nth(c.n_layers, c.family->nope_interval == 0 ? 0 : f.integer("no_rope_layer_interval", c.family->nope_interval, 0, limits::kMaxLayers));
  if (f.json.has("no_rope_layers") && !f.json.object["no_rope_layers"].empty()) {  // 1: with rotary positions
    c.nope_layers.clear();
    for (const Json& with_rope : f.json.object["no_rope_layers"]) c.nope_layers.push_back(with_rope == 0);
    if (static_cast<int64_t>(c.nope_layers.size()) != c.n_layers) {
      fail(ErrorCode::kInvalidInput, "{}: no_rope_layers has {} entries for {} layers", f.source(), c.nope_layers.size(), c.n_layers);
    }
  }
}

void read_experts(const Fields& f, ModelConfig& c) {
  if (!f.has("num_experts")) return;
  c.n_experts = f.integer("num_experts", 0, 1, limits::kMaxExperts);
  c.n_experts_used = f.integer("num_experts_per_tok", 2, 1, c.n_experts);
  c.n_ff_expert = f.require("moe_intermediate_size", kWidth);
  c.normalized_experts = c.family->normalized_experts && f.boolean("norm_topk_prob", c.family->hf_normalizes_experts);
  if (f.integer("decoder_sparse_step", 1, 0, kWidth) != 1 || (f.json.has("mlp_only_layers") && !f.json.object["mlp_only_layers"].empty())) {
    fail(ErrorCode::kUnsupported, "{}: layers without experts beside layers with them are not supported", f.source());
  }
}

UnaryFn activation_of(const Fields& f) {
  // Gemma's "gelu" has always meant the tanh form; newer files say so under another key.
  const bool gemma = f.family.gated && f.family.activation == UnaryFn::kGeluTanh;
  const std::string name = gemma ? f.json.text("hidden_activation", "gelu_pytorch_tanh") : f.text("hidden_act", "");
  if (name.empty()) return f.family.activation;
  for (const ActivationName& a : kActivations) {
    if (a.name == name) return a.fn;
  }
  fail(ErrorCode::kUnsupported, "{}: activation \"{}\" is not supported", f.source(), name);
}

// LFM2 states the size before this adjustment.
int64_t adjusted_ff(const Fields& f, int64_t n_ff) {
  if (!f.boolean("block_auto_adjust_ff_dim", f.family.hf_model_type == "lfm2")) return n_ff;
  const double multiplier = f.number("block_ffn_dim_multiplier", 1);
  const int64_t of = f.integer("block_multiple_of", 256, 1, kWidth);
  const double n = multiplier * static_cast<double>(2 * n_ff / 3);
  if (!(n >= 1 && n <= static_cast<double>(kWidth))) fail(ErrorCode::kInvalidInput, "{}: block_ffn_dim_multiplier {} is out of range", f.source(), multiplier);
  return (static_cast<int64_t>(n) + of - 1) / of * of;
}

void read_sizes(const Fields& f, ModelConfig& c) {
  c.n_layers = f.require("num_hidden_layers", limits::kMaxLayers);
  c.n_embd = f.require("hidden_size", kWidth);
  const bool needs_ff = f.has("intermediate_size") || f.family.positions == PositionKind::kRope;
  c.n_ff = needs_ff ? f.require(f.json.has("block_ff_dim") ? "block_ff_dim" : "intermediate_size", kWidth) : 4 * c.n_embd;
  c.n_ff = adjusted_ff(f, c.n_ff);
  c.n_heads = f.integer("num_attention_heads", 8, 1, kWidth);
  const bool gemma3 = c.family == &kGemma3;
  c.n_kv_heads = f.integer("num_key_value_heads", gemma3 ? 4 : c.n_heads, 1, kWidth);
  c.head_dim = f.integer("head_dim", gemma3 ? 256 : std::max<int64_t>(1, c.n_embd / c.n_heads), 1, kWidth);
  c.n_vocab = f.integer("vocab_size", 0, 0, static_cast<int64_t>(limits::kMaxVocab));
  c.n_ctx_train = f.integer("max_position_embeddings", gemma3 ? 131072 : 2048, 1, kContext);
  c.n_ctx_train = std::max<int64_t>(1, c.n_ctx_train - f.family.hf_first_position);
}

void read_rope(const Fields& f, ModelConfig& c) {
  c.rope.base = f.number("rope_theta", c.family->default_rope_base);
  c.rope.n_rot = rotated(f, c, f.number("partial_rotary_factor", c.family->default_rotary_part));
  c.rope.layout = RopeLayout::kHalves;
  c.rope.original_context = f.integer("original_max_position_embeddings", c.n_ctx_train, 1, kContext);
  f.refuse_unless("rotary_emb_interleaved", false);
  read_rope_scaling(f, c);
  if (f.text("position_embedding_type", "absolute") != "absolute" && f.family.positions == PositionKind::kLearned) {
    fail(ErrorCode::kUnsupported, "{}: relative positions are not supported", f.source());
  }
}

}  // namespace

ModelConfig config_from_hf(const Json& config, const std::string& source) {
  if (!config.is_object()) fail(ErrorCode::kInvalidInput, "{}: not a JSON object", source);
  const JsonFields outer{config, source};
  ModelConfig c;
  c.family = family_of(outer);
  const Json& body = outer.has("text_config") ? config["text_config"] : config;
  if (!body.is_object()) fail(ErrorCode::kInvalidInput, "{}: \"text_config\" must be an object", source);
  const Fields f{{body, source}, *c.family};
  read_sizes(f, c);
  c.form = c.family->form;
  if (f.has("use_parallel_residual")) c.form = f.boolean("use_parallel_residual", true) ? BlockForm::kParallel : BlockForm::kPreNorm;
  c.activation = activation_of(f);
  c.norm_eps = static_cast<float>(f.number("norm_eps", c.family == &kLlama ? 1e-6 : c.family->default_norm_eps));
  c.local_rope_base = f.number("rope_local_base_freq", c.family->local_rope_base);
  read_rope(f, c);
  if (c.family->plain_local_rope) c.local_rope_base = c.rope.base;
  read_layers(f, c);
  read_experts(f, c);
  if (!is_stacked(f.family, "blk.0.attn_q_norm.weight")) f.refuse_unless("qk_layernorm", false);
  f.refuse_unless("prenorm", false);
  // null says that there is none; nothing at all, that it is the usual one.
  const auto cap = [&](const char* key, double usual) { return body.contains(key) ? f.number(key, 0) : usual; };
  c.logit_softcap = cap("final_logit_softcapping", c.family->default_logit_softcap);
  c.attention_softcap = cap("attn_logit_softcapping", c.family->default_attention_softcap);
  if (f.has("query_pre_attn_scalar")) c.attention_scale = 1 / std::sqrt(f.number("query_pre_attn_scalar", 1));
  c.attention_scale = f.number("attention_multiplier", c.attention_scale);
  c.embedding_scale = f.number("embedding_multiplier", 0);
  c.residual_scale = f.number("residual_multiplier", 1);
  c.logit_scale = f.number("logits_scaling", 1);
  check_config(c, source);
  return c;
}

ModelConfig config_from_llama2c(const Llama2cHeader& h, const std::string& source) {
  ModelConfig c;
  c.family = &kLlama;
  c.n_layers = h.n_layers;
  c.n_embd = h.dim;
  c.n_ff = h.hidden_dim;
  c.n_heads = h.n_heads;
  c.n_kv_heads = h.n_kv_heads;
  c.head_dim = h.dim / h.n_heads;
  c.n_vocab = h.vocab_size;
  c.n_ctx_train = h.seq_len;
  c.norm_eps = 1e-5f;
  c.rope = {.base = 10000, .n_rot = c.head_dim, .layout = RopeLayout::kInterleaved, .original_context = h.seq_len};
  check_config(c, source);
  return c;
}

}  // namespace minnow
