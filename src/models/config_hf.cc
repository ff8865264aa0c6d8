// Model numbers to and from a Hugging Face config.json, and from a llama2.c header.
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

int64_t require(const JsonFields& f, const char* key, int64_t hi) {
  if (!f.has(key)) fail(ErrorCode::kInvalidInput, "{}: field \"{}\" is missing", f.source, key);
  return f.integer(key, 0, 1, hi);
}

const Family* family_of(const JsonFields& f) {
  std::string architecture;
  if (f.has("architectures") && f.object["architectures"].is_array() && !f.object["architectures"].empty() &&
      f.object["architectures"][0].is_string()) {
    architecture = f.object["architectures"][0].get<std::string>();
  }
  const std::string type = f.text("model_type", "");
  if (architecture == "Gemma3ForConditionalGeneration") return &kGemma3;  // the text part of the multimodal model
  const Family* family = family_from_hf(architecture, type);
  if (family == nullptr) {
    throw Error(ErrorCode::kUnsupported,
                fmt::format("{}: architecture \"{}\" is not supported", f.source, architecture.empty() ? type : architecture),
                "minnow runs: " + family_names());
  }
  return family;
}

void read_rope_scaling(const JsonFields& f, ModelConfig& c) {
  // Newer files keep all of it, the base included, under rope_parameters.
  const char* key = f.has("rope_scaling") ? "rope_scaling" : "rope_parameters";
  if (!f.has(key)) return;
  const Json* scaling = &f.object.at(key);
  if (!scaling->is_object()) fail(ErrorCode::kInvalidInput, "{}: field \"{}\" must be an object", f.source, key);
  if (scaling->contains("full_attention")) {  // one set per kind of layer
    if (scaling->contains("sliding_attention") && (*scaling)["sliding_attention"].is_object()) {
      c.local_rope_base = JsonFields{(*scaling)["sliding_attention"], f.source}.number("rope_theta", c.local_rope_base);
    }
    scaling = &(*scaling)["full_attention"];
    if (!scaling->is_object()) fail(ErrorCode::kInvalidInput, "{}: \"full_attention\" must be an object", f.source);
  }
  const JsonFields s{*scaling, f.source + ": " + key};
  c.rope.base = s.number("rope_theta", c.rope.base);
  const std::string type = s.text("rope_type", s.text("type", "default"));
  if (type == "default") return;
  c.rope.factor = s.number("factor", 1);
  c.rope.original_context = s.integer("original_max_position_embeddings", c.rope.original_context, 1, kContext);
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
    c.rope.attention_factor = s.number("attention_factor", 0);
  } else {
    fail(ErrorCode::kUnsupported, "{}: rope scaling \"{}\" is not supported", f.source, type);
  }
}

