// Qwen3, dense sizes (Yang et al. 2025).
#include "models/family.h"

namespace minnow {

const Family kQwen3 = {
    .gguf_name = "qwen3",
    .hf_architecture = "Qwen3ForCausalLM",
    .hf_model_type = "qwen3",
    .qk_norm = true,
    .default_rope_base = 1e6,
    .default_norm_eps = 1e-6,
};

}  // namespace minnow
