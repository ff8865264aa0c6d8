// An expression as a nondeterministic automaton: Thompson's construction.
#pragma once

#include <cstdint>
#include <vector>

#include "text/grammar/byte_graph.h"

namespace minnow::grammar {

class Nfa {
 public:
  enum class Kind : uint8_t { kNothing, kBytes, kCall };
  struct Edge {
    uint32_t to = 0, next = 0;  // next: of the same state, 0 at the end
    RuleId rule = 0;
    Kind kind = Kind::kNothing;
    uint8_t low = 0, high = 0;
  };

  Nfa(const Grammar& grammar, ExprId expr, Budget& budget);

  uint32_t start() const { return 0; }
  uint32_t end() const { return end_; }
  std::size_t size() const { return heads_.size(); }
  template <typename F>
  void for_each(uint32_t state, const F& visit) const {
    for (uint32_t i = heads_[state]; i != 0; i = edges_[i].next) visit(edges_[i]);
  }

 private:
  uint32_t state();
  void edge(uint32_t from, Edge e);
  void skip(uint32_t from, uint32_t to) { edge(from, {.to = to}); }
  // Lays an expression from a state on; the state in which it ends.
  uint32_t lay(ExprId id, uint32_t from);
  uint32_t lay_repeat(const Expr& e, uint32_t from);
  uint32_t lay_chain(const Chain& chain, uint32_t from);
  uint32_t lay_graph(const ByteGraph& graph, uint32_t from);

  const Grammar& grammar_;
  Budget& budget_;
  std::vector<uint32_t> heads_;
  std::vector<Edge> edges_{1};
  uint32_t end_ = 0;
};

}  // namespace minnow::grammar
