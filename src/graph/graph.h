// The intermediate representation of a model: a list of typed operations on tensors, in an order in which they can
// be computed. It says what is computed, never how: executors (src/cpu) and passes (fuse, plan memory) read it.
//
// Two dimensions are not known until a step runs: the tokens of the step and the rows that logits are wanted for.
// They appear in shapes as kTokensDim and kOutputsDim, always outermost.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "graph/ops.h"
#include "tensor/tensor.h"

namespace minnow {

using NodeId = int32_t;
inline constexpr NodeId kNoNode = -1;
inline constexpr int64_t kTokensDim = -1;   // T: tokens in this step, over all sequences
inline constexpr int64_t kOutputsDim = -2;  // O: rows selected for output
inline constexpr int64_t kMaxConvTaps = 8;

// The operands of a node; those that there are come first.
class Inputs {
 public:
  static constexpr std::size_t kMax = 6;
  Inputs() : Inputs(std::initializer_list<NodeId>{}) {}
  Inputs(std::initializer_list<NodeId> ids);  // the rest are kNoNode
  NodeId operator[](std::size_t i) const { return ids_[i]; }
  NodeId& operator[](std::size_t i) { return ids_[i]; }
  const NodeId* begin() const { return ids_; }
  const NodeId* end() const { return ids_ + kMax; }
  NodeId* begin() { return ids_; }
  NodeId* end() { return ids_ + kMax; }

 private:
  NodeId ids_[kMax];
};

struct Node {
  Op op;
  Inputs inputs;
  Shape shape;      // inferred
  Attrs attrs;
  Tensor constant;  // kWeight only
  // Of a weight that learns to be quantized: the f32 values that operations read instead of `constant`, which gradients are
  // meant for all the same (straight-through, Bengio et al. 2013). Absent for most.
  Tensor rounded;
  std::string name; // of the weight, for errors and dumps; empty for most

  int n_inputs() const;
  // Of a weight, what operations read.
  const Tensor& values() const { return rounded ? rounded : constant; }
  template <typename T>
  const T& get() const { return std::get<T>(attrs); }
};

// Values of the dimensions that are known only when a step runs.
struct StepSize {
  int64_t tokens = 0;
  int64_t outputs = 0;
};
// The shape with kTokensDim and kOutputsDim replaced.
Shape resolve(const Shape& shape, StepSize size);

// Appends operations; every call checks its operands and infers the shape. Throws kInvalidInput naming the weight
// when shapes do not fit together (a model file that contradicts itself).
class Graph {
 public:
  NodeId tokens();
  NodeId positions();
  NodeId segments();
  NodeId weight(std::string name, Tensor tensor, int64_t first_row = 0);
  NodeId embed(NodeId weight, NodeId rows);
  NodeId matmul(NodeId x, NodeId weight);
  NodeId add(NodeId a, NodeId b);
  NodeId mul(NodeId a, NodeId b);
  NodeId scale(NodeId x, float factor);
  NodeId unary(NodeId x, UnaryFn fn);
  NodeId softcap(NodeId x, float cap);
  NodeId rms_norm(NodeId x, NodeId weight, float eps);
  NodeId layer_norm(NodeId x, NodeId weight, NodeId bias, float eps);  // bias may be kNoNode
  NodeId rope_table(NodeId positions, RopeTableAttrs attrs);
  NodeId rope(NodeId x, NodeId table, RopeLayout layout);
  NodeId attention(NodeId q, NodeId k, NodeId v, AttentionAttrs attrs);
  NodeId short_conv(NodeId x, NodeId weight, ShortConvAttrs attrs);
  NodeId route(NodeId router_logits, RouteAttrs attrs);
  NodeId expert_matmul(NodeId x, NodeId weight, NodeId route);
  NodeId expert_sum(NodeId x, NodeId route);
  NodeId reshape(NodeId x, const Shape& shape);
  NodeId select_rows(NodeId x);

