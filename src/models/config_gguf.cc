// Model numbers to and from GGUF metadata; key names as in ggml's docs/gguf.md and the converters of llama.cpp.
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/limits.h"
#include "models/config.h"
#include "models/config_check.h"
#include "models/family.h"

namespace minnow {
namespace {

// Of minnow alone: GGUF has no key for layers without rotary positions other than every n-th.
constexpr const char* kNopeLayers = "minnow.no_rope_layers";

// The keys of one architecture: "llama.block_count" is number("block_count").
struct Keys {
  const GgufMetadata& m;
  std::string prefix;

  bool has(const char* key) const { return m.has(prefix + key); }
  double number(const char* key, double fallback) const { return m.number(prefix + key, fallback); }
  int64_t integer(const char* key, int64_t fallback, uint64_t lo, uint64_t hi) const {
    return static_cast<int64_t>(m.integer(prefix + key, static_cast<uint64_t>(fallback), lo, hi));
  }
  int64_t require(const char* key, uint64_t hi) const { return static_cast<int64_t>(m.require_integer(prefix + key, 1, hi)); }

  bool is_array(const char* key) const {
    const GgufValue* v = m.find(prefix + key);
    return v != nullptr && (std::holds_alternative<std::vector<int32_t>>(*v) || std::holds_alternative<std::vector<uint32_t>>(*v));
  }
  // One number, or an array with one for every layer.
  std::vector<int64_t> per_layer(const char* key, int64_t n_layers, int64_t fallback) const {
    if (!is_array(key)) return std::vector<int64_t>(static_cast<std::size_t>(n_layers), integer(key, fallback, 0, limits::kMaxWidth));
    std::vector<int64_t> values = m.integers(prefix + key, 0, limits::kMaxWidth);
    if (static_cast<int64_t>(values.size()) != n_layers) {
      fail(ErrorCode::kInvalidInput, "{}: {}{} has {} values for {} layers", m.source(), prefix, key, values.size(), n_layers);
    }
    return values;
  }
  // The same, but all layers must agree.
  int64_t width(const char* key, int64_t n_layers) const {
    if (!is_array(key)) return require(key, limits::kMaxWidth);
    const std::vector<int64_t> values = per_layer(key, n_layers, 0);
    if (std::any_of(values.begin(), values.end(), [&](int64_t v) { return v != values[0]; }) || values[0] == 0) {
      fail(ErrorCode::kUnsupported, "{}: {}{} differs between layers, which is not supported", m.source(), prefix, key);
    }
    return values[0];
  }
};

RopeScaling scaling_from_gguf(const Keys& k) {
  const std::string type = k.m.text(k.prefix + "rope.scaling.type", "none");
  // Phi-3 files say only how much attention is scaled; their factors are tensors.
  if (type == "longrope" || (type == "none" && k.has("rope.scaling.attn_factor"))) return RopeScaling::kLongRope;
  if (type == "none") return RopeScaling::kNone;
  if (type == "linear") return RopeScaling::kLinear;
  if (type == "yarn") return RopeScaling::kYarn;
  fail(ErrorCode::kUnsupported, "{}: rope scaling \"{}\" is not supported", k.m.source(), type);
}

RopeConfig rope_from_gguf(const Keys& k, const ModelConfig& c) {
  RopeConfig r;
  r.layout = c.family->gguf_rope_layout;
  r.base = k.number("rope.freq_base", c.family->default_rope_base);
  r.n_rot = k.integer("rope.dimension_count", c.head_dim, 2, static_cast<uint64_t>(c.head_dim));
  r.scaling = scaling_from_gguf(k);
  // Old files say "scale_linear" and no type.
  r.factor = k.number("rope.scaling.factor", k.number("rope.scale_linear", 1));
  if (r.scaling == RopeScaling::kNone && r.factor != 1 && !k.has("rope.scaling.type")) r.scaling = RopeScaling::kLinear;
  r.original_context = k.integer("rope.scaling.original_context_length", c.n_ctx_train, 1, limits::kMaxContext);
  const double attention = k.number("rope.scaling.attn_factor", 1);
  if (r.scaling == RopeScaling::kYarn) {
    r.beta_fast = k.number("rope.scaling.yarn_beta_fast", r.beta_fast);
    r.beta_slow = k.number("rope.scaling.yarn_beta_slow", r.beta_slow);
    // With this key, the growth of attention is (1 + 0.1 m ln factor) over (1 + 0.1 ln factor): 1 for m = 1.
    const double growth = 1 + 0.1 * std::log(r.factor);
    const double m = k.number("rope.scaling.yarn_log_multiplier", 0);
    r.attention_factor = attention * (m != 0 ? growth / (1 + 0.1 * m * std::log(r.factor)) : growth);
  } else if (r.scaling == RopeScaling::kLongRope) {
    r.attention_factor = attention;
  }
  return r;
}

void read_windows(const Keys& k, ModelConfig& c) {
  c.sliding_window = k.integer("attention.sliding_window", 0, 0, limits::kMaxContext);
  if (c.sliding_window == 0) return;
  constexpr const char* kPattern = "attention.sliding_window_pattern";
  const GgufValue* pattern = k.m.find(k.prefix + kPattern);
  if (pattern != nullptr && std::holds_alternative<GgufBoolArray>(*pattern)) {
    const auto& values = std::get<GgufBoolArray>(*pattern).values;
    if (static_cast<int64_t>(values.size()) != c.n_layers) {
      fail(ErrorCode::kInvalidInput, "{}: {}{} has {} values for {} layers", k.m.source(), k.prefix, kPattern, values.size(), c.n_layers);
    }
    c.local_layers.assign(values.begin(), values.end());
  } else {
    c.local_layers = all_but_every_nth(c.n_layers, k.integer(kPattern, c.family->window_pattern, 0, limits::kMaxLayers));
  }
  c.local_rope_base = k.number("rope.freq_base_swa", c.family->plain_local_rope ? c.rope.base : c.family->local_rope_base);
}

void read_experts(const Keys& k, ModelConfig& c) {
  c.n_experts = k.integer("expert_count", 0, 0, limits::kMaxExperts);
  if (c.n_experts == 0) return;
  c.n_experts_used = k.require("expert_used_count", static_cast<uint64_t>(c.n_experts));
  c.n_ff_expert = k.integer("expert_feed_forward_length", c.n_ff, 1, limits::kMaxWidth);
  c.normalized_experts = k.m.boolean(k.prefix + "expert_weights_norm", c.family->normalized_experts);
  for (const char* key : {"expert_shared_count", "expert_shared_feed_forward_length", "leading_dense_block_count"}) {
    if (k.integer(key, 0, 0, limits::kMaxWidth) != 0) fail(ErrorCode::kUnsupported, "{}: {}{} is not supported", k.m.source(), k.prefix, key);
  }
}

// Families that share a GGUF name.
const Family* finer_family(const Keys& k, const Family* family) {
  if (family == &kLlama && k.integer("expert_count", 0, 0, limits::kMaxExperts) > 0) return &kMixtral;
  const bool window = k.integer("attention.sliding_window", 0, 0, limits::kMaxContext) > 0;
  if (family == &kLlama && window) return k.has("attention.sliding_window_pattern") ? &kMinistral : &kMistral;
  if (family == &kOlmo2 && window) return &kOlmo3;
  if (family == &kBertEncoder && k.m.text("tokenizer.ggml.model", "bert") != "bert") return &kRoberta;
  return family;
}

}  // namespace

ModelConfig config_from_gguf(const GgufMetadata& m) {
  ModelConfig c;
  const std::string architecture = m.require_text("general.architecture");
  c.family = family_from_gguf_name(architecture);
  if (c.family == nullptr) {
    throw Error(ErrorCode::kUnsupported, fmt::format("{}: architecture \"{}\" is not supported", m.source(), architecture),
                "minnow runs: " + family_names());
  }
  const Keys k{m, architecture + "."};
  c.family = finer_family(k, c.family);
  const Family& f = *c.family;
  c.name = m.text("general.name", "");
  c.n_layers = k.require("block_count", limits::kMaxLayers);
  c.n_embd = k.require("embedding_length", limits::kMaxWidth);
  c.n_ff = k.width("feed_forward_length", c.n_layers);
  c.n_ctx_train = k.require("context_length", limits::kMaxContext);
  c.n_heads = k.width("attention.head_count", c.n_layers);
  const std::vector<int64_t> kv_heads = k.per_layer("attention.head_count_kv", c.n_layers, c.n_heads);
  c.n_kv_heads = *std::max_element(kv_heads.begin(), kv_heads.end());
  if (std::any_of(kv_heads.begin(), kv_heads.end(), [](int64_t n) { return n == 0; })) {
    for (const int64_t n : kv_heads) c.conv_layers.push_back(n == 0);
    c.n_conv_taps = k.require("shortconv.l_cache", kMaxConvTaps);
  }
  c.head_dim = k.integer("attention.key_length", std::max<int64_t>(1, c.n_embd / c.n_heads), 1, limits::kMaxWidth);
  if (k.integer("attention.value_length", c.head_dim, 1, limits::kMaxWidth) != c.head_dim) {
    fail(ErrorCode::kUnsupported, "{}: value heads of another size than key heads are not supported", m.source());
  }
  c.n_vocab = k.integer("vocab_size", 0, 0, limits::kMaxVocab);
  c.norm_eps = static_cast<float>(k.number(f.norm == NormKind::kRms ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon",
                                           f.default_norm_eps));
  c.form = f.form;
  if (k.has("use_parallel_residual")) {
    c.form = m.boolean(k.prefix + "use_parallel_residual", false) ? BlockForm::kParallel : BlockForm::kPreNorm;
  }
  c.activation = f.activation;
  c.rope = rope_from_gguf(k, c);
  read_windows(k, c);
  read_experts(k, c);
  c.nope_layers = every_nth(c.n_layers, f.nope_interval);
  if (const GgufValue* v = m.find(kNopeLayers); v != nullptr && std::holds_alternative<GgufBoolArray>(*v)) {
    const auto& flags = std::get<GgufBoolArray>(*v).values;
    if (static_cast<int64_t>(flags.size()) != c.n_layers) fail(ErrorCode::kInvalidInput, "{}: {} has {} values for {} layers", m.source(), kNopeLayers, flags.size(), c.n_layers);
    c.nope_layers.assign(flags.begin(), flags.end());
  }
  c.logit_softcap = k.number("final_logit_softcapping", 0);
  c.attention_softcap = k.number("attn_logit_softcapping", 0);
  c.attention_scale = k.number("attention.scale", 0);
  c.embedding_scale = k.number("embedding_scale", 0);
  c.residual_scale = k.number("residual_scale", 1);
  c.logit_scale = k.number("logit_scale", 1);
  c.temperature_beta = k.number("attention.temperature_scale", 0);
  c.pooling = static_cast<Pooling>(k.integer("pooling_type", 0, 0, 4));
  // The published sizes whose query scale does not follow from their head size (27B) are known by their depth.
  if (c.attention_scale == 0 && ((c.family == &kGemma3 && c.n_layers == 62) || (c.family == &kGemma2 && c.n_layers == 46))) {
    c.attention_scale = 1 / std::sqrt(static_cast<double>(c.n_embd) / static_cast<double>(c.n_heads));
  }
  check_config(c, m.source());
  return c;
}

namespace {

void rope_to_gguf(const ModelConfig& c, const std::string& p, GgufMetadata& m) {
  const RopeConfig& r = c.rope;
  m.set(p + "rope.dimension_count", static_cast<uint32_t>(r.n_rot));
  m.set(p + "rope.freq_base", static_cast<float>(r.base));
  if (r.scaling == RopeScaling::kLinear || r.scaling == RopeScaling::kYarn) {
    m.set(p + "rope.scaling.type", std::string(r.scaling == RopeScaling::kLinear ? "linear" : "yarn"));
    m.set(p + "rope.scaling.factor", static_cast<float>(r.factor));
    m.set(p + "rope.scaling.original_context_length", static_cast<uint32_t>(r.original_context));
  }
  if (r.scaling == RopeScaling::kYarn) {
    if (r.attention_factor > 0) {
      m.set(p + "rope.scaling.attn_factor", static_cast<float>(r.attention_factor / (1 + 0.1 * std::log(r.factor))));
    }
    m.set(p + "rope.scaling.yarn_beta_fast", static_cast<float>(r.beta_fast));
    m.set(p + "rope.scaling.yarn_beta_slow", static_cast<float>(r.beta_slow));
  }
  if (r.scaling == RopeScaling::kLongRope) {
    m.set(p + "rope.scaling.attn_factor", static_cast<float>(r.attention_factor > 0 ? r.attention_factor : 1));
    m.set(p + "rope.scaling.original_context_length", static_cast<uint32_t>(r.original_context));
  }
}

}  // namespace

void config_to_gguf(const ModelConfig& c, GgufMetadata& m) {
  const Family& f = *c.family;
  const std::string p = std::string(f.gguf_name) + ".";
  const auto u32 = [&](const std::string& key, int64_t value) { m.set(p + key, static_cast<uint32_t>(value)); };
  const auto f32 = [&](const std::string& key, double value) { m.set(p + key, static_cast<float>(value)); };
  m.set("general.architecture", std::string(f.gguf_name));
  if (!c.name.empty()) m.set("general.name", c.name);
  u32("block_count", c.n_layers);
  u32("context_length", c.n_ctx_train);
  u32("embedding_length", c.n_embd);
  u32("feed_forward_length", c.n_ff);
  u32("attention.head_count", c.n_heads);
  if (c.conv_layers.empty()) {
    u32("attention.head_count_kv", c.n_kv_heads);
  } else {
    std::vector<int32_t> per_layer;
    for (const bool conv : c.conv_layers) per_layer.push_back(conv ? 0 : static_cast<int32_t>(c.n_kv_heads));
    m.set(p + "attention.head_count_kv", per_layer);
    u32("shortconv.l_cache", c.n_conv_taps);
  }
  f32(f.norm == NormKind::kRms ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon", c.norm_eps);
  u32("attention.key_length", c.head_dim);
  u32("attention.value_length", c.head_dim);
  if (c.n_vocab > 0) u32("vocab_size", c.n_vocab);
  if (f.positions == PositionKind::kRope) rope_to_gguf(c, p, m);
  if (f.form == BlockForm::kParallel || c.form == BlockForm::kParallel) m.set(p + "use_parallel_residual", c.form == BlockForm::kParallel);
  if (c.sliding_window > 0) {
    u32("attention.sliding_window", c.sliding_window);
    if (c.local_layers != all_but_every_nth(c.n_layers, f.window_pattern)) {
      m.set(p + "attention.sliding_window_pattern", GgufBoolArray{{c.local_layers.begin(), c.local_layers.end()}});
    }
  }
  const double usual_base = f.plain_local_rope ? c.rope.base : f.local_rope_base;
  if (c.sliding_window > 0 && c.local_rope_base != usual_base) f32("rope.freq_base_swa", c.local_rope_base);
  if (c.nope_layers != every_nth(c.n_layers, f.nope_interval)) {
    m.set(kNopeLayers, GgufBoolArray{{c.nope_layers.begin(), c.nope_layers.end()}});
  }
  if (c.n_experts > 0) {
    u32("expert_count", c.n_experts);
    u32("expert_used_count", c.n_experts_used);
    u32("expert_feed_forward_length", c.n_ff_expert);
    if (c.normalized_experts != f.normalized_experts) m.set(p + "expert_weights_norm", c.normalized_experts);
  }
  if (c.logit_softcap > 0) f32("final_logit_softcapping", c.logit_softcap);
  if (c.attention_softcap > 0) f32("attn_logit_softcapping", c.attention_softcap);
  if (c.attention_scale > 0) f32("attention.scale", c.attention_scale);
  if (c.embedding_scale > 0) f32("embedding_scale", c.embedding_scale);
  if (c.residual_scale != 1) f32("residual_scale", c.residual_scale);
  if (c.logit_scale != 1) f32("logit_scale", c.logit_scale);
  if (c.temperature_beta > 0) f32("attention.temperature_scale", c.temperature_beta);
  if (!f.causal) m.set(p + "attention.causal", false);
  if (c.pooling != Pooling::kNone) u32("pooling_type", static_cast<int64_t>(c.pooling));
}

}  // namespace minnow
