// The part of the expression parser for what follows a value: . [] () | is.
#include "text/jinja/expression_parser.h"

namespace minnow::jinja {

bool ExpressionParser::parse_suffix(std::vector<Suffix>& suffixes) {
  const Token token = tokens.current();
  Suffix suffix{.kind = Suffix::Kind::kAttribute, .line = token.line};
  if (tokens.accept_operator(".")) {
    if (tokens.current().kind == TokenKind::kInteger) {
      suffix.kind = Suffix::Kind::kItem;
      suffix.start = number_literal();
    } else {
      suffix.name = tokens.expect_name("an attribute");
    }
  } else if (tokens.accept_operator("[")) {
    subscript(suffix);
  } else if (token.is_operator("(")) {
    suffix.kind = Suffix::Kind::kCall;
    suffix.arguments = call_arguments();
  } else {
    return false;
  }
  suffixes.push_back(std::move(suffix));
  return true;
}

bool ExpressionParser::parse_filter_or_test(std::vector<Suffix>& suffixes) {
  if (tokens.accept_operator("|")) {
    suffixes.push_back(filter());
  } else if (tokens.accept_name("is")) {
    suffixes.push_back(test());
  } else if (tokens.current().is_operator("(")) {
    parse_suffix(suffixes);
  } else {
    return false;
  }
  return true;
}

// After "[": an item or a slice.
void ExpressionParser::subscript(Suffix& suffix) {
  const Nesting nesting(tokens);
  suffix.kind = Suffix::Kind::kItem;
  ExprPtr* const bounds[] = {&suffix.start, &suffix.stop, &suffix.step};
  for (int i = 0; i < 3; ++i) {
    const bool omitted = tokens.current().is_operator(":") || tokens.current().is_operator("]");
    if (!omitted) *bounds[i] = i == 0 ? tuple() : expression();
    if (!tokens.current().is_operator(":") || i == 2) break;
    suffix.kind = Suffix::Kind::kSlice;
    tokens.next();
  }
  if (suffix.kind == Suffix::Kind::kItem && !suffix.start) tokens.fail_expected("an index");
  tokens.expect_operator("]");
}

std::unique_ptr<CallArguments> ExpressionParser::call_arguments() {
  const Nesting nesting(tokens);
  tokens.expect_operator("(");
  CallArguments arguments;
  while (!tokens.accept_operator(")")) {
    if (!arguments.empty()) {
      tokens.expect_operator(",");
      if (tokens.accept_operator(")")) break;
    }
    if (tokens.accept_operator("**")) {
      if (arguments.double_star) tokens.fail("two ** arguments");
      arguments.double_star = expression();
    } else if (tokens.accept_operator("*")) {
      if (arguments.star || arguments.double_star) tokens.fail("a misplaced * argument");
      arguments.star = expression();
    } else if (tokens.current().kind == TokenKind::kName && tokens.ahead().is_operator("=")) {
      const std::string_view name = tokens.next().text;
      tokens.next();
      arguments.named.emplace_back(name, expression());
    } else {
      if (!arguments.named.empty() || arguments.double_star)
        tokens.fail("an argument without name after named ones");
      arguments.positional.push_back(expression());
    }
  }
  if (arguments.empty()) return nullptr;
  return std::make_unique<CallArguments>(std::move(arguments));
}

Suffix ExpressionParser::filter() {
  Suffix suffix{.kind = Suffix::Kind::kFilter, .line = tokens.line()};
  suffix.name = tokens.expect_name("the name of a filter");
  suffix.builtin = find_filter(suffix.name);
  if (tokens.current().is_operator("(")) suffix.arguments = call_arguments();
  return suffix;
}

Suffix ExpressionParser::test() {
  Suffix suffix{.kind = Suffix::Kind::kTest, .line = tokens.line()};
  suffix.negated = tokens.accept_name("not");
  suffix.name = tokens.expect_name("the name of a test");
  suffix.builtin = find_test(suffix.name);
  const Token& token = tokens.current();
  const bool opens = token.is_operator("[") || token.is_operator("{");
  const bool continues =
      token.is_name("else") || token.is_name("or") || token.is_name("and") || token.is_name("if");
  if (token.is_operator("(")) {
    suffix.arguments = call_arguments();
  } else if (token.is_name("is")) {
    tokens.fail("tests cannot be chained; use and");
  } else if (opens || token.kind == TokenKind::kString || token.kind == TokenKind::kInteger ||
             token.kind == TokenKind::kFloat || (token.kind == TokenKind::kName && !continues)) {
    // One argument may go without parentheses: is divisibleby 3.
    const Nesting nesting(tokens);
    ExprPtr argument = primary();
    std::vector<Suffix> suffixes;
    while (parse_suffix(suffixes)) {
    }
    if (!suffixes.empty()) {
      auto postfix = std::make_unique<PostfixExpr>(argument->line, std::move(argument));
      postfix->suffixes = std::move(suffixes);
      argument = std::move(postfix);
    }
    suffix.arguments = std::make_unique<CallArguments>();
    suffix.arguments->positional.push_back(std::move(argument));
  }
  return suffix;
}

}  // namespace minnow::jinja
