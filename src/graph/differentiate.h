// From the graph of a model to that of its training: the forward pass, the loss and the gradients of weights.
#pragma once

#include <functional>
#include <vector>

#include "graph/graph.h"

namespace minnow {

enum class LossKind : uint8_t {
  // Cross entropy of the next token (and a teacher's divergence). The forward graph ends in logits: a product, then
  // optionally a bias, a scale and a soft cap. They become one kHeadLoss, whose rows' losses are the output.
  kTokens,
  // Any loss, computed elsewhere: kOutputGrad is its gradient with respect to the output, which stays the output.
  kGiven,
};

struct DifferentiateOptions {
  std::function<bool(const Node& weight)> trains;  // which weights have gradients; empty: none, the graph tells losses only
  LossKind loss = LossKind::kTokens;
  TeacherAttrs teacher = {};  // kTokens only
};

// A weight that several operations use (embeddings tied to the output) has several nodes that add to its gradient.
struct WeightGradient {
  NodeId weight = kNoNode;
  std::vector<NodeId> from;
};

struct TrainingGraph {
  Graph graph;
  NodeId first_backward = kNoNode;        // nodes before it are the forward pass
  std::vector<WeightGradient> gradients;  // of all trained weights that the output depends on, in the graph's order
};

// The forward graph best is fused already. Gradients are computed for what a trained weight needs and for nothing else:
// the backward pass ends below the lowest trained weight. Attention becomes kBatchAttention.
// Throws kUnsupported for an output that is not logits, operations without a gradient, and trained weights that are
// quantized, naming them.
TrainingGraph differentiate(const Graph& forward, const DifferentiateOptions& options);

// For passes: a graph with a backward pass, without what nothing needs, and where the gradients are in it.
TrainingGraph as_training_graph(const Graph& graph, NodeId first_backward);

}  // namespace minnow
