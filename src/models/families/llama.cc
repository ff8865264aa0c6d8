// Llama 1 to 3.x and what follows its layout (TinyLlama, SmolLM2, Mistral without a window).
// Touvron et al. 2023; Grattafiori et al. 2024.
#include "models/family.h"

namespace minnow {

const Family kLlama = {
    .gguf_name = "llama",
    .hf_architecture = "LlamaForCausalLM",
    .hf_model_type = "llama",
    .gguf_rope_layout = RopeLayout::kInterleaved,
};

}  // namespace minnow
