// Static embeddings (model2vec, Tulkens and van Dongen 2024): one vector per token, averaged. No layers at all.
#include "models/family.h"

namespace minnow {
namespace {

constexpr std::string_view kHf[] = {"StaticModel"};

}  // namespace

const Family kStatic = {
    .gguf_name = "model2vec",
    .hf_architectures = kHf,
    .hf_model_type = "model2vec",
    .models = "model2vec and sentence-transformers' static embeddings",
    .causal = false,
    .converts = false,
    .output_norm = false,
    .bare_words = true,
};

}  // namespace minnow
