#include "text/grammar/nfa.h"

namespace minnow::grammar {

Nfa::Nfa(const Grammar& grammar, ExprId expr, Budget& budget) : grammar_(grammar), budget_(budget) {
  end_ = lay(expr, state());
}

uint32_t Nfa::state() {
  budget_.nfa_states(1);
  heads_.push_back(0);
  return static_cast<uint32_t>(heads_.size() - 1);
}

void Nfa::edge(uint32_t from, Edge e) {
  e.next = heads_[from];
  heads_[from] = static_cast<uint32_t>(edges_.size());
  edges_.push_back(e);
}

uint32_t Nfa::lay(ExprId id, uint32_t from) {
  budget_.nfa_states(1);  // also for what needs none: nothing, repeated often enough, takes for ever
  const Expr& e = grammar_.expr(id);
  switch (e.kind) {
    case ExprKind::kEmpty: return from;
    case ExprKind::kNever: return state();
    case ExprKind::kBytes: {
      const uint32_t to = state();
      edge(from, {.to = to, .kind = Kind::kBytes, .low = static_cast<uint8_t>(e.first), .high = static_cast<uint8_t>(e.count)});
      return to;
    }
    case ExprKind::kSequence:
      for (uint32_t i = 0; i < e.count; ++i) from = lay(grammar_.part(e, i), from);
      return from;
    case ExprKind::kChoice: {
      const uint32_t to = state();
      for (uint32_t i = 0; i < e.count; ++i) {
        // A state of its own: a loop that begins an alternative must not be open to the others.
        const uint32_t begin = state();
        skip(from, begin);
        skip(lay(grammar_.part(e, i), begin), to);
      }
      return to;
    }
    case ExprKind::kRepeat: return lay_repeat(e, from);
    case ExprKind::kRule: {
      const uint32_t to = state();
      edge(from, {.to = to, .rule = e.index, .kind = Kind::kCall});
      return to;
    }
    case ExprKind::kChain: return lay_chain(grammar_.chain_of(e), from);
    case ExprKind::kGraph: return lay_graph(grammar_.graph_of(e), from);
  }
  return from;
}

uint32_t Nfa::lay_repeat(const Expr& e, uint32_t from) {
  const ExprId part = grammar_.part(e, 0);
  for (uint32_t i = 0; i < e.min; ++i) from = lay(part, from);
  if (e.max == kUnbounded) {
    const uint32_t loop = state(), to = state();
    skip(from, loop);
    skip(lay(part, loop), loop);
    skip(loop, to);
    return to;
  }
  const uint32_t to = state();
  for (uint32_t i = e.min; i < e.max; ++i) {
    skip(from, to);
    const uint32_t begin = state();
    skip(from, begin);
    from = lay(part, begin);
  }
  skip(from, to);
  return to;
}

// Two states between items, one while the list is still empty and one when a separator is due, lead to each item, so that
// none is laid twice.
uint32_t Nfa::lay_chain(const Chain& chain, uint32_t from) {
  const uint32_t to = state();
  uint32_t none_yet = state(), some = state();
  skip(from, none_yet);
  for (uint32_t i = 0; i <= chain.items.size(); ++i) {
    if (i >= chain.first_exit) {
      if (!chain.needs_one) skip(none_yet, to);
      skip(some, to);
    }
    if (i == chain.items.size()) break;
    const Chain::Item& item = chain.items[i];
    const uint32_t begin = state(), next_none = state(), next_some = state();
    skip(none_yet, begin);
    skip(lay(chain.separator, some), begin);
    skip(lay(item.expr, begin), next_some);
    if (item.may_skip) {
      skip(none_yet, next_none);
      skip(some, next_some);
    }
    if (chain.repeats_last && i + 1 == chain.items.size()) skip(lay(chain.separator, next_some), begin);
    none_yet = next_none;
    some = next_some;
  }
  return to;
}

uint32_t Nfa::lay_graph(const ByteGraph& graph, uint32_t from) {
  const auto first = static_cast<uint32_t>(heads_.size());
  for (std::size_t i = 0; i < graph.states.size(); ++i) state();
  const uint32_t to = state();
  skip(from, first);
  for (uint32_t i = 0; i < graph.states.size(); ++i) {
    const auto& s = graph.states[i];
    for (const auto& e : s.edges) {
      const Kind kind = e.low >= kFirstMarkByte ? Kind::kNothing : Kind::kBytes;
      edge(first + i, {.to = first + e.to, .kind = kind, .low = e.low, .high = e.high});
    }
    for (const auto& c : s.calls) edge(first + i, {.to = first + c.to, .rule = c.rule, .kind = Kind::kCall});
    if (s.final) skip(first + i, to);
  }
  return to;
}

}  // namespace minnow::grammar
