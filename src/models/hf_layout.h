// Tensors as Hugging Face stores them to tensors as GGUF does, and back, where more than the name differs.
#pragma once

#include <string>
#include <vector>

#include "models/config.h"
#include "tensor/tensor.h"

namespace minnow {

// A tensor of a Hugging Face checkpoint in GGUF's layout: transposed, reordered, one added to norm weights, the first
// position rows of RoBERTa left out. `name` is its GGUF name. What needs no change stays a view.
// Throws kInvalidInput naming the tensor when its shape does not fit, kUnsupported for quantized tensors.
Tensor from_hf_layout(const ModelConfig& config, const std::string& name, const Tensor& tensor);

// The other way. Norm weights are left to the writer, which knows the type to store (see save.cc).
Tensor to_hf_layout(const ModelConfig& config, const std::string& name, const Tensor& tensor);

// Of queries and keys: for each row of the wanted order of rotary pairs the row of the other order; empty for all other tensors.
std::vector<int64_t> rope_row_order(const ModelConfig& config, const std::string& name, int64_t n_rows, RopeLayout wanted);

}  // namespace minnow
