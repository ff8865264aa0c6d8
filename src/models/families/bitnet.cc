// BitNet b1.58 (Ma et al. 2024, 2025): ternary weights, a norm before each projection back to the residual stream.
#include "models/family.h"

namespace minnow {
namespace {

constexpr std::string_view kBitnetOldHf[] = {"BitnetForCausalLM"};
constexpr std::string_view kBitnetHf[] = {"BitNetForCausalLM"};

constexpr TensorName kOldNames[] = {
    {"blk.{}.attn_sub_norm", "model.layers.{}.self_attn.inner_attn_ln"},
    {"blk.{}.ffn_sub_norm", "model.layers.{}.mlp.ffn_layernorm"},
};
constexpr TensorName kNames[] = {
    {"blk.{}.attn_sub_norm", "model.layers.{}.self_attn.attn_sub_norm"},
    {"blk.{}.ffn_sub_norm", "model.layers.{}.mlp.ffn_sub_norm"},
};

}  // namespace

// The reproductions of 2024, with SiLU.
const Family kBitnet = {
    .gguf_name = "bitnet",
    .hf_architectures = kBitnetOldHf,
    .hf_model_type = "llama",  // as its own configuration class says
    .models = "bitnet_b1_58 0.7B to 3B",
    .sub_norms = true,
    .names = kOldNames,
};

// The release of 2025, with squared ReLU.
const Family kBitnetB158 = {
    .gguf_name = "bitnet-b1.58",
    .hf_architectures = kBitnetHf,
    .hf_model_type = "bitnet",
    .models = "BitNet b1.58 2B4T",
    .sub_norms = true,
    .activation = UnaryFn::kReluSquared,
    .default_rope_base = 500000,
    .names = kNames,
};

}  // namespace minnow
