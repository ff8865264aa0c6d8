#include "text/grammar/automaton.h"

#include <algorithm>

#include "base/error.h"
#include "base/limits.h"

namespace minnow::grammar {
namespace {

// Byte sequences of all characters that stand for themselves in a JSON string.
struct PlainSequence {
  uint8_t length, low[4], high[4];
};
constexpr PlainSequence kPlain[] = {
    {1, {0x20}, {0x21}}, {1, {0x23}, {0x5B}}, {1, {0x5D}, {0x7F}},
    {2, {0xC2, 0x80}, {0xDF, 0xBF}},
    {3, {0xE0, 0xA0, 0x80}, {0xE0, 0xBF, 0xBF}}, {3, {0xE1, 0x80, 0x80}, {0xEC, 0xBF, 0xBF}},
    {3, {0xED, 0x80, 0x80}, {0xED, 0x9F, 0xBF}}, {3, {0xEE, 0x80, 0x80}, {0xEF, 0xBF, 0xBF}},
    {4, {0xF0, 0x90, 0x80, 0x80}, {0xF0, 0xBF, 0xBF, 0xBF}}, {4, {0xF1, 0x80, 0x80, 0x80}, {0xF3, 0xBF, 0xBF, 0xBF}},
    {4, {0xF4, 0x80, 0x80, 0x80}, {0xF4, 0x8F, 0xBF, 0xBF}},
};

constexpr std::size_t kMaxSuspects = 64;  // rules that are looked at, one by one, for the reason of an error

Budget& fresh(Budget&& budget) { return budget; }

}  // namespace

Automaton::Automaton(const Grammar& grammar) : Automaton(grammar, fresh(Budget())) {}

Automaton::Automaton(const Grammar& grammar, Budget& budget) {
  join(grammar, budget);
  find_ends(budget);
  refuse_left_recursion(budget);
  find_heights(budget);
  for (const Rule& rule : rules_) {
    if (!rule.is_required || states_[rule.first_state].height != kNever) continue;
    const std::string cause = cause_of_void(static_cast<uint32_t>(&rule - rules_.data()));
    throw Error(ErrorCode::kUnsupported, fmt::format("{}: no text at all fits it{}", rule.name, cause == rule.name ? "" : ", since none fits " + cause),
                "say it in another way");
  }
  const State& root = states_[start_];
  if (root.height == kNever) {
    throw Error(ErrorCode::kInvalidInput, "no text at all fits the grammar, since none fits " + cause_of_void(root.rule),
                "it has no end, or contradicts itself");
  }
  if (root.height > limits::kMaxGrammarDepth) fail(ErrorCode::kLimit, "every text of the grammar nests too deep");
  cut_dead_ends();
  find_plain_runs();
}

// Only rules that the root needs are made.
void Automaton::join(const Grammar& grammar, Budget& budget) {
  std::vector<uint32_t> number(grammar.rules().size(), kNever);
  std::vector<RuleId> order{grammar.root()};
  number[grammar.root()] = 0;
  std::vector<ByteGraph> graphs;
  for (std::size_t i = 0; i < order.size(); ++i) {
    budget.spend_on(grammar.rules()[order[i]].name);
    graphs.push_back(make_graph(grammar, grammar.rules()[order[i]].body, budget));
    for (const auto& state : graphs[i].states) {
      for (const auto& call : state.calls) {
        if (number[call.rule] != kNever) continue;
        number[call.rule] = static_cast<uint32_t>(order.size());
        order.push_back(call.rule);
      }
    }
  }
  if (const auto copied = grammar.copied(); copied && number[*copied] != kNever) copied_rule_ = number[*copied];
  copies_in_order_ = grammar.copies_in_order();
  for (uint32_t r = 0, first = 0; r < graphs.size(); ++r) {
    const auto n = static_cast<uint32_t>(graphs[r].states.size());
    rules_.push_back({grammar.rules()[order[r]].name, first, n, graphs[r].has_calls()});
    first += n;
  }
  for (const RuleId required : grammar.required()) {
    if (number[required] != kNever) rules_[number[required]].is_required = true;
  }
  for (uint32_t r = 0; r < graphs.size(); ++r) {
    const uint32_t first = rules_[r].first_state;
    for (const auto& from : graphs[r].states) {
      State& s = states_.emplace_back();
      s.rule = r;
      s.final = from.final;
      s.alike = from.alike;
      s.like = from.alike > 0 ? first + from.like : static_cast<uint32_t>(states_.size() - 1);
      s.first_edge = static_cast<uint32_t>(edges_.size());
      s.n_edges = static_cast<uint16_t>(from.edges.size());
      for (const auto& e : from.edges) edges_.push_back({e.low, e.high, first + e.to});
      s.first_call = static_cast<uint32_t>(calls_.size());
      if (from.calls.size() > UINT16_MAX) fail(ErrorCode::kLimit, "the grammar has a choice of more than {} rules", UINT16_MAX);
      s.n_calls = static_cast<uint16_t>(from.calls.size());
      for (const auto& c : from.calls) {
        const auto& after = graphs[r].states[c.to];
        const bool last = after.final && after.edges.empty() && after.calls.empty();
        calls_.push_back({rules_[number[c.rule]].first_state, first + c.to, last});
      }
    }
  }
}

// The least number of open rules, by going through all states until nothing gets less. Backwards: mostly edges lead on.
void Automaton::find_heights(Budget& budget) {
  for (State& s : states_) s.height = s.final ? 0 : kNever;
  for (bool changed = true; changed;) {
    changed = false;
    budget.work(states_.size());
    for (std::size_t i = states_.size(); i-- > 0;) {
      State& s = states_[i];
      uint32_t best = s.height;
      for (const Edge& e : edges(s)) best = std::min(best, states_[e.to].height);
      for (const Call& c : calls(s)) {
        const uint32_t inside = states_[c.start].height, after = states_[c.to].height;
        if (inside == kNever || after == kNever) continue;
        best = std::min(best, std::max(c.last ? inside : inside + 1, after));
      }
      changed |= best != s.height;
      s.height = best;
    }
  }
}

// The name of the rule that leaves a rule without a text: on the way down from it, the first that would have none even if all that it calls
// had one, or that calls itself for ever.
std::string Automaton::cause_of_void(uint32_t rule) const {
  std::vector<bool> seen(rules_.size(), false);
  while (true) {
    seen[rule] = true;
    std::vector<uint32_t> called;  // without a text themselves
    const Rule& r = rules_[rule];
    for (uint32_t i = r.first_state; i < r.first_state + r.n_states; ++i) {
      for (const Call& c : calls(states_[i])) {
        if (states_[c.start].height == kNever && !seen[states_[c.start].rule]) called.push_back(states_[c.start].rule);
      }
    }
    if (called.empty() || !could_end(rule, [](uint32_t) { return true; })) return r.name;
    // The one that alone is in the way, rather than one that could be left out.
    const auto end = called.begin() + static_cast<std::ptrdiff_t>(std::min(called.size(), kMaxSuspects));
    const auto alone = std::find_if(called.begin(), end, [&](uint32_t one) { return could_end(rule, [&](uint32_t other) { return other == one; }); });
    rule = alone == end ? called[0] : *alone;
  }
}

// Whether the rule had an end if the rules that count had one.
bool Automaton::could_end(uint32_t rule, const std::function<bool(uint32_t)>& counts) const {
  const Rule& r = rules_[rule];
  std::vector<bool> ends(r.n_states, false);
  const auto leads_on = [&](const State& s) {
    const auto has_end = [&](uint32_t to) { return ends[to - r.first_state]; };
    const auto returns = [&](const Call& c) { return states_[c.start].height != kNever || counts(states_[c.start].rule); };
    const auto out = edges(s);
    const auto into = calls(s);
    return s.final || std::any_of(out.begin(), out.end(), [&](const Edge& e) { return has_end(e.to); }) ||
           std::any_of(into.begin(), into.end(), [&](const Call& c) { return has_end(c.to) && returns(c); });
  };
  for (bool changed = true; changed;) {
    changed = false;
    for (uint32_t i = r.n_states; i-- > 0;) {
      if (ends[i] || !leads_on(states_[r.first_state + i])) continue;
      ends[i] = changed = true;
    }
  }
  return ends[0];
}

void Automaton::cut_dead_ends() {
  std::vector<Edge> live_edges;
  std::vector<Call> live_calls;
  const auto dead = [&](uint32_t state) { return states_[state].height == kNever; };
  for (State& s : states_) {
    const auto first_edge = static_cast<uint32_t>(live_edges.size()), first_call = static_cast<uint32_t>(live_calls.size());
    for (const Edge& e : edges(s)) {
      if (!dead(e.to)) live_edges.push_back(e);
    }
    for (const Call& c : calls(s)) {
      if (!dead(c.to) && !dead(c.start)) live_calls.push_back(c);
    }
    s.first_edge = first_edge;
    s.first_call = first_call;
    s.n_edges = static_cast<uint16_t>(live_edges.size() - first_edge);
    s.n_calls = static_cast<uint16_t>(live_calls.size() - first_call);
  }
  edges_ = std::move(live_edges);
  calls_ = std::move(live_calls);
  for (Call& c : calls_) {
    const State& after = states_[c.to];
    c.last = after.final && after.n_edges == 0 && after.n_calls == 0;
  }
}

void Automaton::find_ends(Budget& budget) {
  for (bool changed = true; changed;) {
    changed = false;
    budget.work(states_.size());
    for (std::size_t i = states_.size(); i-- > 0;) {
      State& s = states_[i];
      if (s.can_end) continue;
      s.can_end = s.final || std::any_of(calls(s).begin(), calls(s).end(), [&](const Call& c) {
        return states_[c.start].can_end && states_[c.to].can_end;
      });
      changed |= s.can_end;
    }
  }
}

// A rule that can call itself before it has read a byte would call itself for ever. Takes away rules that none left
// begins with, until only circles and what they lead to are left.
void Automaton::refuse_left_recursion(Budget& budget) const {
  std::vector<std::vector<uint32_t>> begins(rules_.size());
  std::vector<uint32_t> n_callers(rules_.size(), 0), free;
  for (uint32_t r = 0; r < rules_.size(); ++r) {
    std::vector<uint32_t> waiting{rules_[r].first_state};
    for (std::size_t i = 0; i < waiting.size(); ++i) {
      for (const Call& c : calls(states_[waiting[i]])) {
        begins[r].push_back(states_[c.start].rule);
        ++n_callers[begins[r].back()];
        if (!states_[c.start].can_end) continue;
        budget.work(waiting.size());
        if (std::find(waiting.begin(), waiting.end(), c.to) == waiting.end()) waiting.push_back(c.to);
      }
    }
  }
  for (uint32_t r = 0; r < rules_.size(); ++r) {
    if (n_callers[r] == 0) free.push_back(r);
  }
  for (std::size_t i = 0; i < free.size(); ++i) {
    for (const uint32_t callee : begins[free[i]]) {
      if (--n_callers[callee] == 0) free.push_back(callee);
    }
  }
  if (free.size() == rules_.size()) return;
  std::vector<uint32_t> caller(rules_.size(), kNever);
  uint32_t at = 0;
  for (uint32_t r = 0; r < rules_.size(); ++r) {
    if (n_callers[r] == 0) continue;
    at = r;
    for (const uint32_t callee : begins[r]) caller[callee] = r;
  }
  std::vector<bool> seen(rules_.size(), false);
  for (; !seen[at]; at = caller[at]) seen[at] = true;
  throw Error(ErrorCode::kUnsupported, fmt::format("{} may begin with itself", rules_[at].name),
              "write the repetition with * or +, or put something before the recursion");
}

// The one state to which all these bytes lead; kNever when there is none.
uint32_t Automaton::target(uint32_t state, uint8_t low, uint8_t high) const {
  for (const Edge& e : edges(states_[state])) {
    if (e.low <= low && high <= e.high) return e.to;
  }
  return kNever;
}

// The state to which these bytes lead in the rule, or by a call of another that is over after them.
uint32_t Automaton::after(uint32_t state, std::span<const uint8_t> low, std::span<const uint8_t> high) const {
  const auto read = [&](uint32_t at) {
    for (std::size_t i = 0; i < low.size() && at != kNever; ++i) at = target(at, low[i], high[i]);
    return at;
  };
  if (const uint32_t to = read(state); to != kNever) return to;
  for (const Call& c : calls(states_[state])) {
    if (const uint32_t to = read(c.start); to != kNever && states_[to].final) return c.to;
  }
  return kNever;
}

uint32_t Automaton::after_plain_character(uint32_t state) const {
  uint32_t common = kNever;
  for (const PlainSequence& p : kPlain) {
    const uint32_t to = after(state, {p.low, p.length}, {p.high, p.length});
    if (to == kNever || (common != kNever && to != common)) return kNever;
    common = to;
  }
  return common;
}

void Automaton::find_plain_runs() {
  constexpr uint8_t kUnknown = 255;
  for (State& s : states_) s.plain_run = kUnknown;
  std::vector<uint32_t> path;
  std::vector<bool> on_path(states_.size(), false);
  for (uint32_t i = 0; i < states_.size(); ++i) {
    path.clear();
    uint32_t at = i, next = kNever;
    int run = 0;
    while (true) {
      if (states_[at].plain_run != kUnknown) {
        run = states_[at].plain_run;
        break;
      }
      if (on_path[at]) {
        run = kEndlessRun;
        break;
      }
      path.push_back(at);
      on_path[at] = true;
      next = after_plain_character(at);
      if (next == kNever || states_[next].height != states_[at].height) {
        run = -1;
        break;
      }
      at = next;
    }
    for (std::size_t k = path.size(); k-- > 0;) {
      on_path[path[k]] = false;
      run = std::min<int>(run + 1, kEndlessRun);
      states_[path[k]].plain_run = static_cast<uint8_t>(run);
    }
  }
}

// All other states keep their numbers, so that what is known about them stays true. The texts' own come after them.
Automaton Automaton::copying(const ByteGraph& texts) const {
  Automaton out = *this;
  Rule& rule = out.rules_.at(copied_rule_.value());
  const uint32_t before = rule.first_state;
  rule.first_state = static_cast<uint32_t>(states_.size());
  rule.n_states = static_cast<uint32_t>(texts.states.size());
  for (Call& c : out.calls_) c.start = c.start == before ? rule.first_state : c.start;
  for (const ByteGraph::State& from : texts.states) {
    State& s = out.states_.emplace_back();
    s.rule = *copied_rule_;
    s.final = s.can_end = from.final;
    s.like = static_cast<uint32_t>(out.states_.size() - 1);
    s.first_edge = static_cast<uint32_t>(out.edges_.size());
    s.n_edges = static_cast<uint16_t>(from.edges.size());
    for (const auto& e : from.edges) out.edges_.push_back({e.low, e.high, rule.first_state + e.to});
  }
  return out;
}

std::optional<Automaton> Automaton::without_copied() const {
  Automaton out = *this;
  const Rule& rule = rules_.at(copied_rule_.value());
  for (uint32_t i = 0; i < rule.n_states; ++i) out.states_[rule.first_state + i].final = false;
  Budget budget;
  out.find_heights(budget);
  if (out.states_[start_].height == kNever) return std::nullopt;
  out.cut_dead_ends();
  out.find_plain_runs();
  return out;
}

std::string Automaton::signature(const Rule& rule) const {
  std::string out;
  const auto number = [&](uint32_t x) { out.append(reinterpret_cast<const char*>(&x), sizeof x); };
  for (uint32_t i = 0; i < rule.n_states; ++i) {
    const State& s = states_[rule.first_state + i];
    number(s.n_edges * 2u + (s.final ? 1u : 0u));
    for (const Edge& e : edges(s)) {
      out += static_cast<char>(e.low);
      out += static_cast<char>(e.high);
      number(e.to - rule.first_state);
    }
  }
  return out;
}

}  // namespace minnow::grammar
