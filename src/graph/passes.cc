#include "graph/passes.h"

#include <algorithm>

namespace minnow {
namespace {

constexpr int64_t kAlignment = 64;

std::vector<int> count_uses(const Graph& graph) {
  std::vector<int> uses(graph.nodes().size(), 0);
  for (const Node& n : graph.nodes()) {
    for (int k = 0; k < n.n_inputs(); ++k) ++uses[static_cast<std::size_t>(n.inputs[static_cast<std::size_t>(k)])];
  }
  ++uses[static_cast<std::size_t>(graph.output())];
  return uses;
}

// Ops that read element i of their first input before they write element i, and nothing of it afterwards. Gradients have dy
// first, which is seldom needed again.
bool works_in_place(Op op) {
  switch (op) {
    case Op::kAdd:
    case Op::kMul:
    case Op::kScale:
    case Op::kUnary:
    case Op::kGated:
    case Op::kSoftCap:
    case Op::kRope:
    case Op::kRoundInput:
    case Op::kDropout:
    case Op::kUnaryGrad:
    case Op::kGatedGrad:
    case Op::kSoftCapGrad:
    case Op::kRopeGrad:
      return true;
    default:
      return false;
  }
}

// First-fit allocation of byte ranges.
class Arena {
 public:
  int64_t take(int64_t bytes) {
    int64_t at = 0;
    auto it = used_.begin();
    for (; it != used_.end() && it->begin - at < bytes; ++it) at = std::max(at, it->end);
    used_.insert(it, {at, at + bytes});
    peak_ = std::max(peak_, at + bytes);
    return at;
  }
  void give_back(int64_t at) {
    used_.erase(std::find_if(used_.begin(), used_.end(), [&](const Range& r) { return r.begin == at; }));
  }
  int64_t peak() const { return peak_; }

 private:
  struct Range {
    int64_t begin, end;
  };
  std::vector<Range> used_;  // ascending, disjoint
  int64_t peak_ = 0;
};

// Weights and what comes from outside of the block; gradients of weights have buffers of their own.
bool is_outside(Op op) { return op == Op::kWeight || is_step_input(op) || is_weight_grad(op); }

// How long each value is needed. A reshape is another name of its root, whose life ends with the last use of any name.
struct Lives {
  explicit Lives(const Graph& graph) : root(graph.nodes().size()), last_use(root.size()) {
    const auto& nodes = graph.nodes();
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      root[i] = nodes[i].op == Op::kReshape ? root_of(nodes[i].inputs[0]) : i;
      last_use[root[i]] = i;
      for (int k = 0; k < nodes[i].n_inputs(); ++k) last_use[root_of(nodes[i].inputs[static_cast<std::size_t>(k)])] = i;
    }
    last_use[root_of(graph.output())] = nodes.size();
  }
  std::size_t root_of(NodeId id) const { return root[static_cast<std::size_t>(id)]; }

  std::vector<std::size_t> root, last_use;
};

// Places values in the order of their birth.
class Planner {
 public:
  Planner(const Graph& graph, StepSize max) : graph_(graph), max_(max), lives_(graph) {
    plan_.offset.assign(graph.nodes().size(), MemoryPlan::kOutside);
  }

  MemoryPlan plan() {
    for (std::size_t i = 0; i < graph_.nodes().size(); ++i) {
      const Node& n = graph_.nodes()[i];
      if (n.op == Op::kReshape) {
        plan_.offset[i] = plan_.offset[lives_.root[i]];
      } else if (!is_outside(n.op) && n.op != Op::kPart) {
        give_birth(i);
      }
      release_inputs(i);
    }
    plan_.bytes = arena_.peak();
    return std::move(plan_);
  }

