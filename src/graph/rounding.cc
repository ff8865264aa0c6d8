#include "graph/rounding.h"

#include <map>

#include "base/error.h"

namespace minnow {

Graph add_rounding(const Graph& from, const std::function<std::optional<RoundedWeight>(const Node& weight)>& rounded_of) {
  Graph graph;
  std::vector<NodeId> renamed;
  std::map<NodeId, int32_t> blocks;                          // by weight
  std::map<std::pair<NodeId, int32_t>, NodeId> inputs_seen;  // by input and block: what several products share
  for (const Node& original : from.nodes()) {
    Node n = original;
    for (NodeId& in : n.inputs) {
      if (in != kNoNode) in = renamed[static_cast<std::size_t>(in)];
    }
    const bool multiplies = n.op == Op::kMatMul || n.op == Op::kExpertMatMul;
    if (const auto block = multiplies ? blocks.find(n.inputs[1]) : blocks.end(); block != blocks.end()) {
      const auto [seen, is_new] = inputs_seen.try_emplace({n.inputs[0], block->second}, kNoNode);
      if (is_new) seen->second = graph.round_input(n.inputs[0], {block->second});
      n.inputs[0] = seen->second;
    }
    std::optional<RoundedWeight> rounded;
    if (n.op == Op::kWeight) rounded = rounded_of(n);
    if (rounded && rounded->values.shape != n.shape) {
      fail(ErrorCode::kInvalidInput, "{} {} cannot be rounded to {}", n.name, n.shape.text(), rounded->values.shape.text());
    }
    if (rounded) n.rounded = rounded->values;
    renamed.push_back(graph.append(std::move(n)));
    if (rounded && rounded->input_block > 0) blocks[renamed.back()] = rounded->input_block;
  }
  graph.set_output(renamed[static_cast<std::size_t>(from.output())]);
  return graph;
}

}  // namespace minnow
