#include "text/grammar/grammar.h"

#include "base/error.h"
#include "base/limits.h"
#include "text/grammar/byte_graph.h"
#include "text/grammar/utf8_graph.h"

namespace minnow::grammar {

Grammar::Grammar() : exprs_{{ExprKind::kEmpty}, {ExprKind::kNever}} {}

ExprId Grammar::add(Expr expr) {
  if (exprs_.size() + parts_.size() >= limits::kMaxGrammarExpressions) {
    throw Error(ErrorCode::kLimit, "the grammar is too large", "make it smaller, or its repetitions and lengths");
  }
  exprs_.push_back(expr);
  return static_cast<ExprId>(exprs_.size() - 1);
}

ExprId Grammar::add_parts(ExprKind kind, const std::vector<ExprId>& parts) {
  const auto first = static_cast<uint32_t>(parts_.size());
  parts_.insert(parts_.end(), parts.begin(), parts.end());
  return add({.kind = kind, .first = first, .count = static_cast<uint32_t>(parts.size())});
}

ExprId Grammar::bytes(uint8_t low, uint8_t high) {
  const auto range = [&](unsigned first, unsigned last) { return add({.kind = ExprKind::kBytes, .first = first, .count = last}); };
  if (!left_out_ || *left_out_ < low || high < *left_out_) return range(low, high);
  std::vector<ExprId> parts;
  if (low < *left_out_) parts.push_back(range(low, *left_out_ - 1u));
  if (*left_out_ < high) parts.push_back(range(*left_out_ + 1u, high));
  return choice(parts);
}

ExprId Grammar::literal(std::string_view text) {
  std::vector<ExprId> parts;
  for (const char c : text) parts.push_back(bytes(static_cast<uint8_t>(c), static_cast<uint8_t>(c)));
  return sequence(parts);
}

ExprId Grammar::characters(const CharClass& set) {
  if (!set.empty() && set.ranges().back().second > 0x7F) return graph(std::make_shared<const ByteGraph>(utf8_graph(set)));
  std::vector<ExprId> choices;
  for (const auto& [first, last] : set.ranges()) choices.push_back(bytes(static_cast<uint8_t>(first), static_cast<uint8_t>(last)));
  return choice(choices);
}

ExprId Grammar::sequence(const std::vector<ExprId>& parts) {
  if (parts.empty()) return empty();
  return parts.size() == 1 ? parts[0] : add_parts(ExprKind::kSequence, parts);
}

ExprId Grammar::choice(const std::vector<ExprId>& parts) {
  if (parts.empty()) return never();
  return parts.size() == 1 ? parts[0] : add_parts(ExprKind::kChoice, parts);
}

ExprId Grammar::repeat(ExprId part, uint32_t min, uint32_t max) {
  if (min > limits::kMaxGrammarRepeats || (max != kUnbounded && max > limits::kMaxGrammarRepeats)) {
    fail(ErrorCode::kLimit, "a repetition of {} in a grammar; at most {} are possible", max == kUnbounded ? min : max,
         limits::kMaxGrammarRepeats);
  }
  if (min > max) return never();
  if (max == 0) return empty();
  if (min == 1 && max == 1) return part;
  const auto first = static_cast<uint32_t>(parts_.size());
  parts_.push_back(part);
  return add({.kind = ExprKind::kRepeat, .first = first, .count = 1, .min = min, .max = max});
}

ExprId Grammar::rule(RuleId id) { return add({.kind = ExprKind::kRule, .index = id}); }

ExprId Grammar::chain(Chain list) {
  chains_.push_back(std::move(list));
  return add({.kind = ExprKind::kChain, .index = static_cast<uint32_t>(chains_.size() - 1)});
}

ExprId Grammar::graph(std::shared_ptr<const ByteGraph> graph) {
  if (left_out_) graph = std::make_shared<const ByteGraph>(without(*graph, *left_out_));
  graphs_.push_back(std::move(graph));
  return add({.kind = ExprKind::kGraph, .index = static_cast<uint32_t>(graphs_.size() - 1)});
}

// Until it is known: a byte that no text has, so that the rule is neither empty nor without an end.
ExprId Grammar::copied_text(bool in_order) {
  if (!copied_) {
    copied_ = add_rule("copied text", bytes(0xFF, 0xFF));
    copies_in_order_ = in_order;
  }
  return rule(*copied_);
}

RuleId Grammar::add_rule(std::string name, ExprId body) {
  rules_.push_back({std::move(name), body});
  return static_cast<RuleId>(rules_.size() - 1);
}

}  // namespace minnow::grammar
