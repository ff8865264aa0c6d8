#include "text/grammar/byte_graph.h"

#include <algorithm>
#include <bitset>
#include <map>
#include <string_view>
#include <unordered_map>

#include "base/error.h"
#include "base/fast_hash.h"
#include "base/limits.h"
#include "text/grammar/nfa.h"

namespace minnow::grammar {
namespace {

struct SetHash {
  std::size_t operator()(const std::vector<uint32_t>& set) const {
    uint64_t hash = set.size();
    for (const uint32_t x : set) hash = hash_number(hash ^ x, 0x5bd1e995u);
    return hash;
  }
};

// What one state of a set costs beside the other steps that are counted as one, so that what is refused has not taken long.
constexpr std::size_t kWorkOfSets = 4;

// Subset construction.
class Determinizer {
 public:
  Determinizer(const Nfa& nfa, Budget& budget) : nfa_(nfa), budget_(budget), seen_(nfa.size(), 0), single_(nfa.size(), kUnknown), matters_(nfa.size(), false) {
    for (uint32_t s = 0; s < nfa.size(); ++s) {
      nfa.for_each(s, [&](const Nfa::Edge& e) { matters_[s] = matters_[s] || e.kind != Nfa::Kind::kNothing; });
    }
    matters_[nfa.end()] = true;
  }

  ByteGraph run() {
    id_of({nfa_.start()});
    for (uint32_t i = 0; i < sets_.size(); ++i) expand(i);
    return std::move(out_);
  }

 private:
  // The state for a set of NFA states and what they reach without reading.
  uint32_t id_of(std::vector<uint32_t> set) {
    if (set.size() != 1) return id_of_all(std::move(set));
    uint32_t& known = single_[set[0]];
    if (known == kUnknown) known = id_of_all(std::move(set));
    return known;
  }

  uint32_t id_of_all(std::vector<uint32_t> set) {
    ++round_;
    for (const uint32_t s : set) seen_[s] = round_;
    for (std::size_t i = 0; i < set.size(); ++i) {
      nfa_.for_each(set[i], [&](const Nfa::Edge& e) {
        if (e.kind != Nfa::Kind::kNothing || seen_[e.to] == round_) return;
        seen_[e.to] = round_;
        set.push_back(e.to);
      });
    }
    budget_.work(kWorkOfSets * set.size());
    std::erase_if(set, [&](uint32_t s) { return !matters_[s]; });
    std::sort(set.begin(), set.end());
    const auto [it, is_new] = ids_.try_emplace(set, static_cast<uint32_t>(sets_.size()));
    if (is_new) {
      budget_.states(1);
      out_.states.emplace_back().final = std::binary_search(set.begin(), set.end(), nfa_.end());
      sets_.push_back(std::move(set));
    }
    return it->second;
  }

  void expand(uint32_t id) {
    std::vector<Nfa::Edge> bytes;
    std::map<RuleId, std::vector<uint32_t>> calls;
    for (const uint32_t s : sets_[id]) {
      nfa_.for_each(s, [&](const Nfa::Edge& e) {
        if (e.kind == Nfa::Kind::kBytes) bytes.push_back(e);
        if (e.kind == Nfa::Kind::kCall) calls[e.rule].push_back(e.to);
      });
    }
    for (auto& [rule, targets] : calls) {
      const uint32_t to = id_of(unique(std::move(targets)));
      out_.states[id].calls.push_back({rule, to});
    }
    expand_bytes(id, bytes);
  }

  void expand_bytes(uint32_t id, std::vector<Nfa::Edge>& bytes) {
    std::sort(bytes.begin(), bytes.end(), [](const auto& a, const auto& b) { return a.low < b.low; });
    std::vector<ByteGraph::Edge> edges;
    const auto add = [&](unsigned low, unsigned high, uint32_t to) {
      if (!edges.empty() && edges.back().to == to && edges.back().high + 1u == low) {
        edges.back().high = static_cast<uint8_t>(high);
      } else {
        edges.push_back({static_cast<uint8_t>(low), static_cast<uint8_t>(high), to});
      }
    };
    const auto overlap = [](const Nfa::Edge& a, const Nfa::Edge& b) { return a.high >= b.low; };
    if (std::adjacent_find(bytes.begin(), bytes.end(), overlap) == bytes.end()) {
      // As in the copies of a graph.
      budget_.work(bytes.size());
      for (const Nfa::Edge& e : bytes) add(e.low, e.high, id_of({e.to}));
      out_.states[id].edges = std::move(edges);
      return;
    }
    std::bitset<257> cuts;
    for (const Nfa::Edge& e : bytes) cuts.set(e.low).set(std::size_t{e.high} + 1);
    std::size_t next = 0;
    std::vector<Nfa::Edge> open;
    for (unsigned low = 0; low < 256;) {
      unsigned high = low;
      while (high < 255 && !cuts[high + 1]) ++high;
      for (; next < bytes.size() && bytes[next].low <= low; ++next) open.push_back(bytes[next]);
      std::erase_if(open, [&](const Nfa::Edge& e) { return e.high < low; });
      if (!open.empty()) {
        budget_.work(kWorkOfSets * open.size());
        std::vector<uint32_t> targets;
        for (const Nfa::Edge& e : open) targets.push_back(e.to);
        add(low, high, id_of(unique(std::move(targets))));
      }
      low = high + 1;
    }
    out_.states[id].edges = std::move(edges);
  }

