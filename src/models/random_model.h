// Models with random weights: stand-ins of any shape for tests and measurements.
#pragma once

#include "models/model.h"

namespace minnow {

struct RandomModelShape {
  const Family* family = nullptr;
  int64_t n_layers = 2, n_embd = 64, n_ff = 96, n_heads = 4, n_kv_heads = 2, head_dim = 32, n_vocab = 300;
  int64_t n_ctx = 512;
  int64_t sliding_window = 0;
  bool tied = true;
  DType dtype = DType::kF32;  // of the matrices: any that can be encoded
};

// Unit-variance weights scaled so that activations stay near one; the same seed gives the same model. Vocabulary: the
// SentencePiece form with all bytes, printable ASCII and made-up pieces after them (n_vocab of at least 300).
Model random_model(const RandomModelShape& shape, uint64_t seed);

}  // namespace minnow
