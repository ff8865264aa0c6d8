#include "text/jinja/expression_parser.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace minnow::jinja {
namespace {

// Levels of left-associative operators, loosest first.
constexpr int kTightestLevel = 3;

std::optional<Op> operator_of_level(const Token& token, int level) {
  if (token.kind != TokenKind::kOperator) return std::nullopt;
  const std::string_view t = token.text;
  switch (level) {
    case 0:
      if (t == "+") return Op::kAdd;
      if (t == "-") return Op::kSubtract;
      break;
    case 1:
      if (t == "~") return Op::kConcat;
      break;
    case 2:
      if (t == "*") return Op::kMultiply;
      if (t == "/") return Op::kDivide;
      if (t == "//") return Op::kFloorDivide;
      if (t == "%") return Op::kModulo;
      break;
    default:
      if (t == "**") return Op::kPower;
  }
  return std::nullopt;
}

std::optional<Op> comparison_operator(const Token& token) {
  if (token.kind != TokenKind::kOperator) return std::nullopt;
  if (token.text == "==") return Op::kEqual;
  if (token.text == "!=") return Op::kNotEqual;
  if (token.text == "<") return Op::kLess;
  if (token.text == "<=") return Op::kLessEqual;
  if (token.text == ">") return Op::kGreater;
  if (token.text == ">=") return Op::kGreaterEqual;
  return std::nullopt;
}

bool is_reserved(std::string_view name) {
  constexpr std::string_view kWords[] = {"and", "or", "not", "in", "is", "if", "else", "elif"};
  return std::find(std::begin(kWords), std::end(kWords), name) != std::end(kWords);
}

bool is_constant_name(std::string_view name) {
  constexpr std::string_view kWords[] = {"true", "True", "false", "False", "none", "None"};
  return std::find(std::begin(kWords), std::end(kWords), name) != std::end(kWords);
}

// Puts suffixes on an expression; one that has some already takes more.
ExprPtr with_suffixes(ExprPtr base, std::vector<Suffix> suffixes) {
  if (suffixes.empty()) return base;
  const int line = base->line;
  auto postfix = std::make_unique<PostfixExpr>(line, std::move(base));
  postfix->suffixes = std::move(suffixes);
  return postfix;
}

}  // namespace

ExprPtr ExpressionParser::expression() { return choice(); }

ExprPtr ExpressionParser::expression_without_choice() { return logic(false); }

ExprPtr ExpressionParser::choice() {
  const Nesting nesting(tokens);
  ExprPtr value = logic(false);
  while (tokens.current().is_name("if")) {
    auto choice = std::make_unique<ChoiceExpr>(tokens.next().line);
    choice->value = std::move(value);
    choice->condition = logic(false);
    const bool has_else = tokens.accept_name("else");
    if (has_else) choice->otherwise = this->choice();
    value = std::move(choice);
    if (!has_else && tokens.current().is_name("if")) tokens.fail("two conditions without else");
  }
  return value;
}

ExprPtr ExpressionParser::logic(bool is_and) {
  const auto operand = [&] { return is_and ? negation() : logic(true); };
  ExprPtr first = operand();
  const std::string_view word = is_and ? "and" : "or";
  if (!tokens.current().is_name(word)) return first;
  auto logic = std::make_unique<LogicExpr>(first->line, is_and);
  logic->operands.push_back(std::move(first));
  while (tokens.accept_name(word)) logic->operands.push_back(operand());
  return logic;
}

ExprPtr ExpressionParser::negation() {
  if (!tokens.current().is_name("not")) return comparison();
  const Nesting nesting(tokens);
  const int line = tokens.next().line;
  return std::make_unique<UnaryExpr>(line, UnaryOp::kNot, negation());
}

ExprPtr ExpressionParser::comparison() {
  ExprPtr first = chain(0);
  std::unique_ptr<ChainExpr> compared;
  while (true) {
    std::optional<Op> op = comparison_operator(tokens.current());
    if (op || tokens.current().is_name("in")) {
      tokens.next();
      if (!op) op = Op::kIn;
    } else if (tokens.current().is_name("not") && tokens.ahead().is_name("in")) {
      tokens.next();
      tokens.next();
      op = Op::kNotIn;
    } else {
      break;
    }
    if (!compared) {
      const int line = first->line;
      compared = std::make_unique<ChainExpr>(ExprKind::kCompare, line, std::move(first));
    }
    compared->rest.emplace_back(*op, chain(0));
  }
  if (compared) return compared;
  return first;
}

ExprPtr ExpressionParser::chain(int level) {
  const auto operand = [&] { return level == kTightestLevel ? unary(true) : chain(level + 1); };
  ExprPtr first = operand();
  std::optional<Op> op = operator_of_level(tokens.current(), level);
  if (!op) return first;
  const int line = first->line;
  auto chain = std::make_unique<ChainExpr>(ExprKind::kChain, line, std::move(first));
  for (; op; op = operator_of_level(tokens.current(), level)) {
    tokens.next();
    chain->rest.emplace_back(*op, operand());
  }
  return chain;
}

ExprPtr ExpressionParser::unary(bool with_filters) {
  ExprPtr value;
  const Token token = tokens.current();
  if (token.is_operator("-") || token.is_operator("+")) {
    const Nesting nesting(tokens);
    tokens.next();
    const UnaryOp op = token.text == "-" ? UnaryOp::kNegate : UnaryOp::kPlus;
    value = std::make_unique<UnaryExpr>(token.line, op, unary(false));
  } else {
    value = primary();
  }
  std::vector<Suffix> suffixes;
  while (parse_suffix(suffixes)) {
  }
  while (with_filters && parse_filter_or_test(suffixes)) {
  }
  return with_suffixes(std::move(value), std::move(suffixes));
}

