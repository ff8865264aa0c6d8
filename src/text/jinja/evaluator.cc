#include "text/jinja/evaluator.h"

#include "text/jinja/operations.h"
#include "text/jinja/text_form.h"

namespace minnow::jinja {

Value Evaluator::evaluate(const Expr& expr, Scope& scope) {
  const Deeper deeper(rt_);
  rt_.line = expr.line;
  rt_.step();
  switch (expr.kind) {
    case ExprKind::kConstant:
      return static_cast<const ConstantExpr&>(expr).value;
    case ExprKind::kName:
      return lookup(static_cast<const NameExpr&>(expr).name, scope);
    case ExprKind::kList:
      return evaluate_list(static_cast<const ListExpr&>(expr), scope);
    case ExprKind::kDict:
      return evaluate_dict(static_cast<const DictExpr&>(expr), scope);
    case ExprKind::kUnary:
      return evaluate_unary(static_cast<const UnaryExpr&>(expr), scope);
    case ExprKind::kChain:
      return evaluate_chain(static_cast<const ChainExpr&>(expr), scope);
    case ExprKind::kCompare:
      return evaluate_comparison(static_cast<const ChainExpr&>(expr), scope);
    case ExprKind::kLogic:
      return evaluate_logic(static_cast<const LogicExpr&>(expr), scope);
    case ExprKind::kChoice:
      return evaluate_choice(static_cast<const ChoiceExpr&>(expr), scope);
    case ExprKind::kPostfix:
      return evaluate_postfix(static_cast<const PostfixExpr&>(expr), scope);
  }
  return {};
}

Value Evaluator::lookup(std::string_view name, Scope& scope) {
  for (const Scope* s = &scope; s != nullptr; s = s->parent) {
    rt_.scan_elements(s->names.size());
    for (const Binding& binding : s->names) {
      if (binding.name == name) return binding.value;
    }
  }
  if (const Builtin* function = find_function(name)) {
    Callable* callable = rt_.arena.make<Callable>();
    callable->builtin = function;
    return Value::callable(callable);
  }
  return Value::undefined(name);
}

Value Evaluator::evaluate_list(const ListExpr& expr, Scope& scope) {
  List* list = rt_.new_list(expr.list_kind);
  list->items.reserve(rt_.arena, expr.items.size());
  for (const ExprPtr& item : expr.items) list->items.push_back(rt_.arena, evaluate(*item, scope));
  return Value::list(list);
}

Value Evaluator::evaluate_dict(const DictExpr& expr, Scope& scope) {
  Dict* dict = rt_.arena.make<Dict>();
  for (const auto& [key, value] : expr.entries) {
    const Value k = evaluate(*key, scope);
    dict_set(rt_, *dict, k, evaluate(*value, scope));
  }
  return Value::dict(dict);
}

Value Evaluator::evaluate_unary(const UnaryExpr& expr, Scope& scope) {
  const Value operand = evaluate(*expr.operand, scope);
  switch (expr.op) {
    case UnaryOp::kNot:
      return Value::boolean(!truthy(operand));
    case UnaryOp::kNegate:
      return negate(rt_, operand);
    case UnaryOp::kPlus:
      return negate(rt_, negate(rt_, operand));
  }
  return {};
}

Value Evaluator::evaluate_chain(const ChainExpr& expr, Scope& scope) {
  Value left = evaluate(*expr.first, scope);
  for (const auto& [op, operand] : expr.rest) {
    const Value right = evaluate(*operand, scope);
    rt_.line = expr.line;
    left = arithmetic(rt_, op, left, right);
  }
  return left;
}

Value Evaluator::evaluate_comparison(const ChainExpr& expr, Scope& scope) {
  Value left = evaluate(*expr.first, scope);
  for (const auto& [op, operand] : expr.rest) {
    const Value right = evaluate(*operand, scope);
    rt_.line = expr.line;
    if (!compare(rt_, op, left, right)) return Value::boolean(false);
    left = right;
  }
  return Value::boolean(true);
}

Value Evaluator::evaluate_logic(const LogicExpr& expr, Scope& scope) {
  Value value;
  for (const ExprPtr& operand : expr.operands) {
    value = evaluate(*operand, scope);
    if (truthy(value) != expr.is_and) break;
  }
  return value;
}

Value Evaluator::evaluate_choice(const ChoiceExpr& expr, Scope& scope) {
  if (truthy(evaluate(*expr.condition, scope))) return evaluate(*expr.value, scope);
  if (expr.otherwise) return evaluate(*expr.otherwise, scope);
  return Value::undefined("the value of an if without else");
}

Value Evaluator::evaluate_postfix(const PostfixExpr& expr, Scope& scope) {
  return apply_all(expr.suffixes, evaluate(*expr.base, scope), scope);
}

Value Evaluator::apply_all(const std::vector<Suffix>& suffixes, Value value, Scope& scope) {
  for (const Suffix& suffix : suffixes) value = apply(suffix, value, scope);
  return value;
}

Value Evaluator::apply(const Suffix& suffix, Value value, Scope& scope) {
  rt_.step();
  rt_.line = suffix.line;
  switch (suffix.kind) {
    case Suffix::Kind::kAttribute:
      return get_attribute(rt_, value, suffix.name);
    case Suffix::Kind::kItem: {
      const Value key = evaluate(*suffix.start, scope);
      rt_.line = suffix.line;
      return get_item(rt_, value, key);
    }
    case Suffix::Kind::kSlice:
      return apply_slice(suffix, value, scope);
    case Suffix::Kind::kCall:
      return call(value, evaluate_arguments(suffix.arguments, scope), suffix.line);
    case Suffix::Kind::kFilter:
    case Suffix::Kind::kTest:
      return apply_builtin(suffix, value, scope);
  }
  return {};
}

Value Evaluator::apply_slice(const Suffix& suffix, const Value& value, Scope& scope) {
  const auto bound = [&](const ExprPtr& expr) -> std::optional<int64_t> {
    if (!expr) return std::nullopt;
    const Value v = evaluate(*expr, scope);
    if (v.is_none()) return std::nullopt;
    return need_integer(rt_, v, "a slice bound");
  };
  SliceBounds bounds;
  bounds.start = bound(suffix.start);
  bounds.stop = bound(suffix.stop);
  bounds.step = bound(suffix.step);
  rt_.line = suffix.line;
  return get_slice(rt_, value, bounds);
}

Value Evaluator::apply_builtin(const Suffix& suffix, const Value& value, Scope& scope) {
  const bool is_test = suffix.kind == Suffix::Kind::kTest;
  if (suffix.builtin == nullptr) rt_.fail("no {} named '{}'", is_test ? "test" : "filter", suffix.name);
  const Arguments arguments = evaluate_arguments(suffix.arguments, scope);
  rt_.line = suffix.line;
  const Value result = invoke(rt_, *suffix.builtin, value, arguments);
  return is_test ? Value::boolean(truthy(result) != suffix.negated) : result;
}

Arguments Evaluator::evaluate_arguments(const std::unique_ptr<CallArguments>& arguments, Scope& scope) {
  if (!arguments) return {};
  ArenaVector<Value> positional;
  ArenaVector<Binding> named;
  positional.reserve(rt_.arena, arguments->positional.size());
  named.reserve(rt_.arena, arguments->named.size());
  for (const ExprPtr& expr : arguments->positional) positional.push_back(rt_.arena, evaluate(*expr, scope));
  for (const auto& [name, expr] : arguments->named) named.push_back(rt_.arena, {name, evaluate(*expr, scope)});
  if (arguments->star || arguments->double_star) add_stars(*arguments, scope, positional, named);
  return {positional.span(), named.span()};
}

void Evaluator::add_stars(const CallArguments& arguments, Scope& scope, ArenaVector<Value>& positional,
                          ArenaVector<Binding>& named) {
  if (arguments.star) {
    const Value list = evaluate(*arguments.star, scope);
    for (const Value& item : elements(rt_, list)) {
      rt_.scan_elements(1);
      positional.push_back(rt_.arena, item);
    }
  }
  if (arguments.double_star) {
    const Value dict = evaluate(*arguments.double_star, scope);
    if (!dict.is(Kind::kDict)) rt_.fail("** needs a dict, not {}", type_name(dict));
    for (const DictEntry& entry : dict.as_dict().entries) {
      rt_.scan_elements(1);
      if (!entry.key.is_string()) rt_.fail("** needs keys that are text");
      named.push_back(rt_.arena, {entry.key.as_text(), entry.value});
    }
  }
}

}  // namespace minnow::jinja
