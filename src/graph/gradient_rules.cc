#include "graph/gradient_rules.h"

#include "base/error.h"

namespace minnow {
namespace {

// A node with its gradient, and what there is to do about its inputs. Gradients of weights come before those of values:
// they are the last to read the inputs of the forward pass, whose memory is then free.
struct Rule {
  Gradients& gradients;
  Graph& graph;
  const Node n;  // a copy: the graph grows
  const NodeId id, dy;

  NodeId in(std::size_t i) const { return n.inputs[i]; }
  bool needed(std::size_t i) const { return n.inputs[i] != kNoNode && gradients.needed(n.inputs[i]); }
  void add(std::size_t i, NodeId gradient) const { gradients.add(n.inputs[i], gradient); }

  void sum() const {
    const bool is_vector = graph.node(in(1)).shape != n.shape;
    if (needed(1) && is_vector) graph.bias_grad(dy, in(1));
    if (needed(1) && !is_vector) add(1, dy);
    if (needed(0)) add(0, dy);
  }

  void product() const {
    const bool is_vector = graph.node(in(1)).shape != n.shape;
    if (needed(1) && is_vector) graph.gain_grad(dy, in(0), in(1));
    if (needed(1) && !is_vector) add(1, graph.mul(dy, in(0)));
    if (needed(0)) add(0, graph.mul(dy, in(1)));
  }

  void gated() const {
    const NodeId d_gate = graph.gated_grad(dy, in(0), in(1), n.get<UnaryAttrs>().fn);
    const NodeId d_up = graph.part(d_gate, 1);
    if (needed(0)) add(0, d_gate);
    if (needed(1)) add(1, d_up);
  }

  void matmul() const {
    if (needed(1)) graph.matmul_weight_grad(dy, in(0), in(1));
    if (needed(0)) add(0, graph.matmul_grad(dy, in(1)));
  }

  void rms_norm() const {
    const float eps = n.get<NormAttrs>().eps;
    if (needed(1)) graph.rms_norm_weight_grad(dy, in(0), in(1), eps);
    if (needed(0)) add(0, graph.rms_norm_grad(dy, in(0), in(1), eps));
  }

  void layer_norm() const {
    const float eps = n.get<NormAttrs>().eps;
    if (needed(1)) graph.layer_norm_weight_grad(dy, in(0), in(1), eps);
    if (needed(2)) graph.bias_grad(dy, in(2));
    if (needed(0)) add(0, graph.layer_norm_grad(dy, in(0), in(1), eps));
  }

  void attention() const {
    const NodeId d_q = graph.batch_attention_grad(dy, id, id + 1);
    const NodeId d_k = graph.part(d_q, 1), d_v = graph.part(d_q, 2);
    if (needed(0)) add(0, d_q);
    if (needed(1)) add(1, d_k);
    if (needed(2)) add(2, d_v);
  }

  void short_conv() const {
    const auto& attrs = n.get<ShortConvAttrs>();
    if (needed(1)) graph.short_conv_weight_grad(dy, in(0), in(1), attrs);
    if (needed(0)) add(0, graph.short_conv_grad(dy, in(1), attrs));
  }

  void expert_matmul() const {
    if (needed(1)) graph.expert_matmul_weight_grad(dy, id);
    if (needed(0)) add(0, graph.expert_matmul_grad(dy, id));
  }

  void expert_sum() const {
    if (needed(1)) add(1, graph.expert_sum_route_grad(dy, in(0), in(1)));
    if (needed(0)) add(0, graph.expert_sum_grad(dy, in(1)));
  }
};

}  // namespace

Gradients::Gradients(Graph& graph, std::vector<bool> needed)
    : graph_(graph), needed_(std::move(needed)), sums_(needed_.size(), kNoNode) {}

void Gradients::add(NodeId id, NodeId gradient) {
  if (node(id).op == Op::kWeight) {
    fail(ErrorCode::kUnsupported, "training: {} cannot be trained where it is used as a value", node(id).name);
  }
  NodeId& sum = sums_[static_cast<std::size_t>(id)];
  sum = sum == kNoNode ? gradient : graph_.add(sum, gradient);
}

void propagate(Gradients& gradients, NodeId id) {
  const Rule rule{gradients, gradients.graph(), gradients.node(id), id, gradients.of(id)};
  Graph& graph = gradients.graph();
  const Node& n = rule.n;
  switch (n.op) {
    case Op::kWeight: return;
    case Op::kEmbed: graph.embed_weight_grad(rule.dy, n.inputs[1], n.inputs[0]); return;
    case Op::kMatMul: return rule.matmul();
    case Op::kAdd: return rule.sum();
    case Op::kMul: return rule.product();
    case Op::kScale: return rule.add(0, graph.scale(rule.dy, n.get<ScaleAttrs>().factor));
    case Op::kUnary: return rule.add(0, graph.unary_grad(rule.dy, n.inputs[0], n.get<UnaryAttrs>().fn));
    case Op::kGated: return rule.gated();
    case Op::kSoftCap: return rule.add(0, graph.softcap_grad(rule.dy, n.inputs[0], n.get<SoftCapAttrs>().cap));
    case Op::kRmsNorm: return rule.rms_norm();
    case Op::kLayerNorm: return rule.layer_norm();
    case Op::kRope: return rule.add(0, graph.rope_grad(rule.dy, n.inputs[1], n.get<RopeAttrs>().layout));
    case Op::kRoundInput: return rule.add(0, rule.dy);
    case Op::kDropout: return rule.add(0, graph.dropout(rule.dy, n.get<DropoutAttrs>()));
    case Op::kBatchAttention: return rule.attention();
    case Op::kShortConv: return rule.short_conv();
    case Op::kRoute: return rule.add(0, graph.route_grad(rule.dy, id));
    case Op::kExpertMatMul: return rule.expert_matmul();
    case Op::kExpertSum: return rule.expert_sum();
    case Op::kReshape: return rule.add(0, graph.reshape(rule.dy, Shape(graph.node(n.inputs[0]).shape)));
    case Op::kSelectRows: return rule.add(0, graph.scatter_rows(rule.dy));
    default: fail(ErrorCode::kUnsupported, "training: there is no gradient of {}", name(n.op));
  }
}

}  // namespace minnow