  // Training (gradient_ops.cc). What ends in _grad takes dy first; results of ..._weight_grad, bias_grad and gain_grad name
  // the node, but cannot be read. `rows` is kOutputsDim or kTokensDim.
  NodeId targets(int64_t rows);
  NodeId loss_weights(int64_t rows);
  NodeId teacher(int64_t rows, int32_t top_k);
  NodeId output_grad(NodeId output);
  NodeId round_input(NodeId x, RoundInputAttrs attrs);
  NodeId dropout(NodeId x, DropoutAttrs attrs);
  NodeId inverse_row_norms(NodeId weight, NodeId a, NodeId b, float factor);
  NodeId part(NodeId of, int32_t index);  // directly after the node, or its other parts
  NodeId batch_attention(NodeId q, NodeId k, NodeId v, AttentionAttrs attrs);
  struct HeadLoss {
    NodeId x, weight, targets, loss_weights;
    NodeId bias = kNoNode, teacher = kNoNode;
  };
  NodeId head_loss(const HeadLoss& inputs, HeadLossAttrs attrs);  // sets attrs.has_bias
  NodeId matmul_grad(NodeId dy, NodeId weight);
  NodeId unary_grad(NodeId dy, NodeId x, UnaryFn fn);
  NodeId gated_grad(NodeId dy, NodeId gate, NodeId up, UnaryFn fn);
  NodeId softcap_grad(NodeId dy, NodeId x, float cap);
  NodeId rms_norm_grad(NodeId dy, NodeId x, NodeId weight, float eps);
  NodeId layer_norm_grad(NodeId dy, NodeId x, NodeId weight, float eps);
  NodeId rope_grad(NodeId dy, NodeId table, RopeLayout layout);
  NodeId batch_attention_grad(NodeId dy, NodeId attention, NodeId ln_sums);  // of that node
  NodeId short_conv_grad(NodeId dy, NodeId weight, ShortConvAttrs attrs);
  NodeId scatter_rows(NodeId x);
  NodeId expert_matmul_grad(NodeId dy, NodeId expert_matmul);  // of that node
  NodeId expert_sum_grad(NodeId dy, NodeId route);
  NodeId expert_sum_route_grad(NodeId dy, NodeId x, NodeId route);
  NodeId route_grad(NodeId d_route, NodeId route);
  NodeId embed_weight_grad(NodeId dy, NodeId rows, NodeId weight);
  NodeId matmul_weight_grad(NodeId dy, NodeId x, NodeId weight);
  NodeId bias_grad(NodeId dy, NodeId weight);
  NodeId gain_grad(NodeId dy, NodeId x, NodeId weight);
  NodeId rms_norm_weight_grad(NodeId dy, NodeId x, NodeId weight, float eps);
  NodeId layer_norm_weight_grad(NodeId dy, NodeId x, NodeId weight, float eps);
  NodeId short_conv_weight_grad(NodeId dy, NodeId x, NodeId weight, ShortConvAttrs attrs);
  NodeId expert_matmul_weight_grad(NodeId dy, NodeId expert_matmul);  // of that node

  void set_output(NodeId node);

  const std::vector<Node>& nodes() const { return nodes_; }
  const Node& node(NodeId id) const { return nodes_[static_cast<std::size_t>(id)]; }
  NodeId output() const { return output_; }

  // Appends a node as it is (for passes, which keep shapes as they were inferred).
  NodeId append(Node node);
  // One line per node: "%12 = matmul(%11, blk.0.attn_q.weight) [T, 256]", and "blk.0.attn_q.weight += ..." for what is
  // added to a gradient.
  std::string text() const;

 private:
  [[noreturn]] void mismatch(std::string_view op, NodeId a, NodeId b) const;
  NodeId elementwise(Op op, NodeId a, NodeId b);
  void expect_shape(std::string_view op, NodeId a, NodeId b) const;
  NodeId weight_grad(Op op, Inputs inputs, Attrs attrs);
  std::vector<Node> nodes_;
  NodeId output_ = kNoNode;
};

// Ops whose result is added to the gradient of their last input, a weight, and can not be read.
bool is_weight_grad(Op op);
// The weights whose gradients the node adds to, in buffers that outlive a run; none for most.
std::vector<NodeId> trained_by(const Node& node);
// What an executor is given with each run, as it is given weights once.
bool is_step_input(Op op);

}  // namespace minnow
