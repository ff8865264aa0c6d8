// Gemma 1 to 3, text part (Gemma Team 2024, 2024, 2025).
#include "models/family.h"

namespace minnow {
namespace {

constexpr std::string_view kGemmaHf[] = {"GemmaForCausalLM"};
constexpr std::string_view kGemma2Hf[] = {"Gemma2ForCausalLM"};
constexpr std::string_view kGemma3Hf[] = {"Gemma3ForCausalLM", "Gemma3ForConditionalGeneration"};

constexpr TensorName kSandwichNames[] = {
    {"blk.{}.post_attention_norm", "model.layers.{}.post_attention_layernorm"},
    {"blk.{}.ffn_norm", "model.layers.{}.pre_feedforward_layernorm"},
    {"blk.{}.post_ffw_norm", "model.layers.{}.post_feedforward_layernorm"},
};

}  // namespace

const Family kGemma = {
    .gguf_name = "gemma",
    .hf_architectures = kGemmaHf,
    .hf_model_type = "gemma",
    .models = "Gemma 1, CodeGemma",
    .scaled_embeddings = true,
    .hf_norm_minus_one = true,
    .activation = UnaryFn::kGeluTanh,
    .default_norm_eps = 1e-6,
};

// Every other layer has a window, the first one does; scores and logits are capped.
const Family kGemma2 = {
    .gguf_name = "gemma2",
    .hf_architectures = kGemma2Hf,
    .hf_model_type = "gemma2",
    .models = "Gemma 2",
    .form = BlockForm::kSandwich,
    .scaled_embeddings = true,
    .hf_norm_minus_one = true,
    .activation = UnaryFn::kGeluTanh,
    .window_pattern = 2,
    .default_logit_softcap = 30,
    .default_attention_softcap = 50,
    .default_norm_eps = 1e-6,
    .hf_window = true,
    .names = kSandwichNames,
};

// Five sliding-window layers for each global one, with a rope base of their own.
const Family kGemma3 = {
    .gguf_name = "gemma3",
    .hf_architectures = kGemma3Hf,
    .hf_model_type = "gemma3_text",
    .models = "Gemma 3 (text part)",
    .form = BlockForm::kSandwich,
    .qk_norm = QkNorm::kHead,
    .scaled_embeddings = true,
    .hf_norm_minus_one = true,
    .activation = UnaryFn::kGeluTanh,
    .window_pattern = 6,
    .local_rope_base = 10000,
    .default_rope_base = 1e6,
    .default_norm_eps = 1e-6,
    .hf_window = true,
    .names = kSandwichNames,
};

}  // namespace minnow
