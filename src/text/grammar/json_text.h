// The parts that JSON texts are made of, as expressions.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/json.h"
#include "text/grammar/byte_graph.h"
#include "text/grammar/grammar.h"

namespace minnow::grammar {

// One character of a set as a JSON string holds it: itself, or the shortest escape where it needs one.
ExprId json_characters(Grammar& grammar, const CharClass& set);
// A text inside of a JSON string, in the same form.
std::string json_escaped(std::string_view text);

class JsonText {
 public:
  // compact: no white space; see ConstraintSpec.
  JsonText(Grammar& grammar, bool compact) : g_(grammar), compact_(compact) {}

  ExprId space();
  // A string with any contents; characters may be escaped that need not be.
  ExprId string();
  // Of so many characters. The name is for errors, of the first one of a kind: equal ones are one rule.
  struct Length {
    uint32_t min = 0, max = kUnbounded;
    auto operator<=>(const Length&) const = default;
  };
  ExprId string(Length length, const std::string& name, Budget& budget);
  ExprId quoted(ExprId contents);
  ExprId number();
  ExprId integer();
  ExprId boolean() { return g_.choice({g_.literal("true"), g_.literal("false")}); }
  ExprId null() { return g_.literal("null"); }
  ExprId value();
  ExprId object();
  ExprId array();

  // Numbers without a fraction are written without one, whatever their type.
  ExprId literal(const OrderedJson& value);
  static std::string scalar(const OrderedJson& value);  // the same of what is no object or array
  ExprId member(ExprId key, ExprId value);      // key: quotes included
  ExprId object_of(Chain members);              // the separator is filled in
  ExprId array_of(Chain items);

 private:
  template <typename Make>
  ExprId shared(std::optional<RuleId>& rule, const char* name, const Make& make);
  ExprId list(const char* open, Chain items, const char* close);
  ExprId string_character();
  ExprId escaped_unit();

  Grammar& g_;
  bool compact_;
  std::optional<RuleId> space_, string_, number_, integer_, value_, object_, array_, wide_, unit_;
  std::map<Length, RuleId> strings_;
};

}  // namespace minnow::grammar
