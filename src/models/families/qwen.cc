// Qwen2 and 2.5 (Yang et al. 2024) and Qwen3 (Yang et al. 2025), dense and mixture of experts.
#include "models/family.h"

namespace minnow {
namespace {

constexpr std::string_view kQwen2Hf[] = {"Qwen2ForCausalLM", "Qwen2Model"};
constexpr std::string_view kQwen3Hf[] = {"Qwen3ForCausalLM", "Qwen3Model", "Qwen3ForSequenceClassification"};
constexpr std::string_view kQwen3MoeHf[] = {"Qwen3MoeForCausalLM"};

constexpr TensorName kMoeNames[] = {
    {"blk.{}.ffn_gate_inp", "model.layers.{}.mlp.gate"},
    {"blk.{}.ffn_gate_exps", "model.layers.{}.mlp.experts.{}.gate_proj"},
    {"blk.{}.ffn_up_exps", "model.layers.{}.mlp.experts.{}.up_proj"},
    {"blk.{}.ffn_down_exps", "model.layers.{}.mlp.experts.{}.down_proj"},
};

}  // namespace

const Family kQwen2 = {
    .gguf_name = "qwen2",
    .hf_architectures = kQwen2Hf,
    .hf_model_type = "qwen2",
    .models = "Qwen2, Qwen2.5, QwQ, DeepSeek R1 distillations of Qwen",
    .default_rope_base = 10000,
    .default_norm_eps = 1e-6,
};

const Family kQwen3 = {
    .gguf_name = "qwen3",
    .hf_architectures = kQwen3Hf,
    .hf_model_type = "qwen3",
    .models = "Qwen3 dense, Qwen3-Embedding, Qwen3-Reranker",
    .qk_norm = QkNorm::kHead,
    .default_rope_base = 1e6,
    .default_norm_eps = 1e-6,
};

const Family kQwen3Moe = {
    .gguf_name = "qwen3moe",
    .hf_architectures = kQwen3MoeHf,
    .hf_model_type = "qwen3_moe",
    .models = "Qwen3 mixture of experts (30B-A3B)",
    .qk_norm = QkNorm::kHead,
    .default_rope_base = 1e6,
    .default_norm_eps = 1e-6,
    .normalized_experts = true,
    .names = kMoeNames,
};

}  // namespace minnow
