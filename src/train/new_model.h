// A model that has learned nothing yet.
#pragma once

#include <cstdint>
#include <string>

#include "models/model.h"

namespace minnow {

struct NewModelShape {
  const Family* family = &kLlama;
  std::string name;
  int64_t n_layers = 6, n_embd = 288, n_heads = 6, n_kv_heads = 0, n_ff = 0, n_ctx = 256;  // 0: n_heads; 8/3 n_embd, to 32
  double rope_base = 0;         // 0: 10,000, and with heads that copy 1,000,000
  bool tied = true;            // the output projection is the embedding
  bool copying_heads = false;  // the model begins with heads that copy (train/copying_heads.h); a qwen2 that is not tied
};

// Matrices are normal with a deviation of 0.02, those that add to the residual stream of 0.02 / sqrt(2 n_layers); norms are 1
// (GPT-2's recipe). An embedding that is not the output projection has a deviation of 1, so that what layers add early does not
// drown which token it was, and the projection begins as 0.02 times the embedding. The vocabulary is the tokenizer's. Throws kUsage for
// shapes that do not fit together and kUnsupported for families with more than norms, attention and a gated feed-forward part.
Model new_model(const NewModelShape& shape, TokenizerSpec tokenizer, uint64_t seed);

// Every tensor as f32 in memory of its own that may be written to: what training needs of a model from a file.
void own_weights(Model& model);

}  // namespace minnow
