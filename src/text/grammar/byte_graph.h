// The deterministic form of one rule: states with edges for bytes and for whole other rules.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "text/grammar/grammar.h"

namespace minnow::grammar {

// State 0 is the start. The byte edges of a state are sorted and apart; there is at most one call of each rule.
struct ByteGraph {
  struct Edge {
    uint8_t low, high;
    uint32_t to;
  };
  struct Call {
    RuleId rule;
    uint32_t to;
  };
  struct State {
    std::vector<Edge> edges;
    std::vector<Call> calls;
    bool final = false;
  };
  std::vector<State> states;

  bool has_calls() const;
};

// Edges of this byte and the next, which no UTF-8 text has, are marks: in an expression of kind kGraph they read nothing.
inline constexpr uint8_t kFirstMarkByte = 0xFE;

// What the making of one grammar may cost; each throws kLimit when it is used up.
class Budget {
 public:
  void work(std::size_t steps);
  void states(std::size_t n);
  void nfa_states(std::size_t n);

 private:
  uint64_t work_ = 0;
  std::size_t states_ = 0, nfa_states_ = 0;
};

ByteGraph make_graph(const Grammar& grammar, ExprId expr, Budget& budget);

// The following want graphs without calls.
bool accepts(const ByteGraph& graph, std::string_view text);
// Whether no text at all is accepted.
bool is_void(const ByteGraph& graph);
// Texts of both; texts of a that are none of b.
ByteGraph intersection(const ByteGraph& a, const ByteGraph& b, Budget& budget);
ByteGraph difference(const ByteGraph& a, const ByteGraph& b, Budget& budget);
// Texts that do not have the byte.
ByteGraph without(const ByteGraph& graph, uint8_t byte);

}  // namespace minnow::grammar
