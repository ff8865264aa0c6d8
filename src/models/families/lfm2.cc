// LFM2 (Liquid AI 2025): most layers mix tokens with a gated convolution over three positions, some with attention.
#include "models/family.h"

namespace minnow {
namespace {

constexpr std::string_view kHf[] = {"Lfm2ForCausalLM"};

constexpr TensorName kNames[] = {
    {"token_embd_norm", "model.embedding_norm"},  // in spite of its name, the last norm
    {"blk.{}.attn_norm", "model.layers.{}.operator_norm"},
    {"blk.{}.attn_output", "model.layers.{}.self_attn.out_proj"},
    {"blk.{}.attn_q_norm", "model.layers.{}.self_attn.q_layernorm"},
    {"blk.{}.attn_k_norm", "model.layers.{}.self_attn.k_layernorm"},
    {"blk.{}.shortconv.conv", "model.layers.{}.conv.conv"},
    {"blk.{}.shortconv.in_proj", "model.layers.{}.conv.in_proj"},
    {"blk.{}.shortconv.out_proj", "model.layers.{}.conv.out_proj"},
    {"blk.{}.ffn_norm", "model.layers.{}.ffn_norm"},
    {"blk.{}.ffn_gate", "model.layers.{}.feed_forward.w1"},
    {"blk.{}.ffn_up", "model.layers.{}.feed_forward.w3"},
    {"blk.{}.ffn_down", "model.layers.{}.feed_forward.w2"},
};
constexpr LayoutRule kLayouts[] = {{"blk.{}.shortconv.conv.weight", HfLayout::kConvChannel}};

constexpr KeyName kKeys[] = {{"norm_eps", "norm_eps"}};

}  // namespace

const Family kLfm2 = {
    .gguf_name = "lfm2",
    .hf_architectures = kHf,
    .hf_model_type = "lfm2",
    .models = "LFM2 dense (350M to 2.6B)",
    .qk_norm = QkNorm::kHead,
    .default_rope_base = 1e6,
    .names = kNames,
    .layouts = kLayouts,
    .hf_keys = kKeys,
};

}  // namespace minnow
