// Transformations of a graph and what executors need to know about its memory.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/graph.h"

namespace minnow {

// unary(gate) * up becomes one gated op when nothing else uses the unary result; nodes that nothing uses go away.
Graph fuse(const Graph& graph);

// The graph that measures what one with dropout learns: nothing is dropped.
Graph without_dropout(const Graph& graph);

// The nodes that the output or a weight's gradient needs, under new numbers; renamed (may be nullptr) gets the new number
// of each node, kNoNode for those that are gone.
Graph without_dead_nodes(const Graph& graph, std::vector<NodeId>* renamed);

// Where the value of each node lives in one block of memory, for steps of at most `max` size.
struct MemoryPlan {
  static constexpr int64_t kOutside = -1;  // weights, step inputs and gradients of weights, which are not in the block
  std::vector<int64_t> offset;             // bytes, by node; a reshape shares its input's
  int64_t bytes = 0;                       // of the whole block
};
// Two values share bytes only when one is dead before the other is born; all values of a node are born with it. An elementwise op may take over the bytes of
// its first input when that dies with it. All values are f32; offsets are multiples of 64.
MemoryPlan plan_memory(const Graph& graph, StepSize max);

}  // namespace minnow
