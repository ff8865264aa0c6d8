// What differentiate does for one operation.
#pragma once

#include <vector>

#include "graph/graph.h"

namespace minnow {

// Gradients of the nodes of a forward pass, as sums that grow while the backward pass is appended to the same graph.
class Gradients {
 public:
  // needed: by node of the forward pass, whether it depends on a trained weight or is one.
  Gradients(Graph& graph, std::vector<bool> needed);
  Graph& graph() { return graph_; }
  const Node& node(NodeId id) const { return graph_.node(id); }
  bool needed(NodeId id) const { return needed_[static_cast<std::size_t>(id)]; }
  // kNoNode as long as nothing was added.
  NodeId of(NodeId id) const { return sums_[static_cast<std::size_t>(id)]; }
  // Throws kUnsupported when the node is a weight: its gradient is no value.
  void add(NodeId id, NodeId gradient);

 private:
  Graph& graph_;
  std::vector<bool> needed_;
  std::vector<NodeId> sums_;
};

// Appends what the gradient of a node, which is whole by now, adds to those of its inputs.
// Throws kUnsupported for an operation that has no gradient.
void propagate(Gradients& gradients, NodeId id);

}  // namespace minnow
