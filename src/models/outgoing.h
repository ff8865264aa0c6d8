// One tensor on its way out of a model: its rows in another order, its values shifted, in another type.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "formats/named_tensor.h"

namespace minnow {

struct Outgoing {
  Tensor tensor;
  Shape shape;
  DType dtype = DType::kF32;
  std::vector<int64_t> row_order;  // for each row of the result the row of the tensor; empty: as it is. Of a vector,
                                   // "rows" are its elements.
  float shift = 0;                 // added to every value
  std::string name;
  // Of each column (see encode_row), or of each column of each matrix of a stack; empty: unknown.
  std::span<const float> importance = {};
};

// Hands all bytes to the sink, in order. The pool's threads share the rows; the bytes do not depend on how many there are.
// Throws kInvalidInput, naming the tensor, for values that are not finite where a block format cannot express them, and
// for values past the range of the type.
void produce(const Outgoing& outgoing, ThreadPool& pool, const ByteSink& sink);

}  // namespace minnow
