// Low-rank adapters (Hu et al. 2021): small trained matrices beside frozen ones.
#pragma once

#include <functional>
#include <optional>

#include "graph/graph.h"

namespace minnow {

// For a tensor [N, K] of the model; N are all its rows, also where products use a part of them.
struct LoraWeights {
  Tensor a;           // [r, K]
  Tensor b;           // [N, r]
  float scale = 1;    // alpha / r, or alpha / sqrt(r)
  float dropout = 0;  // of x on its way to A, while training
};

// Every product y = x W^T whose weight has an adapter becomes y + scale * (dropout(x) A^T) B^T. The callback is asked once for each
// name of a weight that is multiplied (experts are not). A and B are weights named "<name of W>.lora_a" and ".lora_b"; parts
// of one tensor (fused projections) share A, and have their rows of B. Throws kInvalidInput naming the weight when shapes do
// not fit.
Graph add_lora(const Graph& graph, const std::function<std::optional<LoraWeights>(const Node& weight)>& adapter_of);

}  // namespace minnow
