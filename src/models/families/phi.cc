// Phi-2 (Javaheripi and Bubeck 2023); Phi-3, 3.5 and 4 (Abdin et al. 2024).
#include "models/family.h"

namespace minnow {
namespace {

constexpr std::string_view kPhi2Hf[] = {"PhiForCausalLM"};
constexpr std::string_view kPhi3Hf[] = {"Phi3ForCausalLM"};

constexpr TensorName kPhi2Names[] = {
    {"output_norm", "model.final_layernorm"},
    {"blk.{}.attn_output", "model.layers.{}.self_attn.dense"},
    {"blk.{}.ffn_up", "model.layers.{}.mlp.fc1"},
    {"blk.{}.ffn_down", "model.layers.{}.mlp.fc2"},
};

constexpr TensorName kPhi3Names[] = {
    {"blk.{}.attn_qkv", "model.layers.{}.self_attn.qkv_proj"},
    {"blk.{}.ffn_up", "model.layers.{}.mlp.gate_up_proj"},  // gate, then up
};

}  // namespace

// One norm for attention and the feed-forward part, which run side by side.
const Family kPhi2 = {
    .gguf_name = "phi2",
    .hf_architectures = kPhi2Hf,
    .hf_model_type = "phi",
    .models = "Phi-1, Phi-1.5, Phi-2",
    .norm = NormKind::kLayer,
    .form = BlockForm::kParallel,
    .gated = false,
    .activation = UnaryFn::kGeluTanh,
    .default_rotary_part = 0.5,
    .names = kPhi2Names,
};

const Family kPhi3 = {
    .gguf_name = "phi3",
    .hf_architectures = kPhi3Hf,
    .hf_model_type = "phi3",
    .models = "Phi-3, Phi-3.5, Phi-4, Phi-4-mini",
    .hf_window = true,
    .names = kPhi3Names,
};

}  // namespace minnow
