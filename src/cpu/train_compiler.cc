#include "cpu/train_compiler.h"

#include <algorithm>

#include "base/error.h"
#include "tensor/codec.h"

namespace minnow {
namespace {

std::size_t index(NodeId id) { return static_cast<std::size_t>(id); }
int64_t aligned(int64_t bytes) { return (bytes + 63) / 64 * 64; }

// Stands for memory while its size is not known: steps are made with it, and none is run.
std::byte* const kNowhere = reinterpret_cast<std::byte*>(uintptr_t{1} << 30);

}  // namespace

TrainCompiler::TrainCompiler(TrainExecutor& made, const GatheredProducts& gathered)
    : made_(made),
      gathered_(gathered),
      graph_(made.training_.graph),
      max_{made.options_.max_tokens, made.options_.max_outputs},
      dense_(dense_kernels(made.train_kernels_, made.options_.numbers)),
      bf16_attention_(made.options_.numbers == Multiplied::kBf16 && made.train_kernels_.bf16_products()),
      plan_(plan_memory(graph_, max_)) {
  made_.vectors_.resize(graph_.nodes().size());
  for (const Node& n : graph_.nodes()) {
    if (n.op == Op::kOutputGrad) output_grad_bytes_ = aligned(resolve(n.shape, max_).elements() * 4);
  }
}

void TrainCompiler::compile() {
  compile_all(kNowhere);
  made_.values_ = PageMemory::allocate(static_cast<uint64_t>(std::max<int64_t>(64, plan_.bytes + output_grad_bytes_ + scratch_bytes_)),
                                       "values of training");
  compile_all(made_.values_->data());
  const NodeId out = behind_views(graph_, graph_.output());
  made_.output_ = value(out).data;
  made_.output_width_ = width_of(node(out).shape);
  made_.output_rows_ = node(out).shape[0];
  if (output_grad_bytes_ > 0) made_.output_grad_ = reinterpret_cast<float*>(memory_ + plan_.bytes);
}

void TrainCompiler::compile_all(std::byte* memory) {
  memory_ = memory;
  made_.steps_.clear();
  schedule_.emplace(Schedule{made_.steps_, max_.tokens});
  for (std::size_t i = 0; i < graph_.nodes().size(); ++i) {
    scratch_used_ = 0;
    i = compile(i);
  }
}

std::size_t TrainCompiler::compile(std::size_t i) {
  const Node& n = graph_.nodes()[i];
  const auto id = static_cast<NodeId>(i);
  if (gathered_.within_sum[i]) return i;
  if (!gathered_.sums[i].empty()) return sum_of_products(gathered_.sums[i], id), i;
  switch (n.op) {
    case Op::kWeight:
    case Op::kReshape:
    case Op::kPart: return i;
    case Op::kEmbed: return embed(n, id), i;
    case Op::kInverseRowNorms: return row_norms(n, id), i;
    case Op::kMatMul: return products(i);
    case Op::kMatMulWeightGrad: return weight_products(i);
    case Op::kMatMulGrad: return sum_of_products({id}, id), i;
    case Op::kBatchAttention: return attention(n, id), i;
    case Op::kBatchAttentionGrad: return attention_gradient(n, id), i;
    case Op::kHeadLoss: return head_loss(n, id), i;
    case Op::kRmsNormWeightGrad:
    case Op::kLayerNormWeightGrad: return norm_weight(i);
    case Op::kRmsNormGrad:
    case Op::kLayerNormGrad: return norm_gradient(n, value(id), new_moments(n)), i;
    case Op::kBiasGrad:
    case Op::kGainGrad: return column_sum(n), i;
    case Op::kEmbedWeightGrad:
      return add(make_embed_gradient_step(node(n.inputs[1]).op, value(n.inputs[0]), gradient(n.inputs[2]))), i;
    case Op::kShortConv:
    case Op::kShortConvGrad:
    case Op::kShortConvWeightGrad: return conv(n, id), i;
    case Op::kRoute:
    case Op::kRouteGrad:
    case Op::kExpertSum:
    case Op::kExpertSumGrad:
    case Op::kExpertSumRouteGrad: return expert_node(n, id), i;
    case Op::kExpertMatMul:
    case Op::kExpertMatMulGrad:
    case Op::kExpertMatMulWeightGrad: return expert_product(n, id), i;
    default: return is_step_input(n.op) ? i : (row_by_row(n, id), i);
  }
}

Value TrainCompiler::value(NodeId id) {
  const Node& n = node(id);
  if (n.op == Op::kWeight) {
    Tensor& held = made_.vectors_[index(id)];
    if (!held) held = n.values().dtype == DType::kF32 ? n.values() : Tensor::from_f32(to_f32(n.values()), n.shape);
    return {const_cast<float*>(held.f32()), held.shape.elements()};
  }
  const int64_t width = width_of(n.shape);
  if (n.op == Op::kOutputGrad) return {reinterpret_cast<float*>(memory_ + plan_.bytes), width};
  if (plan_.offset[index(id)] == MemoryPlan::kOutside) return {};
  return {reinterpret_cast<float*>(memory_ + plan_.offset[index(id)]), width};
}

Value TrainCompiler::part(NodeId id, int32_t wanted) {
  for (NodeId p = id + 1; index(p) < graph_.nodes().size() && node(p).op == Op::kPart; ++p) {
    if (node(p).get<PartAttrs>().index == wanted) return value(p);
  }
  return {};
}

// For kernels that write a value whether or not it is wanted.
Value TrainCompiler::value_or_scratch(const Shape& shape, Value v) {
  if (v.data != nullptr) return v;
  return {reinterpret_cast<float*>(scratch(resolve(shape, max_).elements() * 4)), width_of(shape)};
}

std::vector<Value> TrainCompiler::inputs(const Node& n) {
  std::vector<Value> all;
  for (int k = 0; k < n.n_inputs(); ++k) all.push_back(value(n.inputs[static_cast<std::size_t>(k)]));
  return all;
}

float* TrainCompiler::gradient(NodeId weight) {
  const auto& all = made_.training_.gradients;
  const auto at = std::find_if(all.begin(), all.end(), [&](const WeightGradient& g) { return g.weight == weight; });
  return made_.gradient(static_cast<std::size_t>(at - all.begin())).data();
}

const float* TrainCompiler::matrix(NodeId weight) {
  const Node& n = node(weight);
  if (n.op != Op::kWeight) fail(ErrorCode::kUnsupported, "training on the CPU: a product with a computed matrix");
  if (n.values().dtype == DType::kF32) return n.values().f32();
  if (!info(n.constant.dtype).is_weight) fail(ErrorCode::kUnsupported, "{}: a weight of type {}", n.name, name(n.constant.dtype));
  auto* decoded = reinterpret_cast<float*>(scratch(n.shape.elements() * 4));
  add(make_decode_step(n.constant, decoded));
  return decoded;
}

std::byte* TrainCompiler::scratch(int64_t bytes) {
  std::byte* at = memory_ + plan_.bytes + output_grad_bytes_ + scratch_used_;
  scratch_used_ += aligned(bytes);
  scratch_bytes_ = std::max(scratch_bytes_, scratch_used_);
  return at;
}

void TrainCompiler::add(std::unique_ptr<Step> step, const std::vector<Value>& reads, const std::vector<Value>& writes) {
  std::vector<Value> shared;  // weights are not written by any step
  const auto* begin = reinterpret_cast<float*>(memory_);
  const auto* end = reinterpret_cast<float*>(memory_ + plan_.bytes);
  std::copy_if(reads.begin(), reads.end(), std::back_inserter(shared), [&](const Value& v) { return v.data >= begin && v.data < end; });
  schedule_->add(std::move(step), shared, writes);
}

// Left operands are read while C is written.
void TrainCompiler::check_apart(const DenseProducts& products) const {
  for (const DenseGroup& group : products.groups) {
    for (const DenseOperand& left : group.left) {
      const DenseMatrix m = left.of(max_);
      const float* end = left.matrix + m.n_lines * m.k;
      for (const DenseGroup::Sum& sum : group.sums) {
        if (sum.c < end && left.matrix < sum.c + m.n_lines * sum.c_stride) fail(ErrorCode::kInternal, "a product that lies where its left operand does");
      }
    }
  }
}

void TrainCompiler::add_products(DenseProducts products) {
  check_apart(products);
  std::byte* memory = scratch(product_bytes(products, max_, made_.pool_.size()));
  for (auto& step : make_product_steps(std::move(products), max_, memory)) add(std::move(step));
}

// Neighbours that multiply the same input.
std::size_t TrainCompiler::products(std::size_t i) {
  const NodeId x = graph_.nodes()[i].inputs[0];
  const int64_t rows = node(x).shape[0];
  DenseProducts all{dense_, {}, {{{{value(x).data, rows, node(x).shape.last(), Lines::kRows}}, {}}}};
  std::size_t last = i;
  for (std::size_t j = i; j < graph_.nodes().size(); ++j) {
    const Node& n = graph_.nodes()[j];
    if (n.op == Op::kWeight || n.op == Op::kReshape) continue;
    if (n.op != Op::kMatMul || n.inputs[0] != x) break;
    const Shape& w = node(n.inputs[1]).shape;
    all.groups[0].sums.push_back({{all.right.size()}, value(static_cast<NodeId>(j)).data, w[0], false});
    all.right.push_back({matrix(n.inputs[1]), w[0], w[1], Lines::kRows});
    last = j;
  }
  add_products(std::move(all));
  return last;
}

std::size_t TrainCompiler::weight_products(std::size_t i) {
  const NodeId x = graph_.nodes()[i].inputs[1];
  const int64_t rows = node(x).shape[0], k = node(x).shape.last();
  DenseProducts all{dense_, {{value(x).data, rows, k, Lines::kColumns}}, {}};
  std::size_t last = i;
  for (std::size_t j = i; j < graph_.nodes().size(); ++j) {
    const Node& n = graph_.nodes()[j];
    if (n.op != Op::kMatMulWeightGrad || n.inputs[1] != x) break;
    all.groups.push_back({{{value(n.inputs[0]).data, rows, node(n.inputs[0]).shape.last(), Lines::kColumns}}, {{{0}, gradient(n.inputs[2]), k, true}}});
    last = j;
  }
  add_products(std::move(all));
  return last;
}

void TrainCompiler::sum_of_products(const std::vector<NodeId>& terms, NodeId id) {
  // The sum took over the bytes of its first term, which was born while all that the products read was there.
  if (value(id).data != value(terms[0]).data) fail(ErrorCode::kInternal, "a sum of products that lies elsewhere than its first");
  DenseProducts all{dense_, {}, {{{}, {{{}, value(id).data, value(id).width, false}}}}};
  DenseGroup& sum = all.groups[0];
  for (const NodeId term : terms) {
    const Node& n = node(term);
    const Shape& w = node(n.inputs[1]).shape;
    sum.sums[0].right.push_back(all.right.size());
    sum.left.push_back({value(n.inputs[0]).data, n.shape[0], w[0], Lines::kRows});
    all.right.push_back({matrix(n.inputs[1]), w[0], w[1], Lines::kColumns});
  }
  add_products(std::move(all));
}

void TrainCompiler::embed(const Node& n, NodeId id) {
  const Node& table = node(n.inputs[0]);
  const Tensor& t = table.values();
  if (!info(t.dtype).is_weight) fail(ErrorCode::kUnsupported, "{}: embeddings of type {}", table.name, name(t.dtype));
  auto row = [t](int64_t r, float* y) { decode_row(t.dtype, t.row(r), y, t.shape.last()); };
  add(make_embed_step(node(n.inputs[1]).op, std::move(row), value(id)), {}, {value(id)});
}

void TrainCompiler::row_norms(const Node& n, NodeId id) {
  const Node &weight = node(n.inputs[0]), &a = node(n.inputs[1]);
  if (!info(weight.constant.dtype).is_weight) fail(ErrorCode::kUnsupported, "{}: a weight of type {}", weight.name, name(weight.constant.dtype));
  add(make_row_norms_step({weight.constant, value(n.inputs[1]).data, value(n.inputs[2]).data, a.shape[0], n.get<ScaleAttrs>().factor, value(id).data}));
}

void TrainCompiler::attention(const Node& n, NodeId id) {
  const Shape &q = node(n.inputs[0]).shape, &k = node(n.inputs[1]).shape;
  TrainAttentionStep step{.attrs = n.get<AttentionAttrs>(), .n_heads = q[1], .n_kv_heads = k[1], .q = value(n.inputs[0]),
                          .k = value(n.inputs[1]), .v = value(n.inputs[2]), .out = value(id), .lse = {}, .dout = {}, .dq = {},
                          .dk = {}, .dv = {}, .bf16 = bf16_attention_};
  step.lse = value_or_scratch({q[0], q[1]}, part(id, 1));
  step.memory = scratch(train_attention_bytes(step, made_.pool_.size()));
  add(make_train_attention_step(step));
}

void TrainCompiler::attention_gradient(const Node& n, NodeId id) {
  const Shape &q = node(n.inputs[1]).shape, &k = node(n.inputs[2]).shape, &v = node(n.inputs[3]).shape;
  TrainAttentionStep step{.attrs = n.get<AttentionAttrs>(), .n_heads = q[1], .n_kv_heads = k[1], .q = value(n.inputs[1]),
                          .k = value(n.inputs[2]), .v = value(n.inputs[3]), .out = value(n.inputs[4]), .lse = value(n.inputs[5]),
                          .dout = value(n.inputs[0]), .dq = value(id), .dk = {}, .dv = {}, .bf16 = bf16_attention_};
  step.dk = value_or_scratch(k, part(id, 1));
  step.dv = value_or_scratch(v, part(id, 2));
  step.memory = scratch(train_attention_bytes(step, made_.pool_.size()));
  add(make_train_attention_gradient_step(step));
}

void TrainCompiler::head_loss(const Node& n, NodeId id) {
  const auto& attrs = n.get<HeadLossAttrs>();
  HeadLossStep step{.attrs = attrs, .dense = dense_, .row_dim = n.shape[0], .n_vocab = node(n.inputs[1]).shape[0],
                    .x = value(n.inputs[0]), .losses = value(id), .dx = part(id, 1), .weight = matrix(n.inputs[1])};
  if (attrs.has_bias) step.bias = value(n.inputs[4]).data;
  if (attrs.trains_weight) step.d_weight = gradient(n.inputs[1]);
  if (attrs.trains_bias) step.d_bias = gradient(n.inputs[4]);
  step.memory = scratch(head_loss_bytes(step, max_, made_.pool_.size()));
  add(make_head_loss_step(step, max_, made_.pool_.size()));
}

Moments TrainCompiler::new_moments(const Node& n) {
  const Shape& x = node(n.inputs[1]).shape;
  return std::make_shared<std::vector<RowMoments>>(static_cast<std::size_t>(resolve(x, max_).rows()));
}

void TrainCompiler::norm_gradient(const Node& n, Value dx, const Moments& moments) {
  const std::vector<Value> in = inputs(n);
  const std::vector<Value> writes = dx.data != nullptr ? std::vector<Value>{dx} : std::vector<Value>{};
  // The shape of a weight's gradient does not tell how many rows there are.
  Node rows = n;
  rows.shape = node(n.inputs[1]).shape;
  add(make_norm_gradient_step(rows, in, dx, moments), in, writes);
}

// Together with the gradient of x, which follows if it is wanted, and of the bias, which may be between: one pass gives the
// moments that both need.
std::size_t TrainCompiler::norm_weight(std::size_t i) {
  const auto& nodes = graph_.nodes();
  const Node& n = nodes[i];
  const Moments moments = new_moments(n);
  std::size_t at = i + 1;
  const bool bias = at < nodes.size() && nodes[at].op == Op::kBiasGrad && nodes[at].inputs[0] == n.inputs[0];
  if (bias) ++at;
  const Op wanted = n.op == Op::kRmsNormWeightGrad ? Op::kRmsNormGrad : Op::kLayerNormGrad;
  const bool both = at < nodes.size() && nodes[at].op == wanted && nodes[at].inputs[0] == n.inputs[0] && nodes[at].inputs[1] == n.inputs[1];
  norm_gradient(both ? nodes[at] : n, both ? value(static_cast<NodeId>(at)) : Value{}, moments);
  column_sum(n, moments);
  if (both && bias) column_sum(nodes[i + 1]);
  return both ? at : i;
}

void TrainCompiler::column_sum(const Node& n, const Moments& moments) {
  const NodeId weight = trained_by(n)[0], dy = n.inputs[0];
  const Value x = n.op == Op::kBiasGrad ? Value{} : value(n.inputs[1]);
  add(make_column_sum_step({value(dy), x, node(dy).shape[0], node(weight).shape.last(), moments, gradient(weight)}));
}

void TrainCompiler::conv(const Node& n, NodeId id) {
  if (n.op == Op::kShortConvWeightGrad) {
    const NodeId w = n.inputs[2];
    return add(make_train_conv_step(n.op, {value(n.inputs[1]), value(n.inputs[0]), nullptr, node(w).shape[1], {}, gradient(w)}));
  }
  const NodeId w = n.inputs[1];
  add(make_train_conv_step(n.op, {value(n.inputs[0]), {}, value(w).data, node(w).shape[1], value(id), nullptr}));
}

void TrainCompiler::expert_node(const Node& n, NodeId id) {
  const std::vector<Value> in = inputs(n);
  switch (n.op) {
    case Op::kRoute: {
      const auto plan = std::make_shared<ExpertPlan>(node(n.inputs[0]).shape[1], n.get<RouteAttrs>().n_used);
      experts_[id] = plan;
      add(make_route_step(n.get<RouteAttrs>(), in[0], value(id)), in, {value(id)});
      return add(make_expert_plan_step(value(id), plan));
    }
    case Op::kRouteGrad: return add(make_route_gradient_step(n.get<RouteAttrs>(), in, value(id)), in, {value(id)});
    case Op::kExpertSum: return add(make_expert_sum_step(in[0], in[1], value(id), experts_.at(n.inputs[1])));
    case Op::kExpertSumGrad: return add(make_expert_sum_gradient_step(in[0], in[1], value(id), experts_.at(n.inputs[1])));
    default: return add(make_expert_sum_route_gradient_step(in[0], in[1], value(id), experts_.at(n.inputs[2])));
  }
}

void TrainCompiler::expert_product(const Node& n, NodeId id) {
  const bool weighs = n.op == Op::kExpertMatMulWeightGrad;
  const NodeId route = n.inputs[2], weight = weighs ? n.inputs[3] : n.inputs[1], x = weighs ? n.inputs[1] : n.inputs[0];
  const Shape& w = node(weight).shape;
  TrainExpertStep step{.product = ExpertProduct::kForward, .dense = dense_, .weight = nullptr, .n = w[1], .k = w[2], .x = {}, .y = {},
                       .dx = {}, .x_of_pairs = node(x).shape.rank() == 3, .d_weight = nullptr};
  if (weighs) {
    step.product = ExpertProduct::kWeightGradient;
    step.x = value(x);
    step.y = value(n.inputs[0]);
    step.d_weight = gradient(weight);
  } else {
    step.weight = matrix(weight);
  }
  const auto plan = experts_.at(route);
  const bool sums = n.op == Op::kExpertMatMulGrad && n.shape.rank() == 2;
  if (n.op == Op::kExpertMatMul) {
    step.x = value(x);
    step.y = value(id);
  } else if (n.op == Op::kExpertMatMulGrad) {
    step.product = ExpertProduct::kGradient;
    step.y = value(n.inputs[0]);
    step.dx = sums ? Value{reinterpret_cast<float*>(scratch(max_.tokens * plan->n_used * step.k * 4)), plan->n_used * step.k} : value(id);
  }
  step.memory = scratch(train_expert_bytes(step, made_.pool_.size()));
  const Value dx = step.dx;
  add(make_train_expert_step(step, plan));
  if (sums) add(make_pair_sum_step(dx, value(id), plan));
}

void TrainCompiler::row_by_row(const Node& n, NodeId id) {
  const std::vector<Value> in = inputs(n);
  std::vector<Value> out{value(id)};
  const bool is_gradient = n.op == Op::kDropout || n.op == Op::kRoundInput || (n.op >= Op::kMatMulGrad && n.op <= Op::kScatterRows);
  if (n.op == Op::kGatedGrad) out.push_back(value_or_scratch(n.shape, part(id, 1)));
  // A vector that all rows share is needed until the last row, unlike a row of a value of the same width.
  std::vector<Value> reads = in;
  for (std::size_t k = 0; k < reads.size(); ++k) {
    const Shape& shape = node(n.inputs[k]).shape;
    if (shape.rank() == 1 && shape[0] > 0) ++reads[k].width;
  }
  add(is_gradient ? make_gradient_step(graph_, n, in, out) : make_rowwise_step(graph_, n, in, out[0]), reads, out);
}

}  // namespace minnow
