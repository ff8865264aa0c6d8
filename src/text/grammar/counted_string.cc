#include "text/grammar/counted_string.h"

#include <algorithm>

namespace minnow::grammar {

// State 0 is before the opening quote; then one state after each number of characters, one after a backslash behind each, and the end.
ByteGraph counted_string(const CountedString& string, Budget& budget) {
  const bool is_bounded = string.max != kUnbounded;
  const uint32_t n = is_bounded ? string.max : string.min;  // characters that are told apart
  const uint32_t n_escapes = is_bounded ? n : n + 1;
  const uint32_t first_escape = n + 2, end = first_escape + n_escapes;
  budget.states(end + 1);
  ByteGraph out;
  out.states.resize(end + 1);
  out.states[0].edges = {{'"', '"', 1}};
  out.states[end].final = true;
  for (uint32_t k = 0; k <= n; ++k) {
    ByteGraph::State& here = out.states[1 + k];
    const bool may_end = k >= string.min, goes_on = k < n_escapes;
    const uint32_t next = std::min(k + 1, n) + 1;
    if (goes_on) here.edges.push_back({0x20, 0x21, next});
    if (may_end) here.edges.push_back({'"', '"', end});
    if (!goes_on) continue;
    here.edges.push_back({0x23, 0x5B, next});
    here.edges.push_back({'\\', '\\', first_escape + k});
    here.edges.push_back({0x5D, 0x7F, next});
    here.calls.push_back({string.wide, next});
    ByteGraph::State& escape = out.states[first_escape + k];
    for (const char c : kEscapeLetters) escape.edges.push_back({static_cast<uint8_t>(c), static_cast<uint8_t>(c), next});
    escape.calls.push_back({string.unit, next});
    // Up to the next bound all states are alike.
    const uint32_t from = may_end ? string.min : 0, to = may_end ? n : string.min;
    here.alike = escape.alike = is_bounded || !may_end ? to - 1 - k : 0;
    here.like = 1 + from;
    escape.like = first_escape + from;
  }
  return out;
}

}  // namespace minnow::grammar
