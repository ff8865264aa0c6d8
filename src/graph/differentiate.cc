#include "graph/differentiate.h"

#include <algorithm>

#include "base/error.h"
#include "graph/gradient_rules.h"
#include "graph/passes.h"

namespace minnow {
namespace {

std::size_t index(NodeId id) { return static_cast<std::size_t>(id); }

bool is_trained(const Node& n, const DifferentiateOptions& options) {
  if (n.op != Op::kWeight || !options.trains || !options.trains(n)) return false;
  if (is_quantized(n.constant.dtype)) {
    throw Error(ErrorCode::kUnsupported,
                fmt::format("training: {} is of type {}, which gradients cannot change", n.name, name(n.constant.dtype)),
                "train adapters, or convert the model to f32, f16 or bf16");
  }
  return true;
}

// The forward pass under new numbers, and which of its nodes depend on a trained weight.
struct Forward {
  Graph graph;
  std::vector<NodeId> renamed;  // by node of the graph it was
  std::vector<bool> needed;     // by node of this graph

  Forward(const Graph& from, const DifferentiateOptions& options) {
    for (const Node& original : from.nodes()) {
      Node n = original;
      bool needs = is_trained(n, options);
      for (NodeId& in : n.inputs) {
        if (in == kNoNode) continue;
        in = renamed[index(in)];
        needs = needs || needed[index(in)];
      }
      needs = needs && n.op != Op::kInverseRowNorms;  // a constant
      const bool attends = n.op == Op::kAttention;
      if (attends) n.op = Op::kBatchAttention;
      renamed.push_back(graph.append(std::move(n)));
      needed.push_back(needs);
      if (!attends || !needs) continue;
      graph.part(renamed.back(), 1);
      needed.push_back(false);
    }
    graph.set_output(renamed[index(from.output())]);
  }
};

// softcap(scale * (x W^T + bias)), where the last three may be absent.
struct Head {
  NodeId x, weight, bias = kNoNode;
  float scale = 1, softcap = 0;
};

Head find_head(const Graph& graph) {
  Head head{};
  NodeId at = graph.output();
  const auto is = [&](Op op) { return graph.node(at).op == op; };
  const auto is_weight = [&](NodeId id) { return graph.node(id).op == Op::kWeight; };
  if (is(Op::kSoftCap)) {
    head.softcap = graph.node(at).get<SoftCapAttrs>().cap;
    at = graph.node(at).inputs[0];
  }
  if (is(Op::kScale)) {
    head.scale = graph.node(at).get<ScaleAttrs>().factor;
    at = graph.node(at).inputs[0];
  }
  if (is(Op::kAdd) && is_weight(graph.node(at).inputs[1])) {
    head.bias = graph.node(at).inputs[1];
    at = graph.node(at).inputs[0];
  }
  if (!is(Op::kMatMul) || !is_weight(graph.node(at).inputs[1])) {
    fail(ErrorCode::kUnsupported,
         "training: the graph does not end in logits (a product, then bias, scale and soft cap) but in {}",
         name(graph.node(at).op));
  }
  head.x = graph.node(at).inputs[0];
  head.weight = graph.node(at).inputs[1];
  return head;
}

void append_head_loss(Gradients& gradients, const TeacherAttrs& teacher) {
  Graph& graph = gradients.graph();
  const Head head = find_head(graph);
  const int64_t rows = graph.node(head.x).shape[0];
  Graph::HeadLoss inputs{head.x, head.weight, graph.targets(rows), graph.loss_weights(rows), head.bias};
  if (teacher.top_k > 0) inputs.teacher = graph.teacher(rows, teacher.top_k);
  const NodeId loss = graph.head_loss(inputs, {.scale = head.scale,
                                               .softcap = head.softcap,
                                               .trains_weight = gradients.needed(head.weight),
                                               .trains_bias = head.bias != kNoNode && gradients.needed(head.bias),
                                               .teacher = teacher});
  if (gradients.needed(head.x)) gradients.add(head.x, graph.part(loss, 1));
  graph.set_output(loss);
}

std::vector<WeightGradient> gradients_in(const Graph& graph) {
  std::vector<WeightGradient> found;
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    for (const NodeId weight : trained_by(graph.nodes()[i])) {
      const auto same = [&](const WeightGradient& g) { return g.weight == weight; };
      auto at = std::find_if(found.begin(), found.end(), same);
      if (at == found.end()) at = found.insert(at, {weight, {}});
      at->from.push_back(static_cast<NodeId>(i));
    }
  }
  std::sort(found.begin(), found.end(),
            [](const WeightGradient& a, const WeightGradient& b) { return a.weight < b.weight; });
  return found;
}

}  // namespace

TrainingGraph differentiate(const Graph& forward, const DifferentiateOptions& options) {
  Forward made(forward, options);
  Graph& graph = made.graph;
  const auto n_forward = static_cast<NodeId>(graph.nodes().size());
  Gradients gradients(graph, std::move(made.needed));
  if (options.loss == LossKind::kTokens) {
    append_head_loss(gradients, options.teacher);
  } else if (gradients.needed(graph.output())) {
    gradients.add(graph.output(), graph.output_grad(graph.output()));
  }
  for (NodeId id = n_forward; id-- > 0;) {
    if (gradients.needed(id) && gradients.of(id) != kNoNode) propagate(gradients, id);
  }
  return as_training_graph(graph, n_forward);
}

TrainingGraph as_training_graph(const Graph& graph, NodeId first_backward) {
  std::vector<NodeId> renamed;
  TrainingGraph training;
  training.graph = without_dead_nodes(graph, &renamed);
  training.first_backward =
      static_cast<NodeId>(first_backward - std::count(renamed.begin(), renamed.begin() + first_backward, kNoNode));
  training.gradients = gradients_in(training.graph);
  return training;
}

}  // namespace minnow
