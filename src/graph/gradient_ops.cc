// Operations of training: what they check and which shapes their values have.
#include <algorithm>

#include "base/error.h"
#include "graph/graph.h"

namespace minnow {
namespace {

bool is_vector_of(const Shape& shape, int64_t n) { return shape.rank() == 1 && shape[0] == n; }

// Of a node's value `index`, beyond its first; rank 0 when it has no such value.
Shape part_shape(const Graph& graph, const Node& n, int32_t index) {
  const auto shape_of = [&](std::size_t input) { return graph.node(n.inputs[input]).shape; };
  if (index == 1 && n.op == Op::kBatchAttention) return {shape_of(0)[0], shape_of(0)[1]};
  if (index == 1 && n.op == Op::kHeadLoss) return shape_of(0);
  if (index == 1 && n.op == Op::kGatedGrad) return shape_of(2);
  if ((index == 1 || index == 2) && n.op == Op::kBatchAttentionGrad) return shape_of(static_cast<std::size_t>(index) + 1);
  return {};
}

}  // namespace

bool is_weight_grad(Op op) { return op >= Op::kEmbedWeightGrad; }

std::vector<NodeId> trained_by(const Node& n) {
  if (is_weight_grad(n.op)) return {n.inputs[static_cast<std::size_t>(n.n_inputs()) - 1]};
  std::vector<NodeId> weights;
  if (n.op == Op::kHeadLoss) {
    const auto& attrs = n.get<HeadLossAttrs>();
    if (attrs.trains_weight) weights.push_back(n.inputs[1]);
    if (attrs.trains_bias) weights.push_back(n.inputs[4]);
  }
  return weights;
}

bool is_step_input(Op op) {
  return op == Op::kTokens || op == Op::kPositions || op == Op::kSegments || (op >= Op::kTargets && op <= Op::kOutputGrad);
}

void Graph::expect_shape(std::string_view op, NodeId a, NodeId b) const {
  if (node(a).shape != node(b).shape) mismatch(op, a, b);
}

NodeId Graph::targets(int64_t rows) { return append({.op = Op::kTargets, .shape = {rows}}); }
NodeId Graph::loss_weights(int64_t rows) { return append({.op = Op::kLossWeights, .shape = {rows}}); }
NodeId Graph::teacher(int64_t rows, int32_t top_k) {
  return append({.op = Op::kTeacher, .shape = {rows, int64_t{2} * top_k}});
}
NodeId Graph::output_grad(NodeId output) { return append({.op = Op::kOutputGrad, .shape = node(output).shape}); }

NodeId Graph::round_input(NodeId x, RoundInputAttrs attrs) {
  if (node(x).shape.last() % 32 != 0) mismatch("round_input", x, x);  // of what kernels take at a time
  return append({.op = Op::kRoundInput, .inputs = {x}, .shape = node(x).shape, .attrs = attrs});
}

NodeId Graph::dropout(NodeId x, DropoutAttrs attrs) {
  if (!(attrs.p >= 0 && attrs.p < 1)) fail(ErrorCode::kInvalidInput, "training: dropout of {}; it must be in [0, 1)", attrs.p);
  if (node(x).shape[0] != kTokensDim) fail(ErrorCode::kUnsupported, "training: dropout of selected rows; do it before");
  return append({.op = Op::kDropout, .inputs = {x}, .shape = node(x).shape, .attrs = attrs});
}

NodeId Graph::inverse_row_norms(NodeId weight, NodeId a, NodeId b, float factor) {
  const Shape &w = node(weight).shape, &as = node(a).shape, &bs = node(b).shape;
  if (w.rank() != 2 || as.rank() != 2 || as[1] != w[1]) mismatch("inverse_row_norms", weight, a);
  if (bs.rank() != 2 || bs[0] != w[0] || bs[1] != as[0]) mismatch("inverse_row_norms", weight, b);
  return append({.op = Op::kInverseRowNorms, .inputs = {weight, a, b}, .shape = {w[0]}, .attrs = ScaleAttrs{factor}});
}

NodeId Graph::part(NodeId of, int32_t index) {
  const Shape shape = part_shape(*this, node(of), index);
  const Node& last = nodes_.back();
  const bool follows = of == static_cast<NodeId>(nodes_.size()) - 1 ||
                       (last.op == Op::kPart && last.inputs[0] == of && last.get<PartAttrs>().index < index);
  if (shape.rank() == 0 || !follows)
    fail(ErrorCode::kInternal, "graph: value {} of {} named in the wrong place", index, minnow::name(node(of).op));
  return append({.op = Op::kPart, .inputs = {of}, .shape = shape, .attrs = PartAttrs{index}});
}

NodeId Graph::batch_attention(NodeId q, NodeId k, NodeId v, AttentionAttrs attrs) {
  const NodeId made = attention(q, k, v, attrs);
  nodes_.back().op = Op::kBatchAttention;
  return made;
}

NodeId Graph::head_loss(const HeadLoss& in, HeadLossAttrs attrs) {
  const Shape& xs = node(in.x).shape;
  const Shape& ws = node(in.weight).shape;
  if (xs.rank() != 2 || ws.rank() != 2 || xs[1] != ws[1]) mismatch("head_loss", in.x, in.weight);
  const Shape rows{xs[0]};
  if (node(in.targets).shape != rows) mismatch("head_loss", in.x, in.targets);
  if (node(in.loss_weights).shape != rows) mismatch("head_loss", in.x, in.loss_weights);
  attrs.has_bias = in.bias != kNoNode;
  if (attrs.teacher.top_k <= 0) attrs.teacher = {};
  if (!(attrs.teacher.temperature > 0))
    fail(ErrorCode::kInvalidInput, "training: a temperature of {}; it must be above 0", attrs.teacher.temperature);
  if (attrs.has_bias && !is_vector_of(node(in.bias).shape, ws[0])) mismatch("head_loss", in.weight, in.bias);
  Node n{.op = Op::kHeadLoss, .inputs = {in.x, in.weight, in.targets, in.loss_weights}, .shape = {xs[0], 1}};
  std::size_t next = 4;
  if (attrs.has_bias) n.inputs[next++] = in.bias;
  if (attrs.teacher.top_k > 0) {
    if (in.teacher == kNoNode || node(in.teacher).shape != Shape{xs[0], int64_t{2} * attrs.teacher.top_k}) {
      fail(ErrorCode::kInternal, "graph: head_loss of a teacher's {} tokens without them", attrs.teacher.top_k);
    }
    n.inputs[next] = in.teacher;
    n.shape[1] = 2;
  }
  n.attrs = attrs;
  return append(std::move(n));
}

NodeId Graph::matmul_grad(NodeId dy, NodeId weight) {
  const Shape& ds = node(dy).shape;
  const Shape& ws = node(weight).shape;
  if (ds.rank() != 2 || ws.rank() != 2 || ds[1] != ws[0]) mismatch("matmul_grad", dy, weight);
  return append({.op = Op::kMatMulGrad, .inputs = {dy, weight}, .shape = {ds[0], ws[1]}});
}

NodeId Graph::unary_grad(NodeId dy, NodeId x, UnaryFn fn) {
  expect_shape("unary_grad", dy, x);
  return append({.op = Op::kUnaryGrad, .inputs = {dy, x}, .shape = node(x).shape, .attrs = UnaryAttrs{fn}});
}

NodeId Graph::gated_grad(NodeId dy, NodeId gate, NodeId up, UnaryFn fn) {
  expect_shape("gated_grad", dy, gate);
  expect_shape("gated_grad", dy, up);
  return append({.op = Op::kGatedGrad, .inputs = {dy, gate, up}, .shape = node(gate).shape, .attrs = UnaryAttrs{fn}});
}

NodeId Graph::softcap_grad(NodeId dy, NodeId x, float cap) {
  expect_shape("softcap_grad", dy, x);
  return append({.op = Op::kSoftCapGrad, .inputs = {dy, x}, .shape = node(x).shape, .attrs = SoftCapAttrs{cap}});
}

NodeId Graph::rms_norm_grad(NodeId dy, NodeId x, NodeId weight, float eps) {
  expect_shape("rms_norm_grad", dy, x);
  if (!is_vector_of(node(weight).shape, node(x).shape.last())) mismatch("rms_norm_grad", x, weight);
  return append({.op = Op::kRmsNormGrad, .inputs = {dy, x, weight}, .shape = node(x).shape, .attrs = NormAttrs{eps}});
}

NodeId Graph::layer_norm_grad(NodeId dy, NodeId x, NodeId weight, float eps) {
  const NodeId made = rms_norm_grad(dy, x, weight, eps);
  nodes_.back().op = Op::kLayerNormGrad;
  return made;
}

NodeId Graph::rope_grad(NodeId dy, NodeId table, RopeLayout layout) {
  const NodeId made = rope(dy, table, layout);
  nodes_.back().op = Op::kRopeGrad;
  return made;
}

NodeId Graph::batch_attention_grad(NodeId dy, NodeId attention, NodeId ln_sums) {
  const Node a = node(attention);
  expect_shape("batch_attention_grad", dy, attention);
  if (node(ln_sums).op != Op::kPart || node(ln_sums).inputs[0] != attention)
    mismatch("batch_attention_grad", attention, ln_sums);
  return append({.op = Op::kBatchAttentionGrad,
                 .inputs = {dy, a.inputs[0], a.inputs[1], a.inputs[2], attention, ln_sums},
                 .shape = node(a.inputs[0]).shape,
                 .attrs = a.attrs});
}

NodeId Graph::short_conv_grad(NodeId dy, NodeId weight, ShortConvAttrs attrs) {
  const NodeId made = short_conv(dy, weight, attrs);
  nodes_.back().op = Op::kShortConvGrad;
  return made;
}

NodeId Graph::scatter_rows(NodeId x) {
  Shape shape = node(x).shape;
  shape[0] = kTokensDim;
  return append({.op = Op::kScatterRows, .inputs = {x}, .shape = shape});
}

NodeId Graph::expert_matmul_grad(NodeId dy, NodeId expert_matmul) {
  const Node m = node(expert_matmul);
  expect_shape("expert_matmul_grad", dy, expert_matmul);
  return append({.op = Op::kExpertMatMulGrad, .inputs = {dy, m.inputs[1], m.inputs[2]}, .shape = node(m.inputs[0]).shape});
}

NodeId Graph::expert_sum_grad(NodeId dy, NodeId route) {
  const Shape& ds = node(dy).shape;
  return append(
      {.op = Op::kExpertSumGrad, .inputs = {dy, route}, .shape = {ds[0], node(route).get<RouteAttrs>().n_used, ds[1]}});
}

NodeId Graph::expert_sum_route_grad(NodeId dy, NodeId x, NodeId route) {
  if (node(dy).shape.last() != node(x).shape.last()) mismatch("expert_sum_route_grad", dy, x);
  return append({.op = Op::kExpertSumRouteGrad, .inputs = {dy, x, route}, .shape = node(route).shape});
}

NodeId Graph::route_grad(NodeId d_route, NodeId route) {
  const NodeId logits = node(route).inputs[0];
  expect_shape("route_grad", d_route, route);
  return append(
      {.op = Op::kRouteGrad, .inputs = {d_route, logits, route}, .shape = node(logits).shape, .attrs = node(route).attrs});
}

NodeId Graph::weight_grad(Op op, Inputs inputs, Attrs attrs) {
  const NodeId weight = *(std::find(inputs.begin(), inputs.end(), kNoNode) - 1);
  if (node(weight).op != Op::kWeight)
    fail(ErrorCode::kUnsupported, "training: {} of a computed value instead of a weight", minnow::name(op));
  return append({.op = op, .inputs = inputs, .shape = node(weight).shape, .attrs = std::move(attrs)});
}

NodeId Graph::embed_weight_grad(NodeId dy, NodeId rows, NodeId weight) {
  if (node(weight).shape.rank() != 2 || node(weight).shape[1] != node(dy).shape.last())
    mismatch("embed_weight_grad", dy, weight);
  return weight_grad(Op::kEmbedWeightGrad, {dy, rows, weight}, {});
}

NodeId Graph::matmul_weight_grad(NodeId dy, NodeId x, NodeId weight) {
  const Shape& ws = node(weight).shape;
  if (ws.rank() != 2 || node(dy).shape.last() != ws[0]) mismatch("matmul_weight_grad", dy, weight);
  if (node(x).shape.last() != ws[1] || node(x).shape[0] != node(dy).shape[0]) mismatch("matmul_weight_grad", x, weight);
  return weight_grad(Op::kMatMulWeightGrad, {dy, x, weight}, {});
}

NodeId Graph::bias_grad(NodeId dy, NodeId weight) {
  if (!is_vector_of(node(weight).shape, node(dy).shape.last())) mismatch("bias_grad", dy, weight);
  return weight_grad(Op::kBiasGrad, {dy, weight}, {});
}

NodeId Graph::gain_grad(NodeId dy, NodeId x, NodeId weight) {
  expect_shape("gain_grad", dy, x);
  if (!is_vector_of(node(weight).shape, node(dy).shape.last())) mismatch("gain_grad", dy, weight);
  return weight_grad(Op::kGainGrad, {dy, x, weight}, {});
}

NodeId Graph::rms_norm_weight_grad(NodeId dy, NodeId x, NodeId weight, float eps) {
  expect_shape("rms_norm_weight_grad", dy, x);
  if (!is_vector_of(node(weight).shape, node(dy).shape.last())) mismatch("rms_norm_weight_grad", dy, weight);
  return weight_grad(Op::kRmsNormWeightGrad, {dy, x, weight}, NormAttrs{eps});
}

NodeId Graph::layer_norm_weight_grad(NodeId dy, NodeId x, NodeId weight, float eps) {
  const NodeId made = rms_norm_weight_grad(dy, x, weight, eps);
  nodes_.back().op = Op::kLayerNormWeightGrad;
  return made;
}

NodeId Graph::short_conv_weight_grad(NodeId dy, NodeId x, NodeId weight, ShortConvAttrs attrs) {
  expect_shape("short_conv_weight_grad", dy, x);
  if (node(weight).shape.rank() != 2 || node(weight).shape[0] != node(x).shape.last())
    mismatch("short_conv_weight_grad", x, weight);
  return weight_grad(Op::kShortConvWeightGrad, {dy, x, weight}, attrs);
}

NodeId Graph::expert_matmul_weight_grad(NodeId dy, NodeId expert_matmul) {
  const Node m = node(expert_matmul);
  expect_shape("expert_matmul_weight_grad", dy, expert_matmul);
  return weight_grad(Op::kExpertMatMulWeightGrad, {dy, m.inputs[0], m.inputs[2], m.inputs[1]}, {});
}

}  // namespace minnow
