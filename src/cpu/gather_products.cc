#include "cpu/gather_products.h"

#include <map>

namespace minnow {
namespace {

std::size_t index(NodeId id) { return static_cast<std::size_t>(id); }

// Nodes whose value nothing but one other node reads.
std::vector<bool> read_once(const Graph& graph) {
  std::vector<int> uses(graph.nodes().size(), 0);
  for (const Node& n : graph.nodes()) {
    for (int k = 0; k < n.n_inputs(); ++k) ++uses[index(n.inputs[static_cast<std::size_t>(k)])];
  }
  ++uses[index(graph.output())];
  std::vector<bool> once;
  for (const int n : uses) once.push_back(n == 1);
  return once;
}

// The products of a sum, in order; empty when anything else is in it. Two terms that are a product or such a sum make one, when the
// first of all is the oldest: the sum lies where that does, which nothing that the others read may take before.
std::vector<std::vector<NodeId>> terms_of(const Graph& graph) {
  const std::vector<bool> once = read_once(graph);
  std::vector<std::vector<NodeId>> terms(graph.nodes().size());
  for (std::size_t i = 0; i < terms.size(); ++i) {
    const Node& n = graph.nodes()[i];
    if (n.op == Op::kMatMulGrad) terms[i] = {static_cast<NodeId>(i)};
    if (n.op != Op::kAdd || graph.node(n.inputs[1]).shape != n.shape) continue;
    const auto &a = terms[index(n.inputs[0])], &b = terms[index(n.inputs[1])];
    if (a.empty() || b.empty() || a.front() > b.front() || !once[index(n.inputs[0])] || !once[index(n.inputs[1])]) continue;
    terms[i] = a;
    terms[i].insert(terms[i].end(), b.begin(), b.end());
  }
  return terms;
}

// For each node the node that it is brought to: what it is itself when it stays.
class Destinations {
 public:
  explicit Destinations(const Graph& graph) : terms_(terms_of(graph)), to_(graph.nodes().size()) {
    std::map<NodeId, std::size_t> last_of_x;
    for (std::size_t i = to_.size(); i-- > 0;) {
      const Node& n = graph.nodes()[i];
      to_[i] = i;
      if (n.op == Op::kMatMulWeightGrad) to_[i] = last_of_x.try_emplace(n.inputs[1], i).first->second;
    }
    for (std::size_t i = to_.size(); i-- > 0;) {
      if (terms_[i].size() < 2) continue;
      for (std::size_t k = 0; k < 2; ++k) to_[index(graph.nodes()[i].inputs[k])] = to_[i];
    }
  }
  std::size_t of(std::size_t node) const { return to_[node]; }
  const std::vector<NodeId>& terms(std::size_t node) const { return terms_[node]; }
  bool ends_sum(std::size_t node) const { return terms_[node].size() > 1 && to_[node] == node; }

 private:
  std::vector<std::vector<NodeId>> terms_;
  std::vector<std::size_t> to_;
};

}  // namespace

GatheredProducts gather_products(const TrainingGraph& training) {
  const Graph& from = training.graph;
  const Destinations to(from);
  std::vector<std::vector<std::size_t>> waiting(from.nodes().size());
  std::vector<NodeId> renamed(from.nodes().size(), kNoNode);
  Graph graph;
  GatheredProducts made;
  const auto append = [&](std::size_t i) {
    Node n = from.nodes()[i];
    for (NodeId& in : n.inputs) {
      if (in != kNoNode) in = renamed[index(in)];
    }
    renamed[i] = graph.append(std::move(n));
    made.within_sum.push_back(to.of(i) != i && from.nodes()[i].op != Op::kMatMulWeightGrad);
    auto& sum = made.sums.emplace_back();
    if (!to.ends_sum(i)) return;
    for (const NodeId term : to.terms(i)) sum.push_back(renamed[index(term)]);
  };
  for (std::size_t i = 0; i < from.nodes().size(); ++i) {
    if (to.of(i) != i) {
      waiting[to.of(i)].push_back(i);
      continue;
    }
    for (const std::size_t w : waiting[i]) append(w);
    append(i);
  }
  graph.set_output(renamed[index(from.output())]);
  made.training.graph = std::move(graph);
  made.training.first_backward = training.first_backward;
  for (WeightGradient g : training.gradients) {
    g.weight = renamed[index(g.weight)];
    for (NodeId& f : g.from) f = renamed[index(f)];
    made.training.gradients.push_back(std::move(g));
  }
  return made;
}

}  // namespace minnow
