// Gemma 3, text part (Gemma Team 2025): five sliding-window layers for each global one, with a rope base of their own.
#include "models/family.h"

namespace minnow {
namespace {

constexpr TensorName kNames[] = {
    {"blk.{}.post_attention_norm", "model.layers.{}.post_attention_layernorm"},
    {"blk.{}.ffn_norm", "model.layers.{}.pre_feedforward_layernorm"},
    {"blk.{}.post_ffw_norm", "model.layers.{}.post_feedforward_layernorm"},
};

}  // namespace

const Family kGemma3 = {
    .gguf_name = "gemma3",
    .hf_architecture = "Gemma3ForCausalLM",
    .hf_model_type = "gemma3_text",
    .qk_norm = true,
    .post_norms = true,
    .scaled_embeddings = true,
    .hf_norm_minus_one = true,
    .activation = UnaryFn::kGeluTanh,
    .window_pattern = 6,
    .local_rope_base = 10000,
    .default_rope_base = 1e6,
    .default_norm_eps = 1e-6,
    .names = kNames,
};

}  // namespace minnow
