// A grammar ready to run: a pushdown automaton over bytes.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "text/grammar/byte_graph.h"

namespace minnow::grammar {

// The states of all rules. Every state can reach the end of its rule: what could not has been cut off, so that a text
// which the automaton is in the middle of can always be completed.
class Automaton {
 public:
  struct Edge {
    uint8_t low, high;
    uint32_t to;
  };
  // Another rule, from its start on, and the state to be in after it. `last`: nothing follows there but the end of this
  // rule, so that nothing has to be remembered.
  struct Call {
    uint32_t start;
    uint32_t to;
    bool last;
  };
  struct State {
    uint32_t first_edge = 0, first_call = 0;
    uint16_t n_edges = 0, n_calls = 0;
    uint32_t rule = 0;
    uint32_t height = 0;     // rules open at once above this one, at least, on the way to the end of this rule
    // Of texts of at most `alike` bytes the state `like` of the same rule takes the same ones, and they lead to the same outside of it.
    uint32_t alike = 0, like = 0;
    uint8_t plain_run = 0;   // any so many plain characters may come (kEndlessRun: any number)
    bool final = false;      // the rule ends here
    bool can_end = false;    // it does, or after rules that may be empty
  };
  static constexpr uint8_t kEndlessRun = 254;
  static constexpr uint32_t kNever = UINT32_MAX;  // the height of a state from which its rule cannot be ended

  // Throws kInvalidInput for a grammar without a text, kUnsupported for rules that begin with themselves and for required ones without a
  // text, kLimit.
  explicit Automaton(const Grammar& grammar);
  Automaton(const Grammar& grammar, Budget& budget);

  // The same grammar, where the texts that are to be copied are those of `texts`, which has no calls.
  Automaton copying(const ByteGraph& texts) const;
  // The same grammar without them: what needs one cannot be said any more. Nothing when all texts of the grammar need one.
  std::optional<Automaton> without_copied() const;
  // The rule of these texts, if there is one.
  const std::optional<uint32_t>& copied_rule() const { return copied_rule_; }
  bool copies_in_order() const { return copies_in_order_; }

  uint32_t start() const { return start_; }
  std::size_t n_states() const { return states_.size(); }
  const State& state(uint32_t id) const { return states_[id]; }
  std::span<const Edge> edges(const State& s) const { return {edges_.data() + s.first_edge, s.n_edges}; }
  std::span<const Call> calls(const State& s) const { return {calls_.data() + s.first_call, s.n_calls}; }

  struct Rule {
    std::string name;
    uint32_t first_state = 0, n_states = 0;
    bool has_calls = false;
    bool is_required = false;  // Grammar::require
  };
  const Rule& rule(uint32_t id) const { return rules_[id]; }
  std::size_t n_rules() const { return rules_.size(); }
  // The same for equal rules of any grammars; for rules without calls.
  std::string signature(const Rule& rule) const;

 private:
  void join(const Grammar& grammar, Budget& budget);
  void find_heights(Budget& budget);
  void cut_dead_ends();
  void find_ends(Budget& budget);
  void refuse_left_recursion(Budget& budget) const;
  std::string cause_of_void(uint32_t rule) const;
  bool could_end(uint32_t rule, const std::function<bool(uint32_t)>& counts) const;
  void find_plain_runs();
  uint32_t target(uint32_t state, uint8_t low, uint8_t high) const;
  uint32_t after(uint32_t state, std::span<const uint8_t> low, std::span<const uint8_t> high) const;
  uint32_t after_plain_character(uint32_t state) const;

  std::vector<State> states_;
  std::vector<Edge> edges_;
  std::vector<Call> calls_;
  std::vector<Rule> rules_;
  uint32_t start_ = 0;
  std::optional<uint32_t> copied_rule_;
  bool copies_in_order_ = false;
};

}  // namespace minnow::grammar
