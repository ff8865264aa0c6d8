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
  // DoRA (Liu et al. 2024): the rows of W + scale B A get these norms. [N]; empty: they stay as they are.
  Tensor magnitude = {};
  // The same when nothing changes any more: what the rows of W + scale B A are multiplied by. Instead of magnitude.
  Tensor gain = {};
};

// Every product y = x W^T whose weight has an adapter becomes y + scale * (dropout(x) A^T) B^T. The callback is asked once for each
// name of a weight that is multiplied (experts are not). A, B and magnitude are weights named "<name of W>.lora_a", ".lora_b" and
// ".lora_magnitude"; parts of one tensor (fused projections) share A, and have their rows of the others. Throws kInvalidInput
// naming the weight when shapes do not fit.
Graph add_lora(const Graph& graph, const std::function<std::optional<LoraWeights>(const Node& weight)>& adapter_of);

}  // namespace minnow
