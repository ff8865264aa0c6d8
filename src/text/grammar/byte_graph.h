// The deterministic form of one rule: states with edges for bytes and for whole other rules.
#pragma once

#include <cstdint>
#include <string>
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
    // What can be read from here in `alike` bytes or fewer can be read from the state `like`, and leads to the same outside of the graph.
    uint32_t alike = 0, like = 0;
  };
  std::vector<State> states;

  bool has_calls() const;
};

// Edges of this byte and the next, which no UTF-8 text has, are marks: in an expression of kind kGraph they read nothing.
inline constexpr uint8_t kFirstMarkByte = 0xFE;

// What the making of one grammar may cost; each throws kLimit when it is used up, with the place that took most of it.
class Budget {
 public:
  // What is spent from here on is for this place, which has a name for errors.
  void spend_on(std::string_view place);
  void work(std::size_t steps);
  void states(std::size_t n);
  void nfa_states(std::size_t n);

 private:
  struct Purse {
    uint64_t spent = 0, here = 0, most = 0;
    std::string most_place;
  };
  bool spend(Purse& purse, uint64_t n, uint64_t limit);
  std::string most_of(const Purse& purse) const;

  Purse work_, states_, nfa_states_;
  std::string place_;
};

ByteGraph make_graph(const Grammar& grammar, ExprId expr, Budget& budget);
// One of the texts.
ByteGraph graph_of_texts(std::vector<std::string> texts, Budget& budget);

// The following want graphs without calls.
bool accepts(const ByteGraph& graph, std::string_view text);
// Whether no text at all is accepted.
bool is_void(const ByteGraph& graph);
// Texts of both; texts of a that are none of b.
ByteGraph intersection(const ByteGraph& a, const ByteGraph& b, Budget& budget);
ByteGraph difference(const ByteGraph& a, const ByteGraph& b, Budget& budget);
// A quote, a text of the graph, a quote. No text has one.
ByteGraph quoted(const ByteGraph& graph);
// Texts that do not have the byte.
ByteGraph without(const ByteGraph& graph, uint8_t byte);

}  // namespace minnow::grammar
