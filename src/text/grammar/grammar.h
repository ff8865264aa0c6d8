// A grammar as the front ends write it: rules of expressions over bytes. automaton.h makes it run.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/grammar/char_class.h"

namespace minnow::grammar {

struct ByteGraph;

using ExprId = uint32_t;
using RuleId = uint32_t;
inline constexpr uint32_t kUnbounded = UINT32_MAX;

enum class ExprKind : uint8_t { kEmpty, kNever, kBytes, kSequence, kChoice, kRepeat, kRule, kChain, kGraph };

// A list with separators. Of the items in their order those that may be skipped may be absent; a separator stands
// between neighbours that are there.
struct Chain {
  struct Item {
    ExprId expr;
    bool may_skip;
  };
  std::vector<Item> items;
  ExprId separator = 0;
  uint32_t first_exit = 0;  // the list may end after this many items, skipped ones counted, or more
  bool repeats_last = false;
  bool needs_one = false;   // it cannot be empty
};

struct Expr {
  ExprKind kind;
  uint32_t first = 0, count = 0;  // parts: kSequence, kChoice, kRepeat (one); kBytes: low and high
  uint32_t min = 0, max = 0;      // kRepeat
  uint32_t index = 0;             // kRule, kChain, kGraph
};

// An arena: expressions may be used in more than one place. Throws kLimit past limits::kMaxGrammarExpressions.
class Grammar {
 public:
  Grammar();

  ExprId empty() const { return 0; }
  ExprId never() const { return 1; }
  ExprId bytes(uint8_t low, uint8_t high);
  ExprId literal(std::string_view text);
  ExprId characters(const CharClass& set);  // one of them, in UTF-8
  ExprId sequence(const std::vector<ExprId>& parts);
  ExprId choice(const std::vector<ExprId>& parts);
  // max may be kUnbounded; other numbers up to limits::kMaxGrammarRepeats.
  ExprId repeat(ExprId part, uint32_t min, uint32_t max);
  ExprId optional(ExprId part) { return repeat(part, 0, 1); }
  ExprId rule(RuleId id);
  ExprId chain(Chain list);
  ExprId graph(std::shared_ptr<const ByteGraph> graph);

  // A text that is known later only: Automaton::copying says which there are. In order: each comes later in the message than the one
  // before it; the first call decides for all.
  ExprId copied_text(bool in_order);

  // From here on no expression reads this byte, until the next call; nullopt: none is left out.
  void leave_out(std::optional<uint8_t> byte) { left_out_ = byte; }
  // The automaton is refused, by the rule's name, where no text at all fits the rule.
  void require(RuleId rule) { required_.push_back(rule); }

  // The name is for errors.
  RuleId add_rule(std::string name, ExprId body = 1);
  void define(RuleId id, ExprId body) { rules_[id].body = body; }
  void set_root(RuleId id) { root_ = id; }

  struct Rule {
    std::string name;
    ExprId body;
  };
  const std::vector<Rule>& rules() const { return rules_; }
  RuleId root() const { return root_; }
  const std::vector<RuleId>& required() const { return required_; }
  const std::optional<RuleId>& copied() const { return copied_; }  // the rule of such texts
  bool copies_in_order() const { return copies_in_order_; }
  const Expr& expr(ExprId id) const { return exprs_[id]; }
  ExprId part(const Expr& e, uint32_t i) const { return parts_[e.first + i]; }
  const Chain& chain_of(const Expr& e) const { return chains_[e.index]; }
  const ByteGraph& graph_of(const Expr& e) const { return *graphs_[e.index]; }

 private:
  ExprId add(Expr expr);
  ExprId add_parts(ExprKind kind, const std::vector<ExprId>& parts);

  std::vector<Expr> exprs_;
  std::vector<ExprId> parts_;
  std::vector<Chain> chains_;
  std::vector<std::shared_ptr<const ByteGraph>> graphs_;
  std::vector<Rule> rules_;
  RuleId root_ = 0;
  std::vector<RuleId> required_;
  std::optional<uint8_t> left_out_;
  std::optional<RuleId> copied_;
  bool copies_in_order_ = false;
};

}  // namespace minnow::grammar
