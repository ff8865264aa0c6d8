// Matrices in other types, in memory.
#pragma once

#include <string>

#include "models/model.h"

namespace minnow {

// The tensor in another type, by all cores. Throws as models/outgoing.h's produce does, naming the tensor.
Tensor retyped(const std::string& name, const Tensor& tensor, DType type);

struct RetypeReport {
  int n_changed = 0, n_fallback = 0;  // fallback: to Q8_0, for rows that are not whole blocks of the type
  int n_kept = 0;                     // nor of Q8_0
};
// The matrices of the layers that tokens are multiplied with, in `type`: a frozen base of adapters. Embeddings and the output
// projection stay, and so do experts and what is quantized already. Throws kUsage for types that cannot be encoded.
RetypeReport retype_layers(Model& model, DType type);

}  // namespace minnow