// Which layers are global: from layer_types, else the pattern's number.
void read_windows(const JsonFields& f, ModelConfig& c) {
  if (c.family->window_pattern == 0) {
    const bool used = f.boolean("use_sliding_window", c.family->hf_model_type != "qwen3");
    if (used && f.has("sliding_window")) {
      fail(ErrorCode::kUnsupported, "{}: a sliding window in every layer of {} is not supported", f.source, c.family->gguf_name);
    }
    return;
  }
  c.sliding_window = f.integer("sliding_window", 4096, 1, kContext);
  c.window_pattern = f.integer("sliding_window_pattern", c.family->window_pattern, 1, limits::kMaxLayers);
  c.local_rope_base = f.number("rope_local_base_freq", c.family->local_rope_base);
  if (!f.has("layer_types")) return;
  const Json& types = f.object["layer_types"];
  for (std::size_t i = 0; types.is_array() && i < types.size(); ++i) {
    const bool local = types[i] == "sliding_attention";
    if (local != c.is_local(static_cast<int64_t>(i))) {
      fail(ErrorCode::kUnsupported, "{}: layer_types do not follow a pattern of every {}th layer", f.source, c.window_pattern);
    }
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
  const JsonFields f{body, source};
  c.n_layers = require(f, "num_hidden_layers", limits::kMaxLayers);
  c.n_embd = require(f, "hidden_size", kWidth);
  c.n_ff = require(f, "intermediate_size", kWidth);
  c.n_heads = f.integer("num_attention_heads", 8, 1, kWidth);
  c.n_kv_heads = f.integer("num_key_value_heads", c.family == &kGemma3 ? 4 : c.n_heads, 1, kWidth);
  c.head_dim = f.integer("head_dim", c.family == &kGemma3 ? 256 : std::max<int64_t>(1, c.n_embd / c.n_heads), 1, kWidth);
  c.n_vocab = f.integer("vocab_size", 0, 0, static_cast<int64_t>(limits::kMaxVocab));
  c.n_ctx_train = f.integer("max_position_embeddings", c.family == &kGemma3 ? 131072 : 2048, 1, kContext);
  c.norm_eps = static_cast<float>(f.number("rms_norm_eps", c.family == &kLlama ? 1e-6 : c.family->default_norm_eps));
  c.rope.base = f.number("rope_theta", c.family->default_rope_base);
  c.rope.n_rot = c.head_dim;
  c.rope.layout = RopeLayout::kHalves;
  c.rope.original_context = c.n_ctx_train;
  read_windows(f, c);
  read_rope_scaling(f, c);
  c.logit_softcap = f.number("final_logit_softcapping", 0);
  c.attention_softcap = f.number("attn_logit_softcapping", 0);
  if (f.has("query_pre_attn_scalar")) c.attention_scale = 1 / std::sqrt(f.number("query_pre_attn_scalar", 1));
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

Json config_to_hf(const ModelConfig& c) {
  Json j = {
      {"architectures", {std::string(c.family->hf_architecture)}},
      {"model_type", std::string(c.family->hf_model_type)},
      {"hidden_size", c.n_embd},
      {"intermediate_size", c.n_ff},
      {"num_hidden_layers", c.n_layers},
      {"num_attention_heads", c.n_heads},
      {"num_key_value_heads", c.n_kv_heads},
      {"head_dim", c.head_dim},
      {"vocab_size", c.n_vocab},
      {"max_position_embeddings", c.n_ctx_train},
      {"rms_norm_eps", c.norm_eps},
      {"rope_theta", c.rope.base},
      {"attention_bias", false},
  };
  if (c.family->activation == UnaryFn::kSilu) {
    j["hidden_act"] = "silu";
  } else {
    j["hidden_activation"] = "gelu_pytorch_tanh";
  }
  const RopeConfig& r = c.rope;
  switch (r.scaling) {
    case RopeScaling::kNone: break;
    case RopeScaling::kLinear: j["rope_scaling"] = {{"rope_type", "linear"}, {"factor", r.factor}}; break;
    case RopeScaling::kDynamic:
      j["rope_scaling"] = {{"rope_type", "dynamic"}, {"factor", r.factor}, {"original_max_position_embeddings", r.original_context}};
      break;
    case RopeScaling::kLlama3:
      j["rope_scaling"] = {{"rope_type", "llama3"}, {"factor", r.factor}, {"low_freq_factor", r.low_freq},
                           {"high_freq_factor", r.high_freq}, {"original_max_position_embeddings", r.original_context}};
      break;
    case RopeScaling::kYarn:
      j["rope_scaling"] = {{"rope_type", "yarn"}, {"factor", r.factor}, {"beta_fast", r.beta_fast}, {"beta_slow", r.beta_slow},
                           {"original_max_position_embeddings", r.original_context}};
      if (r.attention_factor > 0) j["rope_scaling"]["attention_factor"] = r.attention_factor;
      break;
  }
  if (c.sliding_window > 0) {
    j["sliding_window"] = c.sliding_window;
    j["sliding_window_pattern"] = c.window_pattern;
    j["rope_local_base_freq"] = c.local_rope_base;
    Json types = Json::array();
    for (int64_t i = 0; i < c.n_layers; ++i) types.push_back(c.is_local(i) ? "sliding_attention" : "full_attention");
    j["layer_types"] = types;
  }
  if (c.attention_scale > 0) {
    j["query_pre_attn_scalar"] = std::round(1 / (c.attention_scale * c.attention_scale));
  } else if (c.family == &kGemma3) {
    j["query_pre_attn_scalar"] = c.head_dim;
  }
  if (c.logit_softcap > 0) j["final_logit_softcapping"] = c.logit_softcap;
  if (c.attention_softcap > 0) j["attn_logit_softcapping"] = c.attention_softcap;
  return j;
}

}  // namespace minnow
