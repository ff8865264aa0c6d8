// Folders of static embeddings: model2vec's own form and sentence-transformers'.
#pragma once

#include <filesystem>

#include "models/model.h"

namespace minnow {

// By its config.json ("model2vec"), or config_sentence_transformers.json without a config.json.
bool is_static_model(const std::filesystem::path& folder);

// Reads tensors "embeddings" (or "embedding.weight", "0") [rows, D] of F32, F16 or I8 and, where there are any, "mapping"
// (token to row) and "weights" (one factor per token) into token_embd.weight [tokens, D] and the config.
// Throws kInvalidInput naming the tensor.
void load_static_model(Model& model, const std::filesystem::path& folder);

}  // namespace minnow
