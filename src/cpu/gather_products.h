// Which products of a training graph are computed side by side.
#pragma once

#include <vector>

#include "graph/differentiate.h"

namespace minnow {

struct GatheredProducts {
  TrainingGraph training;  // the same operations in another order
  // By node: of sums of several kMatMulGrad, the last kAdd, with the products in the order of the sum; else empty.
  std::vector<std::vector<NodeId>> sums;
  std::vector<bool> within_sum;  // by node: products and inner sums of such a sum, which need not be computed
};

// Products that read the same are brought together: gradients of weights with one x (those of queries, keys and values),
// and products whose results are only added up (their gradients with respect to x). So operands are packed once, and sums
// are taken within the products.
GatheredProducts gather_products(const TrainingGraph& training);

}  // namespace minnow
