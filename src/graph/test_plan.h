// Plays a memory plan: every value gets a stamp in each of its bytes when born; inputs must still carry their stamps.
#pragma once

#include <gtest/gtest.h>

#include <vector>

#include "graph/passes.h"

namespace minnow::test {

class PlanPlayer {
 public:
  PlanPlayer(const Graph& g, StepSize size)
      : graph_(g),
        size_(size),
        plan_(plan_memory(g, size)),
        owner_(static_cast<std::size_t>(plan_.bytes) / 4, -1),
        stamp_(g.nodes().size(), -1) {}

  void play() {
    for (std::size_t i = 0; i < graph_.nodes().size(); ++i) {
      const Node& n = graph_.nodes()[i];
      // The first value's node finds its bytes, too, when all parts are written.
      if (n.op != Op::kPart) check_inputs(i);
      if (n.op == Op::kReshape) {
        stamp_[i] = stamp_[static_cast<std::size_t>(n.inputs[0])];
        ASSERT_EQ(plan_.offset[i], plan_.offset[static_cast<std::size_t>(n.inputs[0])]);
      } else if (n.op != Op::kPart) {
        write(i);
        for (std::size_t p = i + 1; p < graph_.nodes().size() && graph_.nodes()[p].op == Op::kPart; ++p) write(p);
      }
      if (n.op != Op::kReshape && n.op != Op::kPart) check_value(i, i);
    }
  }

 private:
  void check_inputs(std::size_t i) {
    const Node& n = graph_.nodes()[i];
    for (int k = 0; k < n.n_inputs(); ++k) check_value(static_cast<std::size_t>(n.inputs[static_cast<std::size_t>(k)]), i);
  }
  void check_value(std::size_t value, std::size_t at) {
    if (plan_.offset[value] == MemoryPlan::kOutside) return;
    for (std::size_t b = 0; b < count(value); ++b)
      ASSERT_EQ(owner_[begin(value) + b], stamp_[value]) << "node " << at << " value " << value;
  }
  void write(std::size_t value) {
    if (plan_.offset[value] == MemoryPlan::kOutside) return;
    stamp_[value] = static_cast<int>(value);
    ASSERT_LE(begin(value) + count(value), owner_.size());
    for (std::size_t b = 0; b < count(value); ++b) owner_[begin(value) + b] = stamp_[value];
  }
  std::size_t begin(std::size_t value) const { return static_cast<std::size_t>(plan_.offset[value]) / 4; }
  std::size_t count(std::size_t value) const {
    return static_cast<std::size_t>(resolve(graph_.nodes()[value].shape, size_).elements());
  }

  const Graph& graph_;
  StepSize size_;
  MemoryPlan plan_;
  std::vector<int> owner_;  // of each float of the block, the value whose stamp it has
  std::vector<int> stamp_;  // by node
};

inline void expect_plan_keeps_values(const Graph& g, StepSize size) { PlanPlayer(g, size).play(); }

}  // namespace minnow::test
