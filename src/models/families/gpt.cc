// GPT-2 (Radford et al. 2019), GPT-NeoX and Pythia (Black et al. 2022; Biderman et al. 2023), StableLM 2 (Bellagente et
// al. 2024), OLMo 2 (OLMo Team 2024).
#include "models/family.h"

namespace minnow {
namespace {

constexpr std::string_view kGpt2Hf[] = {"GPT2LMHeadModel"};
constexpr std::string_view kGptNeoXHf[] = {"GPTNeoXForCausalLM"};
constexpr std::string_view kStableLMHf[] = {"StableLmForCausalLM", "StableLMEpochForCausalLM"};
constexpr std::string_view kOlmo2Hf[] = {"Olmo2ForCausalLM"};
constexpr std::string_view kOlmo3Hf[] = {"Olmo3ForCausalLM"};

constexpr TensorName kGpt2Names[] = {
    {"token_embd", "transformer.wte"},
    {"position_embd", "transformer.wpe"},
    {"output_norm", "transformer.ln_f"},
    {"blk.{}.attn_norm", "transformer.h.{}.ln_1"},
    {"blk.{}.attn_qkv", "transformer.h.{}.attn.c_attn"},
    {"blk.{}.attn_output", "transformer.h.{}.attn.c_proj"},
    {"blk.{}.ffn_norm", "transformer.h.{}.ln_2"},
    {"blk.{}.ffn_up", "transformer.h.{}.mlp.c_fc"},
    {"blk.{}.ffn_down", "transformer.h.{}.mlp.c_proj"},
};
constexpr LayoutRule kGpt2Layouts[] = {
    {"blk.{}.attn_qkv.weight", HfLayout::kTransposed},
    {"blk.{}.attn_output.weight", HfLayout::kTransposed},
    {"blk.{}.ffn_up.weight", HfLayout::kTransposed},
    {"blk.{}.ffn_down.weight", HfLayout::kTransposed},
};

constexpr KeyName kGpt2Keys[] = {
    {"hidden_size", "n_embd"},           {"num_hidden_layers", "n_layer"},          {"num_attention_heads", "n_head"},
    {"intermediate_size", "n_inner"},    {"max_position_embeddings", "n_positions"}, {"norm_eps", "layer_norm_epsilon"},
    {"hidden_act", "activation_function"},
};

constexpr TensorName kGptNeoXNames[] = {
    {"token_embd", "gpt_neox.embed_in"},
    {"output_norm", "gpt_neox.final_layer_norm"},
    {"output", "embed_out"},
    {"blk.{}.attn_norm", "gpt_neox.layers.{}.input_layernorm"},
    {"blk.{}.attn_qkv", "gpt_neox.layers.{}.attention.query_key_value"},
    {"blk.{}.attn_output", "gpt_neox.layers.{}.attention.dense"},
    {"blk.{}.ffn_norm", "gpt_neox.layers.{}.post_attention_layernorm"},
    {"blk.{}.ffn_up", "gpt_neox.layers.{}.mlp.dense_h_to_4h"},
    {"blk.{}.ffn_down", "gpt_neox.layers.{}.mlp.dense_4h_to_h"},
};
constexpr LayoutRule kGptNeoXLayouts[] = {
    {"blk.{}.attn_qkv.weight", HfLayout::kHeadsInterleaved},
    {"blk.{}.attn_qkv.bias", HfLayout::kHeadsInterleaved},
};

constexpr KeyName kGptNeoXKeys[] = {{"rope_theta", "rotary_emb_base"}, {"partial_rotary_factor", "rotary_pct"}};

constexpr TensorName kStableLMNames[] = {  // one norm for each head, in some sizes
    {"blk.{}.attn_q_norm", "model.layers.{}.self_attn.q_layernorm.norms.{}"},
    {"blk.{}.attn_k_norm", "model.layers.{}.self_attn.k_layernorm.norms.{}"},
};

constexpr TensorName kOlmo2Names[] = {
    {"blk.{}.post_attention_norm", "model.layers.{}.post_attention_layernorm"},
    {"blk.{}.post_ffw_norm", "model.layers.{}.post_feedforward_layernorm"},
};

}  // namespace

const Family kGpt2 = {
    .gguf_name = "gpt2",
    .hf_architectures = kGpt2Hf,
    .hf_model_type = "gpt2",
    .models = "GPT-2, DistilGPT-2",
    .positions = PositionKind::kLearned,
    .norm = NormKind::kLayer,
    .gated = false,
    .activation = UnaryFn::kGeluTanh,
    .names = kGpt2Names,
    .layouts = kGpt2Layouts,
    .hf_keys = kGpt2Keys,
};

const Family kGptNeoX = {
    .gguf_name = "gptneox",
    .hf_architectures = kGptNeoXHf,
    .hf_model_type = "gpt_neox",
    .models = "Pythia, GPT-NeoX",
    .norm = NormKind::kLayer,
    .form = BlockForm::kParallel,
    .gated = false,
    .activation = UnaryFn::kGelu,
    .default_rotary_part = 0.25,
    .names = kGptNeoXNames,
    .layouts = kGptNeoXLayouts,
    .hf_keys = kGptNeoXKeys,
};

const Family kStableLM = {
    .gguf_name = "stablelm",
    .hf_architectures = kStableLMHf,
    .hf_model_type = "stablelm",
    .models = "StableLM 3B, StableLM 2, Stable Code",
    .norm = NormKind::kLayer,
    .default_rotary_part = 0.25,
    .names = kStableLMNames,
};

// The result of each part is normalised, its input is not; queries and keys over all heads.
const Family kOlmo2 = {
    .gguf_name = "olmo2",
    .hf_architectures = kOlmo2Hf,
    .hf_model_type = "olmo2",
    .models = "OLMo 2",
    .form = BlockForm::kPostNorm,
    .qk_norm = QkNorm::kWhole,
    .default_rope_base = 500000,
    .names = kOlmo2Names,
};

// Three layers with a window for each one without (OLMo Team 2025).
const Family kOlmo3 = {
    .gguf_name = "olmo2",
    .hf_architectures = kOlmo3Hf,
    .hf_model_type = "olmo3",
    .models = "OLMo 3",
    .form = BlockForm::kPostNorm,
    .qk_norm = QkNorm::kWhole,
    .window_pattern = 4,
    .plain_local_rope = true,
    .default_rope_base = 500000,
    .hf_window = true,
    .names = kOlmo2Names,
};

}  // namespace minnow
