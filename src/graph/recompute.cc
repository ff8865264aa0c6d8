#include "graph/recompute.h"

#include <algorithm>

#include "base/error.h"
#include "graph/passes.h"

namespace minnow {
namespace {

std::size_t index(NodeId id) { return static_cast<std::size_t>(id); }

// Weights, inputs and what is small and the same for all layers.
bool is_always_there(Op op) { return op == Op::kWeight || op == Op::kRopeTable || is_step_input(op); }

// What makes computing a segment again worth avoiding.
bool is_work(Op op) { return op == Op::kMatMul || op == Op::kExpertMatMul || op == Op::kBatchAttention; }

// By node, the node whose value a chain of reshapes shows.
std::vector<NodeId> roots_of(const Graph& graph) {
  std::vector<NodeId> roots;
  for (const Node& n : graph.nodes()) {
    const auto self = static_cast<NodeId>(roots.size());
    roots.push_back(n.op == Op::kReshape ? roots[index(n.inputs[0])] : self);
  }
  return roots;
}

class Recomputer {
 public:
  Recomputer(const TrainingGraph& training, int every)
      : from_(training.graph),
        n_forward_(training.first_backward),
        segment_(from_.nodes().size(), kKept),
        clones_(segment_.size(), kNoNode) {
    const std::vector<NodeId> places = narrow_places(from_, n_forward_);
    const std::vector<NodeId> roots = roots_of(from_);
    std::vector<NodeId> kept;
    for (std::size_t i = 0; i < places.size(); i += static_cast<std::size_t>(every)) kept.push_back(places[i]);
    if (kept.size() < 2) return;
    for (NodeId id = kept.front(); id < kept.back(); ++id) {
      const NodeId root = roots[index(id)];
      const bool stays = std::binary_search(kept.begin(), kept.end(), root) || is_always_there(from_.node(root).op);
      if (!stays) segment_[index(id)] = static_cast<int>(std::upper_bound(kept.begin(), kept.end(), id) - kept.begin());
    }
    find_wanted();
    leave_last_segment();
  }

  Graph make() {
    std::vector<NodeId> renamed;
    for (std::size_t i = 0; i < from_.nodes().size(); ++i) {
      Node n = from_.nodes()[i];
      const bool backward = static_cast<NodeId>(i) >= n_forward_;
      if (backward) bring_back(n);
      for (NodeId& in : n.inputs) {
        if (in == kNoNode) continue;
        const bool cloned = backward && in < n_forward_ && clones_[index(in)] != kNoNode;
        in = cloned ? clones_[index(in)] : renamed[index(in)];
      }
      renamed.push_back(graph_.append(std::move(n)));
    }
    graph_.set_output(renamed[index(from_.output())]);
    return std::move(graph_);
  }

 private:
  // What the backward pass needs of the segments, and what that is made of within them.
  void find_wanted() {
    wanted_.assign(segment_.size(), false);
    for (std::size_t i = from_.nodes().size(); i-- > 0;) {
      if (static_cast<NodeId>(i) < n_forward_ && !wanted_[i]) continue;
      for (const NodeId in : from_.nodes()[i].inputs) {
        if (in != kNoNode && segment_[index(in)] != kKept) wanted_[index(in)] = true;
      }
    }
  }

  // The backward pass begins with the segment that came last, whose values are all there.
  void leave_last_segment() {
    int last = kKept;
    for (std::size_t i = 0; i < segment_.size(); ++i) {
      if (wanted_[i] && is_work(from_.nodes()[i].op)) last = std::max(last, segment_[i]);
    }
    for (int& segment : segment_) segment = segment >= last ? kKept : segment;
  }

  // Computes the segments that n reads from again, unless that was done for a node before it.
  void bring_back(const Node& n) {
    for (const NodeId in : n.inputs) {
      if (in == kNoNode || segment_[index(in)] == kKept || clones_[index(in)] != kNoNode) continue;
      for (NodeId id = 0; id < n_forward_; ++id) {
        if (segment_[index(id)] == segment_[index(in)] && wanted_[index(id)]) clone(id);
      }
    }
  }

  // Nodes of the forward pass have the numbers that they had.
  void clone(NodeId id) {
    Node n = from_.node(id);
    for (NodeId& in : n.inputs) {
      if (in != kNoNode && clones_[index(in)] != kNoNode) in = clones_[index(in)];
    }
    clones_[index(id)] = graph_.append(std::move(n));
  }

  static constexpr int kKept = -1;
  const Graph& from_;
  const NodeId n_forward_;
  Graph graph_;
  std::vector<int> segment_;    // by node: which segment of the forward pass it is computed again with, or kKept
  std::vector<bool> wanted_;    // by node
  std::vector<NodeId> clones_;  // by node
};

}  // namespace

std::vector<NodeId> narrow_places(const Graph& graph, NodeId first_backward) {
  const std::vector<NodeId> roots = roots_of(graph);
  // The last node of the forward pass, or the loss, that reads a value. Gradients read what the forward pass made.
  std::vector<NodeId> last_use(roots.size(), kNoNode);
  for (NodeId id = 0; id < static_cast<NodeId>(roots.size()); ++id) {
    const Node& n = graph.node(id);
    if (id >= first_backward && n.op != Op::kHeadLoss) continue;
    for (const NodeId in : n.inputs) {
      if (in != kNoNode) last_use[index(roots[index(in)])] = std::min(id, first_backward);
    }
  }
  if (graph.output() < first_backward) last_use[index(roots[index(graph.output())])] = first_backward;

  std::vector<NodeId> places;
  std::vector<NodeId> alive;
  for (NodeId id = 0; id < first_backward; ++id) {
    std::erase_if(alive, [&](NodeId v) { return last_use[index(v)] <= id; });
    const bool is_value = roots[index(id)] == id && !is_always_there(graph.node(id).op);
    if (is_value && last_use[index(id)] > id) alive.push_back(id);
    if (alive.size() == 1 && (places.empty() || places.back() != alive[0])) places.push_back(alive[0]);
  }
  return places;
}

TrainingGraph recompute(const TrainingGraph& training, int every) {
  if (every < 1) fail(ErrorCode::kInvalidInput, "training: keeping every {}th value; it must be at least the first", every);
  return as_training_graph(Recomputer(training, every).make(), training.first_backward);
}

TrainingGraph recompute_most(const TrainingGraph& training, StepSize max) {
  const auto n_places = static_cast<int>(narrow_places(training.graph, training.first_backward).size());
  TrainingGraph best = training;
  int64_t least = plan_memory(training.graph, max).bytes;
  for (int every = 1; every < n_places; every += 1 + every / 4) {
    TrainingGraph tried = recompute(training, every);
    const int64_t bytes = plan_memory(tried.graph, max).bytes;
    if (bytes >= least) continue;
    least = bytes;
    best = std::move(tried);
  }
  return best;
}

}  // namespace minnow
