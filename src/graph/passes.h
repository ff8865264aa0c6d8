// Transformations of a graph and what executors need to know about its memory.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/graph.h"

namespace minnow {

// unary(gate) * up becomes one gated op when nothing else uses the unary result; nodes that nothing uses go away.
Graph fuse(const Graph& graph);

// Where the value of each node lives in one block of memory, for steps of at most `max` size.
struct MemoryPlan {
  static constexpr int64_t kOutside = -1;  // weights and step inputs, which are not in the block
  std::vector<int64_t> offset;             // bytes, by node; a reshape shares its input's
  int64_t bytes = 0;                       // of the whole block
};
// Two values share bytes only when one is dead before the other is born. An elementwise op may take over the bytes of
// its first input when that dies with it. All values are f32; offsets are multiples of 64.
MemoryPlan plan_memory(const Graph& graph, StepSize max);

}  // namespace minnow
