#include "graph/graph.h"

#include <algorithm>
#include <iterator>

#include "base/error.h"

namespace minnow {
namespace {

// In the order of Op.
constexpr std::string_view kOpNames[] = {
    "tokens", "positions", "segments", "weight", "embed", "matmul", "add", "mul", "scale", "unary", "gated",
    "softcap", "rms_norm", "layer_norm", "rope_table", "rope", "attention", "short_conv", "route", "expert_matmul",
    "expert_sum", "reshape", "select_rows",
    "targets", "loss_weights", "teacher", "output_grad", "part", "round_input", "dropout", "inverse_row_norms", "batch_attention", "head_loss",
    "matmul_grad", "unary_grad", "gated_grad", "softcap_grad", "rms_norm_grad", "layer_norm_grad", "rope_grad",
    "batch_attention_grad", "short_conv_grad", "scatter_rows", "expert_matmul_grad", "expert_sum_grad",
    "expert_sum_route_grad", "route_grad",
    "embed_weight_grad", "matmul_weight_grad", "bias_grad", "gain_grad", "rms_norm_weight_grad",
    "layer_norm_weight_grad", "short_conv_weight_grad", "expert_matmul_weight_grad",
};
static_assert(std::size(kOpNames) == static_cast<std::size_t>(Op::kExpertMatMulWeightGrad) + 1);

bool is_vector_of(const Shape& shape, int64_t n) { return shape.rank() == 1 && shape[0] == n; }

Shape with_last(Shape shape, int64_t n) {
  shape[shape.rank() - 1] = n;
  return shape;
}

std::string dim_text(int64_t d) { return d == kTokensDim ? "T" : d == kOutputsDim ? "O" : std::to_string(d); }

std::string shape_text(const Shape& shape) {
  std::string out = "[";
  for (int i = 0; i < shape.rank(); ++i) out += (i > 0 ? ", " : "") + dim_text(shape[i]);
  return out + "]";
}

}  // namespace

std::string_view name(Op op) { return kOpNames[static_cast<std::size_t>(op)]; }

Inputs::Inputs(std::initializer_list<NodeId> ids) {
  std::fill(std::copy(ids.begin(), ids.end(), ids_), ids_ + kMax, kNoNode);
}

int Node::n_inputs() const { return static_cast<int>(std::find(inputs.begin(), inputs.end(), kNoNode) - inputs.begin()); }

Shape resolve(const Shape& shape, StepSize size) {
  Shape out = shape;
  for (int i = 0; i < out.rank(); ++i) {
    if (out[i] == kTokensDim) out[i] = size.tokens;
    if (out[i] == kOutputsDim) out[i] = size.outputs;
  }
  return out;
}

NodeId Graph::append(Node node) {
  nodes_.push_back(std::move(node));
  return static_cast<NodeId>(nodes_.size()) - 1;
}

void Graph::mismatch(std::string_view op, NodeId a, NodeId b) const {
  const auto describe = [&](NodeId id) {
    const Node& n = node(id);
    return (n.name.empty() ? std::string(name(n.op)) : n.name) + " " + shape_text(n.shape);
  };
  fail(ErrorCode::kInvalidInput, "model: {} of {} and {}: shapes do not fit", op, describe(a), describe(b));
}

NodeId Graph::tokens() { return append({.op = Op::kTokens, .shape = {kTokensDim}}); }
NodeId Graph::segments() { return append({.op = Op::kSegments, .shape = {kTokensDim}}); }
NodeId Graph::positions() { return append({.op = Op::kPositions, .shape = {kTokensDim}}); }

NodeId Graph::weight(std::string weight_name, Tensor tensor, int64_t first_row) {
  const Shape shape = tensor.shape;
  return append({.op = Op::kWeight, .shape = shape, .attrs = WeightAttrs{first_row}, .constant = std::move(tensor),
                 .name = std::move(weight_name)});
}

NodeId Graph::embed(NodeId weight, NodeId rows) {
  if (node(weight).shape.rank() != 2) mismatch("embed", weight, rows);
  return append({.op = Op::kEmbed, .inputs = {weight, rows}, .shape = {kTokensDim, node(weight).shape[1]}});
}

NodeId Graph::matmul(NodeId x, NodeId weight) {
  const Shape& xs = node(x).shape;
  const Shape& ws = node(weight).shape;
  if (ws.rank() != 2 || xs.rank() != 2 || xs[1] != ws[1]) mismatch("matmul", x, weight);
  return append({.op = Op::kMatMul, .inputs = {x, weight}, .shape = with_last(xs, ws[0])});
}

NodeId Graph::elementwise(Op op, NodeId a, NodeId b) {
  const Shape& as = node(a).shape;
  const Shape& bs = node(b).shape;
  if (as != bs && !is_vector_of(bs, as.last())) mismatch(name(op), a, b);
  return append({.op = op, .inputs = {a, b}, .shape = as});
}

NodeId Graph::add(NodeId a, NodeId b) { return elementwise(Op::kAdd, a, b); }
NodeId Graph::mul(NodeId a, NodeId b) { return elementwise(Op::kMul, a, b); }

NodeId Graph::scale(NodeId x, float factor) {
  return append({.op = Op::kScale, .inputs = {x}, .shape = node(x).shape, .attrs = ScaleAttrs{factor}});
}

NodeId Graph::unary(NodeId x, UnaryFn fn) {
  return append({.op = Op::kUnary, .inputs = {x}, .shape = node(x).shape, .attrs = UnaryAttrs{fn}});
}

NodeId Graph::softcap(NodeId x, float cap) {
  return append({.op = Op::kSoftCap, .inputs = {x}, .shape = node(x).shape, .attrs = SoftCapAttrs{cap}});
}

NodeId Graph::rms_norm(NodeId x, NodeId weight, float eps) {
  if (!is_vector_of(node(weight).shape, node(x).shape.last())) mismatch("rms_norm", x, weight);
  return append({.op = Op::kRmsNorm, .inputs = {x, weight}, .shape = node(x).shape, .attrs = NormAttrs{eps}});
}

NodeId Graph::layer_norm(NodeId x, NodeId weight, NodeId bias, float eps) {
  const int64_t n = node(x).shape.last();
  if (!is_vector_of(node(weight).shape, n)) mismatch("layer_norm", x, weight);
  if (bias != kNoNode && !is_vector_of(node(bias).shape, n)) mismatch("layer_norm", x, bias);
  return append({.op = Op::kLayerNorm, .inputs = {x, weight, bias}, .shape = node(x).shape, .attrs = NormAttrs{eps}});
}

NodeId Graph::rope_table(NodeId positions, RopeTableAttrs attrs) {
  const auto n_rot = static_cast<int64_t>(attrs.inv_freq.size()) * 2;
  return append({.op = Op::kRopeTable, .inputs = {positions}, .shape = {kTokensDim, n_rot},
                 .attrs = std::move(attrs)});
}

NodeId Graph::rope(NodeId x, NodeId table, RopeLayout layout) {
  const Shape& shape = node(x).shape;
  if (shape.rank() != 3 || node(table).shape.last() > shape.last()) mismatch("rope", x, table);
  return append({.op = Op::kRope, .inputs = {x, table}, .shape = shape, .attrs = RopeAttrs{layout}});
}

NodeId Graph::attention(NodeId q, NodeId k, NodeId v, AttentionAttrs attrs) {
  const Shape& qs = node(q).shape;
  const Shape& ks = node(k).shape;
  if (ks != node(v).shape) mismatch("attention", k, v);
  if (qs.rank() != 3 || ks.rank() != 3 || qs[2] != ks[2] || ks[1] == 0 || qs[1] % ks[1] != 0) mismatch("attention", q, k);
  return append({.op = Op::kAttention, .inputs = {q, k, v}, .shape = {kTokensDim, qs[1] * qs[2]}, .attrs = attrs});
}

NodeId Graph::short_conv(NodeId x, NodeId weight, ShortConvAttrs attrs) {
  const Shape& xs = node(x).shape;
  const Shape& ws = node(weight).shape;
  if (xs.rank() != 2 || ws.rank() != 2 || ws[0] != xs[1] || ws[1] > kMaxConvTaps) mismatch("short_conv", x, weight);
  return append({.op = Op::kShortConv, .inputs = {x, weight}, .shape = xs, .attrs = attrs});
}

NodeId Graph::route(NodeId router_logits, RouteAttrs attrs) {
  const Shape& shape = node(router_logits).shape;
  if (shape.rank() != 2 || attrs.n_used < 1 || attrs.n_used > shape[1]) {
    fail(ErrorCode::kInvalidInput, "model: {} experts cannot be chosen among {}", attrs.n_used, shape.last());
  }
  return append({.op = Op::kRoute, .inputs = {router_logits}, .shape = {kTokensDim, 2 * attrs.n_used},
                 .attrs = attrs});
}

NodeId Graph::expert_matmul(NodeId x, NodeId weight, NodeId route) {
  const Shape& xs = node(x).shape;
  const Shape& ws = node(weight).shape;
  const RouteAttrs& r = node(route).get<RouteAttrs>();
  if (ws.rank() != 3 || xs.last() != ws[2] || ws[0] != node(node(route).inputs[0]).shape[1]) mismatch("expert_matmul", x, weight);
  if (xs.rank() == 3 && xs[1] != r.n_used) mismatch("expert_matmul", x, route);
  return append({.op = Op::kExpertMatMul, .inputs = {x, weight, route}, .shape = {kTokensDim, r.n_used, ws[1]}});
}

NodeId Graph::expert_sum(NodeId x, NodeId route) {
  const Shape& xs = node(x).shape;
  if (xs.rank() != 3 || xs[1] != node(route).get<RouteAttrs>().n_used) mismatch("expert_sum", x, route);
  return append({.op = Op::kExpertSum, .inputs = {x, route}, .shape = {kTokensDim, xs[2]}});
}

NodeId Graph::reshape(NodeId x, const Shape& shape) {
  const StepSize one{1, 1};
  if (resolve(shape, one).elements() != resolve(node(x).shape, one).elements()) {
    fail(ErrorCode::kInvalidInput, "model: cannot view {} as {}", shape_text(node(x).shape), shape_text(shape));
  }
  return append({.op = Op::kReshape, .inputs = {x}, .shape = shape});
}

NodeId Graph::select_rows(NodeId x) {
  Shape shape = node(x).shape;
  shape[0] = kOutputsDim;
  return append({.op = Op::kSelectRows, .inputs = {x}, .shape = shape});
}

void Graph::set_output(NodeId id) { output_ = id; }

std::string Graph::text() const {
  std::string out;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const Node& n = nodes_[i];
    if (n.op == Op::kWeight) continue;
    std::string args;
    for (int k = 0; k < n.n_inputs(); ++k) {
      const NodeId id = n.inputs[static_cast<std::size_t>(k)];
      if (k > 0) args += ", ";
      args += node(id).op == Op::kWeight ? node(id).name : fmt::format("%{}", id);
    }
    if (n.op == Op::kPart) args += fmt::format(", {}", n.get<PartAttrs>().index);
    const bool is_sum = is_weight_grad(n.op);
    const std::string left = is_sum ? node(trained_by(n)[0]).name + " +=" : fmt::format("%{} =", i);
    out += fmt::format("{} {}({}) {}\n", left, name(n.op), args, shape_text(n.shape));
  }
  return out;
}

}  // namespace minnow