  static std::vector<uint32_t> unique(std::vector<uint32_t> set) {
    std::sort(set.begin(), set.end());
    set.erase(std::unique(set.begin(), set.end()), set.end());
    return set;
  }

  static constexpr uint32_t kUnknown = UINT32_MAX;

  const Nfa& nfa_;
  Budget& budget_;
  std::vector<uint32_t> seen_;
  std::vector<uint32_t> single_;  // the states for sets of one
  std::vector<bool> matters_;     // whether something is read from there, or it is the end: what else a set has makes no difference
  uint32_t round_ = 0;
  std::vector<std::vector<uint32_t>> sets_;
  std::unordered_map<std::vector<uint32_t>, uint32_t, SetHash> ids_;
  ByteGraph out_;
};

bool has_marks(const ByteGraph& graph) {
  return std::any_of(graph.states.begin(), graph.states.end(), [](const ByteGraph::State& s) {
    return !s.edges.empty() && s.edges.back().high >= kFirstMarkByte;
  });
}

constexpr uint32_t kDead = UINT32_MAX;

uint32_t step(const ByteGraph& graph, uint32_t state, unsigned byte) {
  if (state == kDead) return kDead;
  for (const auto& e : graph.states[state].edges) {
    if (e.low <= byte && byte <= e.high) return e.to;
  }
  return kDead;
}

// Runs both at once. keep_dead: b may have failed while a goes on.
ByteGraph product(const ByteGraph& a, const ByteGraph& b, bool difference, Budget& budget) {
  ByteGraph out;
  std::vector<std::pair<uint32_t, uint32_t>> pairs;
  std::unordered_map<uint64_t, uint32_t> ids;
  const auto id_of = [&](uint32_t x, uint32_t y) {
    const auto [it, is_new] = ids.try_emplace(uint64_t{x} << 32 | y, static_cast<uint32_t>(pairs.size()));
    if (is_new) {
      budget.states(1);
      pairs.emplace_back(x, y);
      const bool in_b = y != kDead && b.states[y].final;
      out.states.emplace_back().final = a.states[x].final && in_b != difference;
    }
    return it->second;
  };
  const std::vector<ByteGraph::Edge> none;
  id_of(0, 0);
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const auto [x, y] = pairs[i];
    const auto add = [&](unsigned low, unsigned high, uint32_t to_a, uint32_t to_b) {
      const uint32_t to = id_of(to_a, to_b);
      out.states[i].edges.push_back({static_cast<uint8_t>(low), static_cast<uint8_t>(high), to});
    };
    const auto& others = y == kDead ? none : b.states[y].edges;
    for (const auto& e : a.states[x].edges) {
      budget.work(1 + others.size());
      unsigned low = e.low;
      for (const auto& f : others) {
        if (f.high < low || f.low > e.high) continue;
        if (difference && low < f.low) add(low, f.low - 1u, e.to, kDead);
        const unsigned high = std::min(e.high, f.high);
        add(std::max<unsigned>(low, f.low), high, e.to, f.to);
        low = high + 1;
      }
      if (difference && low <= e.high) add(low, e.high, e.to, kDead);
    }
  }
  return out;
}

}  // namespace

void Budget::spend_on(std::string_view place) {
  for (Purse* purse : {&work_, &states_, &nfa_states_}) {
    if (purse->here > purse->most) {
      purse->most = purse->here;
      purse->most_place = place_;
    }
    purse->here = 0;
  }
  place_ = place;
}

bool Budget::spend(Purse& purse, uint64_t n, uint64_t limit) {
  purse.spent += n;
  purse.here += n;
  return purse.spent <= limit;
}

std::string Budget::most_of(const Purse& purse) const {
  const std::string& place = purse.here >= purse.most ? place_ : purse.most_place;
  return place.empty() ? "" : fmt::format(", most of it for {}", place);
}

