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

// Copies the nodes that the output needs, under new numbers.
Graph without_dead_nodes(const Graph& graph) {
  std::vector<bool> live(graph.nodes().size(), false);
  live[static_cast<std::size_t>(graph.output())] = true;
  for (std::size_t i = graph.nodes().size(); i-- > 0;) {
    if (!live[i]) continue;
    for (const NodeId in : graph.nodes()[i].inputs) {
      if (in != kNoNode) live[static_cast<std::size_t>(in)] = true;
    }
  }
  Graph out;
  std::vector<NodeId> renamed(graph.nodes().size(), kNoNode);
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    if (!live[i]) continue;
    Node n = graph.nodes()[i];
    for (NodeId& in : n.inputs) {
      if (in != kNoNode) in = renamed[static_cast<std::size_t>(in)];
    }
    renamed[i] = out.append(std::move(n));
  }
  out.set_output(renamed[static_cast<std::size_t>(graph.output())]);
  return out;
}

bool is_outside(Op op) { return op == Op::kWeight || op == Op::kTokens || op == Op::kPositions || op == Op::kSegments; }

// Ops that read element i of their first input before they write element i, and nothing of it afterwards.
bool works_in_place(Op op) {
  switch (op) {
    case Op::kAdd:
    case Op::kMul:
    case Op::kScale:
    case Op::kUnary:
    case Op::kGated:
    case Op::kSoftCap:
    case Op::kRope:
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

}  // namespace

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
  return without_dead_nodes(fused);
}

MemoryPlan plan_memory(const Graph& graph, StepSize max) {
  const auto& nodes = graph.nodes();
  const auto index = [](NodeId id) { return static_cast<std::size_t>(id); };

  // A reshape is another name of its root; a root is alive until the last use of any of its names.
  std::vector<std::size_t> root(nodes.size());
  std::vector<std::size_t> last_use(nodes.size());
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    root[i] = nodes[i].op == Op::kReshape ? root[index(nodes[i].inputs[0])] : i;
    last_use[root[i]] = i;
    for (int k = 0; k < nodes[i].n_inputs(); ++k) last_use[root[index(nodes[i].inputs[static_cast<std::size_t>(k)])]] = i;
  }
  last_use[root[index(graph.output())]] = nodes.size();

  MemoryPlan plan;
  plan.offset.assign(nodes.size(), MemoryPlan::kOutside);
  Arena arena;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const Node& n = nodes[i];
    if (is_outside(n.op)) continue;
    if (n.op == Op::kReshape) {
      plan.offset[i] = plan.offset[root[i]];
      continue;
    }
    const std::size_t first = n.n_inputs() > 0 ? root[index(n.inputs[0])] : i;
    const bool take_over = works_in_place(n.op) && last_use[first] == i && plan.offset[first] != MemoryPlan::kOutside;
    if (take_over) {
      plan.offset[i] = plan.offset[first];
    } else {
      const int64_t bytes = resolve(n.shape, max).elements() * static_cast<int64_t>(sizeof(float));
      plan.offset[i] = arena.take((std::max<int64_t>(bytes, 1) + kAlignment - 1) / kAlignment * kAlignment);
    }
    std::vector<std::size_t> dead;
    for (int k = 0; k < n.n_inputs(); ++k) {
      const std::size_t r = root[index(n.inputs[static_cast<std::size_t>(k)])];
      const bool mine = take_over && r == first;
      if (last_use[r] == i && !mine && plan.offset[r] != MemoryPlan::kOutside &&
          std::find(dead.begin(), dead.end(), r) == dead.end()) {
        dead.push_back(r);
      }
    }
    for (const std::size_t r : dead) arena.give_back(plan.offset[r]);
  }
  plan.bytes = arena.peak();
  return plan;
}

}  // namespace minnow