ExprPtr ExpressionParser::primary() {
  switch (tokens.current().kind) {
    case TokenKind::kName:
      return name_or_constant();
    case TokenKind::kString:
      return string_literal();
    case TokenKind::kInteger:
    case TokenKind::kFloat:
      return number_literal();
    default:
      break;
  }
  if (tokens.current().is_operator("(")) return parenthesized();
  if (tokens.current().is_operator("[")) return list_literal();
  if (tokens.current().is_operator("{")) return dict_literal();
  tokens.fail_expected("a value");
}

ExprPtr ExpressionParser::name_or_constant() {
  if (is_reserved(tokens.current().text)) tokens.fail_expected("a value");
  const Token token = tokens.next();
  const std::string_view name = token.text;
  if (is_constant_name(name)) {
    const char first = static_cast<char>(name[0] | 0x20);
    const Value value = first == 'n' ? Value::none() : Value::boolean(first == 't');
    return std::make_unique<ConstantExpr>(token.line, value);
  }
  if (macro != nullptr && name == "varargs") macro->uses_varargs = true;
  if (macro != nullptr && name == "kwargs") macro->uses_kwargs = true;
  return std::make_unique<NameExpr>(token.line, name);
}

// Strings next to each other are one.
ExprPtr ExpressionParser::string_literal() {
  const int line = tokens.line();
  std::string text;
  while (tokens.current().kind == TokenKind::kString) {
    const Token token = tokens.next();
    text += unescape(token.text, token.line);
  }
  return std::make_unique<ConstantExpr>(line, std::move(text));
}

ExprPtr ExpressionParser::number_literal() {
  const Token token = tokens.next();
  std::string digits(token.text);
  std::erase(digits, '_');
  const char* begin = digits.data();
  const char* end = begin + digits.size();
  if (token.kind == TokenKind::kFloat) {
    double number = 0;
    const auto result = std::from_chars(begin, end, number);
    if (result.ec != std::errc{}) fail_at(token.line, ErrorCode::kInvalidInput, "a number is out of range");
    return std::make_unique<ConstantExpr>(token.line, Value::real(number));
  }
  const char letter = digits.size() > 2 && digits[0] == '0' ? static_cast<char>(digits[1] | 0x20) : '0';
  const int base = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 10;
  int64_t number = 0;
  const auto result = std::from_chars(base == 10 ? begin : begin + 2, end, number, base);
  if (result.ec != std::errc{} || result.ptr != end) {
    fail_at(token.line, ErrorCode::kInvalidInput, "an integer is malformed or does not fit in 64 bits");
  }
  return std::make_unique<ConstantExpr>(token.line, Value::integer(number));
}

ExprPtr ExpressionParser::list_literal() {
  auto list = std::make_unique<ListExpr>(tokens.next().line, ListKind::kList);
  while (!tokens.accept_operator("]")) {
    if (!list->items.empty()) {
      tokens.expect_operator(",");
      if (tokens.accept_operator("]")) break;
    }
    list->items.push_back(expression());
  }
  return list;
}

ExprPtr ExpressionParser::dict_literal() {
  auto dict = std::make_unique<DictExpr>(tokens.next().line);
  while (!tokens.accept_operator("}")) {
    if (!dict->entries.empty()) {
      tokens.expect_operator(",");
      if (tokens.accept_operator("}")) break;
    }
    ExprPtr key = expression();
    tokens.expect_operator(":");
    dict->entries.emplace_back(std::move(key), expression());
  }
  return dict;
}

ExprPtr ExpressionParser::parenthesized() {
  const int line = tokens.next().line;
  if (tokens.accept_operator(")")) return std::make_unique<ListExpr>(line, ListKind::kTuple);
  ExprPtr inside = tuple();
  tokens.expect_operator(")");
  return inside;
}

bool ExpressionParser::at_tuple_end() const {
  const Token& token = tokens.current();
  return token.kind == TokenKind::kBlockEnd || token.kind == TokenKind::kVariableEnd ||
         token.is_operator(")") || token.is_name("recursive");
}

ExprPtr ExpressionParser::tuple(bool with_choice) {
  const auto item = [&] { return with_choice ? expression() : expression_without_choice(); };
  ExprPtr first = item();
  if (!tokens.current().is_operator(",")) return first;
  auto tuple = std::make_unique<ListExpr>(first->line, ListKind::kTuple);
  tuple->items.push_back(std::move(first));
  while (tokens.accept_operator(",")) {
    if (at_tuple_end()) break;
    tuple->items.push_back(item());
  }
  return tuple;
}

Target ExpressionParser::target_part(bool with_attribute) {
  const Nesting nesting(tokens);
  Target target;
  if (tokens.accept_operator("(")) {
    target = this->target(with_attribute);
    tokens.expect_operator(")");
    return target;
  }
  if (is_reserved(tokens.current().text) || is_constant_name(tokens.current().text)) {
    tokens.fail_expected("a name to assign to");
  }
  target.name = tokens.expect_name("a name to assign to");
  if (with_attribute && tokens.accept_operator(".")) target.attribute = tokens.expect_name("an attribute");
  return target;
}

Target ExpressionParser::target(bool with_attribute) {
  Target first = target_part(with_attribute);
  if (!tokens.current().is_operator(",")) return first;
  Target tuple;
  tuple.parts.push_back(std::move(first));
  while (tokens.accept_operator(",")) {
    if (at_tuple_end() || tokens.current().is_name("in") || tokens.current().is_operator("=")) break;
    tuple.parts.push_back(target_part(with_attribute));
  }
  return tuple;
}

}  // namespace minnow::jinja
