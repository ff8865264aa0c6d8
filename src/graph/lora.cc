#include "graph/lora.h"

#include <map>

#include "base/error.h"

namespace minnow {
namespace {

class Adder {
 public:
  using AdapterOf = std::function<std::optional<LoraWeights>(const Node& weight)>;
  Adder(const Graph& from, const AdapterOf& adapter_of) : from_(from), adapter_of_(adapter_of) {}

  Graph make() {
    for (const Node& original : from_.nodes()) {
      Node n = original;
      for (NodeId& in : n.inputs) {
        if (in != kNoNode) in = renamed_[static_cast<std::size_t>(in)];
      }
      const bool multiplies = n.op == Op::kMatMul && graph_.node(n.inputs[1]).op == Op::kWeight;
      const NodeId x = n.inputs[0], weight = n.inputs[1];
      NodeId y = graph_.append(std::move(n));
      if (multiplies) {
        if (const auto& found = adapter(graph_.node(weight))) y = adapted(x, weight, y, *found);
      }
      renamed_.push_back(y);
    }
    graph_.set_output(renamed_[static_cast<std::size_t>(from_.output())]);
    return std::move(graph_);
  }

 private:
  const std::optional<LoraWeights>& adapter(const Node& weight) {
    const auto [at, is_new] = adapters_.try_emplace(weight.name);
    if (is_new) at->second = adapter_of_(weight);
    return at->second;
  }

  NodeId adapted(NodeId x, NodeId weight, NodeId y, const LoraWeights& adapter) {
    const std::string name = graph_.node(weight).name;
    const auto [a, is_new] = a_nodes_.try_emplace(name, kNoNode);
    if (is_new) a->second = graph_.weight(name + ".lora_a", adapter.a);
    const auto [inner, is_first] = inner_.try_emplace({x, a->second}, kNoNode);
    if (is_first) inner->second = graph_.matmul(dropped(x, adapter.dropout), a->second);
    const NodeId b = rows_of_b(graph_.node(weight), adapter);
    const NodeId sum = graph_.add(y, graph_.scale(graph_.matmul(inner->second, b), adapter.scale));
    if (adapter.gain) return graph_.mul(sum, rows_of_vector(graph_.node(weight), adapter.gain, ".lora_gain"));
    if (!adapter.magnitude) return sum;
    const NodeId normed = graph_.mul(sum, graph_.inverse_row_norms(weight, a->second, b, adapter.scale));
    return graph_.mul(normed, rows_of_vector(graph_.node(weight), adapter.magnitude, ".lora_magnitude"));
  }

  NodeId dropped(NodeId x, float p) { return p == 0 ? x : graph_.dropout(x, {.p = p, .salt = n_dropouts_++}); }

  NodeId rows_of_b(const Node& weight, const LoraWeights& adapter) {
    const int64_t first = weight.get<WeightAttrs>().first_row, n = weight.shape[0];
    Tensor b = adapter.b;
    if (b.shape.rank() != 2 || adapter.a.shape.rank() != 2 || b.shape[1] != adapter.a.shape[0] || b.shape[0] < first + n) {
      fail(ErrorCode::kInvalidInput, "adapter of {}: {} and {} do not fit rows {} to {} of it", weight.name,
           adapter.a.shape.text(), b.shape.text(), first, first + n);
    }
    b.data = b.row(first);
    b.shape[0] = n;
    return graph_.weight(weight.name + ".lora_b", b, first);
  }

  NodeId rows_of_vector(const Node& weight, const Tensor& vector, const char* suffix) {
    const int64_t first = weight.get<WeightAttrs>().first_row, n = weight.shape[0];
    if (vector.shape.rank() != 1 || vector.shape[0] < first + n) {
      fail(ErrorCode::kInvalidInput, "adapter of {}: {} numbers do not fit rows {} to {} of it", weight.name, vector.shape.text(), first,
           first + n);
    }
    Tensor part = vector;
    part.data += first * static_cast<int64_t>(sizeof(float));
    part.shape[0] = n;
    return graph_.weight(weight.name + suffix, part, first);
  }

  const Graph& from_;
  const AdapterOf& adapter_of_;
  Graph graph_;
  std::vector<NodeId> renamed_;
  std::map<std::string, std::optional<LoraWeights>> adapters_;  // by name of the weight
  std::map<std::string, NodeId> a_nodes_;
  std::map<std::pair<NodeId, NodeId>, NodeId> inner_;  // x A^T, by x and A
  uint32_t n_dropouts_ = 0;
};

}  // namespace

Graph add_lora(const Graph& graph, const std::function<std::optional<LoraWeights>(const Node& weight)>& adapter_of) {
  return Adder(graph, adapter_of).make();
}

}  // namespace minnow
