// Llama 1 to 3.x and what follows its layout (Touvron et al. 2023; Grattafiori et al. 2024), with the families that
// differ from it in a fact or two.
#include "models/family.h"

namespace minnow {
namespace {

constexpr std::string_view kLlamaHf[] = {"LlamaForCausalLM"};
constexpr std::string_view kMistralHf[] = {"MistralForCausalLM"};
constexpr std::string_view kMinistralHf[] = {"MinistralForCausalLM"};
constexpr std::string_view kMistral3Hf[] = {"Ministral3ForCausalLM", "Mistral3ForConditionalGeneration"};
constexpr std::string_view kMixtralHf[] = {"MixtralForCausalLM"};
constexpr std::string_view kSmolLM3Hf[] = {"SmolLM3ForCausalLM"};
constexpr std::string_view kGraniteHf[] = {"GraniteForCausalLM"};

constexpr TensorName kMixtralNames[] = {
    {"blk.{}.ffn_gate_inp", "model.layers.{}.block_sparse_moe.gate"},
    {"blk.{}.ffn_gate_exps", "model.layers.{}.block_sparse_moe.experts.{}.w1"},
    {"blk.{}.ffn_up_exps", "model.layers.{}.block_sparse_moe.experts.{}.w3"},
    {"blk.{}.ffn_down_exps", "model.layers.{}.block_sparse_moe.experts.{}.w2"},
};

constexpr KeyName kMixtralKeys[] = {{"num_experts", "num_local_experts"}, {"moe_intermediate_size", "intermediate_size"}};

}  // namespace

const Family kLlama = {
    .gguf_name = "llama",
    .hf_architectures = kLlamaHf,
    .hf_model_type = "llama",
    .models = "Llama 1 to 3.3, TinyLlama, SmolLM 1 and 2, Yi, DeepSeek R1 distillations of Llama",
    .gguf_rope_layout = RopeLayout::kInterleaved,
};

// Sliding windows in every layer or in some (Jiang et al. 2023).
const Family kMistral = {
    .gguf_name = "llama",
    .hf_architectures = kMistralHf,
    .hf_model_type = "mistral",
    .models = "Mistral 7B, Nemo, Small",
    .gguf_rope_layout = RopeLayout::kInterleaved,
    .hf_window = true,
};

// Windows in some of the layers.
const Family kMinistral = {
    .gguf_name = "llama",
    .hf_architectures = kMinistralHf,
    .hf_model_type = "ministral",
    .models = "Ministral 2410",
    .gguf_rope_layout = RopeLayout::kInterleaved,
    .hf_window = true,
};

// Ministral 3: YaRN, and queries that grow with the position as in Llama 4.
const Family kMistral3 = {
    .gguf_name = "mistral3",
    .hf_architectures = kMistral3Hf,
    .hf_model_type = "ministral3",
    .models = "Ministral 3 (text part)",
    .gguf_rope_layout = RopeLayout::kInterleaved,
    .default_rope_base = 1e6,
    .hf_window = true,
};

// Jiang et al. 2024.
const Family kMixtral = {
    .gguf_name = "llama",
    .hf_architectures = kMixtralHf,
    .hf_model_type = "mixtral",
    .models = "Mixtral and other mixtures in its layout",
    .gguf_rope_layout = RopeLayout::kInterleaved,
    .default_rope_base = 1e6,
    .hf_window = true,
    .normalized_experts = true,
    .hf_normalizes_experts = true,
    .names = kMixtralNames,
    .hf_keys = kMixtralKeys,
};

// Three layers with rotary positions, one without (Yang et al. 2025, "RoPE to NoPE and back again").
const Family kSmolLM3 = {
    .gguf_name = "smollm3",
    .hf_architectures = kSmolLM3Hf,
    .hf_model_type = "smollm3",
    .models = "SmolLM3",
    .gguf_rope_layout = RopeLayout::kInterleaved,
    .nope_interval = 4,
    .default_rope_base = 2e6,
    .default_norm_eps = 1e-6,
};

// Multipliers on embeddings, residual branches, attention and logits (IBM Granite 3).
const Family kGranite = {
    .gguf_name = "granite",
    .hf_architectures = kGraniteHf,
    .hf_model_type = "granite",
    .models = "Granite 3.x dense",
    .gguf_rope_layout = RopeLayout::kInterleaved,
    .default_norm_eps = 1e-6,
};

}  // namespace minnow
