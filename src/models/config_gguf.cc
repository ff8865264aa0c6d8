// Model numbers to and from GGUF metadata; key names as in ggml's docs/gguf.md.
#include <cmath>

#include "base/error.h"
#include "base/limits.h"
#include "models/config.h"
#include "models/config_check.h"
#include "models/family.h"

namespace minnow {
namespace {

RopeScaling scaling_from_gguf(const GgufMetadata& m, const std::string& prefix) {
  const std::string type = m.text(prefix + "rope.scaling.type", "none");
  if (type == "none") return RopeScaling::kNone;
  if (type == "linear") return RopeScaling::kLinear;
  if (type == "yarn") return RopeScaling::kYarn;
  fail(ErrorCode::kUnsupported, "{}: rope scaling \"{}\" is not supported", m.source(), type);
}

RopeConfig rope_from_gguf(const GgufMetadata& m, const std::string& prefix, const ModelConfig& c) {
  RopeConfig r;
  r.layout = c.family->gguf_rope_layout;
  r.base = m.number(prefix + "rope.freq_base", c.family->default_rope_base);
  r.n_rot = static_cast<int64_t>(m.integer(prefix + "rope.dimension_count", static_cast<uint64_t>(c.head_dim), 2,
                                           static_cast<uint64_t>(c.head_dim)));
  r.scaling = scaling_from_gguf(m, prefix);
  // Old files say "scale_linear" and no type.
  r.factor = m.number(prefix + "rope.scaling.factor", m.number(prefix + "rope.scale_linear", 1));
  if (r.scaling == RopeScaling::kNone && r.factor != 1 && !m.has(prefix + "rope.scaling.type")) r.scaling = RopeScaling::kLinear;
  r.original_context = static_cast<int64_t>(m.integer(prefix + "rope.scaling.original_context_length",
                                                      static_cast<uint64_t>(c.n_ctx_train), 1, limits::kMaxContext));
  if (r.scaling == RopeScaling::kYarn) {
    r.beta_fast = m.number(prefix + "rope.scaling.yarn_beta_fast", r.beta_fast);
    r.beta_slow = m.number(prefix + "rope.scaling.yarn_beta_slow", r.beta_slow);
    const double attn = m.number(prefix + "rope.scaling.attn_factor", 1);
    r.attention_factor = attn * (1 + 0.1 * std::log(r.factor));
  }
  return r;
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
  const std::string p = architecture + ".";
  const auto width = [&](const char* key) { return static_cast<int64_t>(m.require_integer(p + key, 1, limits::kMaxWidth)); };
  c.name = m.text("general.name", "");
  c.n_layers = static_cast<int64_t>(m.require_integer(p + "block_count", 1, limits::kMaxLayers));
  c.n_embd = width("embedding_length");
  c.n_ff = width("feed_forward_length");
  c.n_ctx_train = static_cast<int64_t>(m.require_integer(p + "context_length", 1, limits::kMaxContext));
  c.n_heads = width("attention.head_count");
  const auto optional = [&](const char* key, int64_t fallback) {
    return static_cast<int64_t>(m.integer(p + key, static_cast<uint64_t>(fallback), 1, limits::kMaxWidth));
  };
  c.n_kv_heads = optional("attention.head_count_kv", c.n_heads);
  c.head_dim = optional("attention.key_length", std::max<int64_t>(1, c.n_embd / c.n_heads));
  if (optional("attention.value_length", c.head_dim) != c.head_dim) {
    fail(ErrorCode::kUnsupported, "{}: value heads of another size than key heads are not supported", m.source());
  }
  c.n_vocab = static_cast<int64_t>(m.integer(p + "vocab_size", 0, 0, limits::kMaxVocab));
  c.norm_eps = static_cast<float>(m.number(p + "attention.layer_norm_rms_epsilon", c.family->default_norm_eps));
  c.rope = rope_from_gguf(m, p, c);
  if (c.family->window_pattern > 0) {
    c.sliding_window = static_cast<int64_t>(m.integer(p + "attention.sliding_window", 0, 0, limits::kMaxContext));
    c.window_pattern = c.family->window_pattern;
    c.local_rope_base = m.number(p + "rope.freq_base_swa", c.family->local_rope_base);
  }
  c.logit_softcap = m.number(p + "final_logit_softcapping", 0);
  c.attention_softcap = m.number(p + "attn_logit_softcapping", 0);
  c.attention_scale = m.number(p + "attention.scale", 0);
  // The one published Gemma 3 whose query scale does not follow from its head size (27B) is known by its depth.
  if (c.family == &kGemma3 && c.attention_scale == 0 && c.n_layers == 62) {
    c.attention_scale = 1 / std::sqrt(static_cast<double>(c.n_embd) / static_cast<double>(c.n_heads));
  }
  check_config(c, m.source());
  return c;
}

void config_to_gguf(const ModelConfig& c, GgufMetadata& m) {
  const std::string p = std::string(c.family->gguf_name) + ".";
  const auto u32 = [&](const std::string& key, int64_t value) { m.set(p + key, static_cast<uint32_t>(value)); };
  const auto f32 = [&](const std::string& key, double value) { m.set(p + key, static_cast<float>(value)); };
  m.set("general.architecture", std::string(c.family->gguf_name));
  if (!c.name.empty()) m.set("general.name", c.name);
  u32("block_count", c.n_layers);
  u32("context_length", c.n_ctx_train);
  u32("embedding_length", c.n_embd);
  u32("feed_forward_length", c.n_ff);
  u32("attention.head_count", c.n_heads);
  u32("attention.head_count_kv", c.n_kv_heads);
  f32("attention.layer_norm_rms_epsilon", c.norm_eps);
  u32("attention.key_length", c.head_dim);
  u32("attention.value_length", c.head_dim);
  if (c.n_vocab > 0) u32("vocab_size", c.n_vocab);
  f32("rope.freq_base", c.rope.base);
  u32("rope.dimension_count", c.rope.n_rot);
  if (c.rope.scaling == RopeScaling::kLinear || c.rope.scaling == RopeScaling::kYarn) {
    m.set(p + "rope.scaling.type", std::string(c.rope.scaling == RopeScaling::kLinear ? "linear" : "yarn"));
    f32("rope.scaling.factor", c.rope.factor);
    u32("rope.scaling.original_context_length", c.rope.original_context);
    if (c.rope.scaling == RopeScaling::kYarn && c.rope.attention_factor > 0) {
      f32("rope.scaling.attn_factor", c.rope.attention_factor / (1 + 0.1 * std::log(c.rope.factor)));
    }
  }
  if (c.sliding_window > 0) u32("attention.sliding_window", c.sliding_window);
  if (c.logit_softcap > 0) f32("final_logit_softcapping", c.logit_softcap);
  if (c.attention_softcap > 0) f32("attn_logit_softcapping", c.attention_softcap);
}

}  // namespace minnow
