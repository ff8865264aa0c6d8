// A pass for models that will be quantized after training: operations read the values that weights will have then.
#pragma once

#include <functional>
#include <optional>

#include "graph/graph.h"

namespace minnow {

struct RoundedWeight {
  Tensor values;             // f32, of the weight's shape; becomes Node::rounded
  int32_t input_block = 0;   // of kRoundInput before products with the weight: 32 or 256; 0: they see their input as it is
};

// The same graph with the weights rounded that `rounded_of` gives something for. Throws kInvalidInput naming the weight when
// shapes differ.
Graph add_rounding(const Graph& graph, const std::function<std::optional<RoundedWeight>(const Node& weight)>& rounded_of);

}  // namespace minnow
