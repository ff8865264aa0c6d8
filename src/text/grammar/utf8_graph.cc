#include "text/grammar/utf8_graph.h"

#include <map>
#include <span>
#include <tuple>

namespace minnow::grammar {
namespace {

// Makes states from their ends on, so that equal ones are one.
class Utf8Graph {
 public:
  ByteGraph make(const std::vector<Utf8Sequence>& sequences) {
    state_of(sequences, 0);
    // They were made from the end on, and the start comes first.
    const auto last = static_cast<uint32_t>(made_.size() - 1);
    ByteGraph out;
    out.states.resize(made_.size());
    for (uint32_t i = 0; i <= last; ++i) {
      ByteGraph::State& to = out.states[last - i];
      to.final = i == kEnd;
      for (const auto& [low, high, target] : made_[i]) to.edges.push_back({low, high, last - target});
    }
    return out;
  }

 private:
  using Edges = std::vector<std::tuple<uint8_t, uint8_t, uint32_t>>;
  static constexpr uint32_t kEnd = 0;

  // The sequences have the same bytes before this one. Ranges of one byte are the same or apart, and sorted.
  uint32_t state_of(std::span<const Utf8Sequence> sequences, int at) {
    Edges edges;
    for (std::size_t i = 0; i < sequences.size();) {
      const Utf8Sequence& s = sequences[i];
      std::size_t end = i + 1;
      while (end < sequences.size() && sequences[end].first[at] == s.first[at]) ++end;
      const uint32_t to = at + 1 == s.length ? kEnd : state_of(sequences.subspan(i, end - i), at + 1);
      if (!edges.empty() && std::get<1>(edges.back()) + 1 == s.first[at] && std::get<2>(edges.back()) == to) {
        std::get<1>(edges.back()) = s.last[at];
      } else {
        edges.emplace_back(s.first[at], s.last[at], to);
      }
      i = end;
    }
    const auto [it, is_new] = ids_.try_emplace(edges, static_cast<uint32_t>(made_.size()));
    if (is_new) made_.push_back(std::move(edges));
    return it->second;
  }

  std::map<Edges, uint32_t> ids_;
  std::vector<Edges> made_{1};
};

}  // namespace

ByteGraph utf8_graph(const CharClass& characters) { return Utf8Graph().make(utf8_sequences(characters)); }

}  // namespace minnow::grammar