 private:
  // All values of a node begin with it, while its inputs are still there.
  void give_birth(std::size_t i) {
    const Node& n = graph_.nodes()[i];
    const std::size_t first = n.n_inputs() > 0 ? lives_.root_of(n.inputs[0]) : i;
    const bool take_over = works_in_place(n.op) && lives_.last_use[first] == i && plan_.offset[first] != MemoryPlan::kOutside;
    plan_.offset[i] = take_over ? plan_.offset[first] : take(n.shape);
    if (take_over) taken_over_ = first;
    for (std::size_t part = i + 1; part < graph_.nodes().size() && graph_.nodes()[part].op == Op::kPart; ++part) {
      plan_.offset[part] = take(graph_.nodes()[part].shape);
    }
  }

  int64_t take(const Shape& shape) {
    const int64_t bytes = resolve(shape, max_).elements() * static_cast<int64_t>(sizeof(float));
    return arena_.take((std::max<int64_t>(bytes, 1) + kAlignment - 1) / kAlignment * kAlignment);
  }

  void release_inputs(std::size_t i) {
    const Node& n = graph_.nodes()[i];
    std::vector<std::size_t> dead;
    for (int k = 0; k < n.n_inputs(); ++k) {
      const std::size_t r = lives_.root_of(n.inputs[static_cast<std::size_t>(k)]);
      if (lives_.last_use[r] == i && r != taken_over_ && plan_.offset[r] != MemoryPlan::kOutside &&
          std::find(dead.begin(), dead.end(), r) == dead.end()) {
        dead.push_back(r);
      }
    }
    for (const std::size_t r : dead) arena_.give_back(plan_.offset[r]);
    taken_over_ = kNothing;
  }

  static constexpr auto kNothing = static_cast<std::size_t>(-1);
  const Graph& graph_;
  StepSize max_;
  Lives lives_;
  Arena arena_;
  MemoryPlan plan_;
  std::size_t taken_over_ = kNothing;  // by the node at hand
};

}  // namespace

Graph without_dead_nodes(const Graph& graph, std::vector<NodeId>* renamed) {
  const auto& nodes = graph.nodes();
  std::vector<bool> live(nodes.size(), false);
  live[static_cast<std::size_t>(graph.output())] = true;
  for (std::size_t i = nodes.size(); i-- > 0;) {
    if (!trained_by(nodes[i]).empty()) live[i] = true;
    if (!live[i]) continue;
    for (const NodeId in : nodes[i].inputs) {
      if (in != kNoNode) live[static_cast<std::size_t>(in)] = true;
    }
  }
  Graph out;
  std::vector<NodeId> names(nodes.size(), kNoNode);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (!live[i]) continue;
    Node n = nodes[i];
    for (NodeId& in : n.inputs) {
      if (in != kNoNode) in = names[static_cast<std::size_t>(in)];
    }
    names[i] = out.append(std::move(n));
  }
  out.set_output(names[static_cast<std::size_t>(graph.output())]);
  if (renamed != nullptr) *renamed = std::move(names);
  return out;
}

Graph without_dropout(const Graph& graph) {
  Graph kept;
  std::vector<NodeId> names;
  for (const Node& original : graph.nodes()) {
    Node n = original;
    for (NodeId& in : n.inputs) {
      if (in != kNoNode) in = names[static_cast<std::size_t>(in)];
    }
    names.push_back(n.op == Op::kDropout ? n.inputs[0] : kept.append(std::move(n)));
  }
  kept.set_output(names[static_cast<std::size_t>(graph.output())]);
  return kept;
}

Graph fuse(const Graph& graph) {
  const std::vector<int> uses = count_uses(graph);
  Graph fused;
  for (const Node& original : graph.nodes()) {
    Node n = original;
    if (n.op == Op::kMul) {
      const Node& gate = graph.node(n.inputs[0]);
      if (gate.op == Op::kUnary && uses[static_cast<std::size_t>(n.inputs[0])] == 1 &&
          graph.node(n.inputs[1]).shape == gate.shape) {
        n.op = Op::kGated;
        n.attrs = gate.attrs;
        n.inputs[0] = gate.inputs[0];
      }
    }
    fused.append(std::move(n));
  }
  fused.set_output(graph.output());
  return without_dead_nodes(fused, nullptr);
}

MemoryPlan plan_memory(const Graph& graph, StepSize max) { return Planner(graph, max).plan(); }

}  // namespace minnow