void Budget::work(std::size_t steps) {
  if (spend(work_, steps, limits::kMaxGrammarWork)) return;
  throw Error(ErrorCode::kLimit, "the grammar takes too long to compile" + most_of(work_), "make its expressions or repetitions simpler");
}

void Budget::states(std::size_t n) {
  if (spend(states_, n, limits::kMaxGrammarStates)) return;
  fail(ErrorCode::kLimit, "the grammar needs more than {} states{}; make its repetitions and lengths smaller", limits::kMaxGrammarStates,
       most_of(states_));
}

void Budget::nfa_states(std::size_t n) {
  if (spend(nfa_states_, n, limits::kMaxGrammarNfaStates)) return;
  fail(ErrorCode::kLimit, "the grammar needs more than {} steps{}; make its repetitions and lengths smaller", limits::kMaxGrammarNfaStates,
       most_of(nfa_states_));
}

bool ByteGraph::has_calls() const {
  return std::any_of(states.begin(), states.end(), [](const State& s) { return !s.calls.empty(); });
}

ByteGraph make_graph(const Grammar& grammar, ExprId expr, Budget& budget) {
  if (const Expr& e = grammar.expr(expr); e.kind == ExprKind::kGraph && !has_marks(grammar.graph_of(e))) return grammar.graph_of(e);
  return Determinizer(Nfa(grammar, expr, budget), budget).run();
}

ByteGraph graph_of_texts(std::vector<std::string> texts, Budget& budget) {
  std::sort(texts.begin(), texts.end());
  ByteGraph out;
  out.states.emplace_back();
  std::vector<uint32_t> path{0};  // of the text before
  std::string_view before;
  for (const std::string& text : texts) {
    const auto same = static_cast<std::size_t>(std::mismatch(text.begin(), text.end(), before.begin(), before.end()).first - text.begin());
    budget.states((text.size() - same) / 2);  // such a state is small: it has one edge mostly
    path.resize(same + 1);
    for (std::size_t i = same; i < text.size(); ++i) {
      const auto to = static_cast<uint32_t>(out.states.size()), byte = static_cast<uint32_t>(static_cast<uint8_t>(text[i]));
      out.states.emplace_back();
      out.states[path.back()].edges.push_back({static_cast<uint8_t>(byte), static_cast<uint8_t>(byte), to});
      path.push_back(to);
    }
    out.states[path.back()].final = true;
    before = text;
  }
  return out;
}

bool accepts(const ByteGraph& graph, std::string_view text) {
  uint32_t state = 0;
  for (const char c : text) state = step(graph, state, static_cast<uint8_t>(c));
  return state != kDead && graph.states[state].final;
}

// Every state is reachable, as they are made.
bool is_void(const ByteGraph& graph) {
  return std::none_of(graph.states.begin(), graph.states.end(), [](const auto& s) { return s.final; });
}

ByteGraph intersection(const ByteGraph& a, const ByteGraph& b, Budget& budget) { return product(a, b, false, budget); }
ByteGraph difference(const ByteGraph& a, const ByteGraph& b, Budget& budget) { return product(a, b, true, budget); }

ByteGraph quoted(const ByteGraph& graph) {
  ByteGraph out;
  const auto end = static_cast<uint32_t>(graph.states.size() + 1);
  out.states.resize(end + 1);
  out.states[0].edges = {{'"', '"', 1}};
  out.states[end].final = true;
  for (std::size_t i = 0; i < graph.states.size(); ++i) {
    auto& edges = out.states[i + 1].edges;
    const auto& inner = graph.states[i];
    const auto add = [&](const ByteGraph::Edge& e) { edges.push_back({e.low, e.high, e.to + 1}); };
    const auto above = std::find_if(inner.edges.begin(), inner.edges.end(), [](const ByteGraph::Edge& e) { return e.low > '"'; });
    std::for_each(inner.edges.begin(), above, add);
    if (inner.final) edges.push_back({'"', '"', end});
    std::for_each(above, inner.edges.end(), add);
  }
  return out;
}

ByteGraph without(const ByteGraph& graph, uint8_t byte) {
  ByteGraph out = graph;
  for (ByteGraph::State& state : out.states) {
    std::vector<ByteGraph::Edge> edges;
    for (const ByteGraph::Edge& e : state.edges) {
      if (byte < e.low || e.high < byte) {
        edges.push_back(e);
        continue;
      }
      if (e.low < byte) edges.push_back({e.low, static_cast<uint8_t>(byte - 1), e.to});
      if (byte < e.high) edges.push_back({static_cast<uint8_t>(byte + 1), e.high, e.to});
    }
    state.edges = std::move(edges);
  }
  return out;
}

}  // namespace minnow::grammar
