// Tokens to expressions: precedence as in Jinja, from loosest to tightest
//   if-else, or, and, not, comparisons, + -, ~, * / // %, **, unary - +, suffixes (. [] () | is).
#pragma once

#include <vector>

#include "text/jinja/ast.h"
#include "text/jinja/token_stream.h"

namespace minnow::jinja {

// `macro`, when not null, learns whether its body names `varargs` or `kwargs`.
struct ExpressionParser {
  TokenStream& tokens;
  MacroStmt* macro = nullptr;

  ExprPtr expression();
  // Without a trailing "if … else …", for places where `if` means something else.
  ExprPtr expression_without_choice();
  // One expression or several with commas, which make a tuple.
  ExprPtr tuple(bool with_choice = true);
  // "(" is the current token. Null when nothing stands between the parentheses.
  std::unique_ptr<CallArguments> call_arguments();
  // The name of a filter and its arguments.
  Suffix filter();
  // An assignment's left side; stops before `=`, `in`, or the end of the tag.
  Target target(bool with_attribute);

 private:
  ExprPtr choice();
  ExprPtr logic(bool is_and);
  ExprPtr negation();
  ExprPtr comparison();
  ExprPtr chain(int level);
  ExprPtr unary(bool with_filters);
  ExprPtr primary();
  ExprPtr name_or_constant();
  ExprPtr string_literal();
  ExprPtr number_literal();
  ExprPtr list_literal();
  ExprPtr dict_literal();
  ExprPtr parenthesized();
  bool parse_suffix(std::vector<Suffix>& suffixes);          // . [] ()
  bool parse_filter_or_test(std::vector<Suffix>& suffixes);  // | is ()
  void subscript(Suffix& suffix);
  Suffix test();
  bool at_tuple_end() const;
  Target target_part(bool with_attribute);
};

}  // namespace minnow::jinja
