#include "text/jinja/evaluator.h"
#include "text/jinja/operations.h"
#include "text/jinja/text_form.h"

namespace minnow::jinja {

std::string Evaluator::render(const Body& body, std::span<const Binding> variables) {
  Scope scope;
  for (const Binding& variable : variables) assign_name(variable.name, variable.value, scope);
  output_.clear();
  generated_.clear();
  execute(body, scope);
  return std::move(output_);
}

void Evaluator::write(std::string_view text) {
  if (output_.size() + text.size() > limits::kMaxTemplateOutput) {
    fail_at(rt_.line, ErrorCode::kLimit,
            fmt::format("gives more than {} MB of text", limits::kMaxTemplateOutput >> 20));
  }
  rt_.scan_bytes(text.size());
  output_.append(text);
}

Scope* Evaluator::new_scope(Scope& parent) { return rt_.arena.make<Scope>(&parent); }

Value Evaluator::capture(const Body& body, Scope& scope) {
  const std::size_t start = output_.size();
  execute(body, scope);
  return take_output(start);
}

Value Evaluator::take_output(std::size_t start) {
  const Value text = rt_.text(std::string_view(output_).substr(start));
  output_.resize(start);
  while (!generated_.empty() && generated_.back().end > start) generated_.pop_back();
  return text;
}

Evaluator::Flow Evaluator::execute(const Body& body, Scope& scope) {
  const Deeper deeper(rt_);
  for (const auto& stmt : body) {
    const Flow flow = execute(*stmt, scope);
    if (flow != Flow::kNormal) return flow;
  }
  return Flow::kNormal;
}

Evaluator::Flow Evaluator::execute(const Stmt& stmt, Scope& scope) {
  rt_.line = stmt.line;
  rt_.step();
  switch (stmt.kind) {
    case StmtKind::kText:
      write(static_cast<const TextStmt&>(stmt).text);
      break;
    case StmtKind::kOutput: {
      const Value value = evaluate(*static_cast<const OutputStmt&>(stmt).value, scope);
      write(to_text(rt_, value));
      break;
    }
    case StmtKind::kIf:
      return execute_if(static_cast<const IfStmt&>(stmt), scope);
    case StmtKind::kFor:
      return execute_for(static_cast<const ForStmt&>(stmt), scope);
    case StmtKind::kSet:
      execute_set(static_cast<const SetStmt&>(stmt), scope);
      break;
    case StmtKind::kSetBlock:
      execute_set_block(static_cast<const SetBlockStmt&>(stmt), scope);
      break;
    case StmtKind::kMacro: {
      const auto& macro = static_cast<const MacroStmt&>(stmt);
      Callable* callable = rt_.arena.make<Callable>();
      callable->macro = &macro;
      callable->closure = &scope;
      assign_name(macro.name, Value::callable(callable), scope);
      break;
    }
    case StmtKind::kCallBlock:
      execute_call_block(static_cast<const CallBlockStmt&>(stmt), scope);
      break;
    case StmtKind::kFilterBlock:
      execute_filter_block(static_cast<const FilterBlockStmt&>(stmt), scope);
      break;
    case StmtKind::kWith:
      return execute_with(static_cast<const WithStmt&>(stmt), scope);
    case StmtKind::kBreak:
      return Flow::kBreak;
    case StmtKind::kContinue:
      return Flow::kContinue;
  }
  return Flow::kNormal;
}

Evaluator::Flow Evaluator::execute_if(const IfStmt& stmt, Scope& scope) {
  for (const auto& [condition, body] : stmt.branches) {
    if (truthy(evaluate(*condition, scope))) return execute(body, scope);
  }
  return execute(stmt.otherwise, scope);
}

Evaluator::Flow Evaluator::execute_for(const ForStmt& stmt, Scope& scope) {
  run_loop(stmt, evaluate(*stmt.items, scope), scope, 0);
  return Flow::kNormal;
}

// What a target was assigned, as one value again.
Value Evaluator::assigned(const Target& target, Scope& scope) {
  if (target.parts.empty()) return lookup(target.name, scope);
  List* tuple = rt_.new_list(ListKind::kTuple);
  for (const Target& part : target.parts) tuple->items.push_back(rt_.arena, assigned(part, scope));
  return Value::list(tuple);
}

// The items for which `for … if condition` holds. With several targets, they become tuples of these.
std::span<const Value> Evaluator::filtered(const ForStmt& stmt, std::span<const Value> items, Scope& scope) {
  ArenaVector<Value> kept;
  for (const Value& item : items) {
    Scope* inner = new_scope(scope);
    assign(stmt.target, item, *inner);
    if (truthy(evaluate(*stmt.condition, *inner))) kept.push_back(rt_.arena, assigned(stmt.target, *inner));
  }
  return kept.span();
}

void Evaluator::run_loop(const ForStmt& stmt, const Value& items, Scope& scope, int depth0) {
  const Deeper deeper(rt_);
  rt_.line = stmt.line;
  Loop* loop = rt_.arena.make<Loop>();
  loop->items = elements(rt_, items);
  if (stmt.condition) loop->items = filtered(stmt, loop->items, scope);
  loop->depth0 = depth0;
  loop->recursive = stmt.recursive ? &stmt : nullptr;
  loop->scope = &scope;
  bool completed = false;  // a pass ran to its end
  for (; loop->index0 < loop->items.size(); ++loop->index0) {
    rt_.line = stmt.line;
    rt_.step();
    Scope* inner = new_scope(scope);
    inner->names.push_back(rt_.arena, {"loop", Value::loop(loop)});
    assign(stmt.target, loop->items[loop->index0], *inner);
    const Flow flow = execute(stmt.body, *inner);
    if (flow == Flow::kBreak) break;
    completed = completed || flow == Flow::kNormal;
  }
  // As in Jinja: `else` also follows a loop whose every pass was cut short.
  if (!completed) execute(stmt.otherwise, *new_scope(scope));
}

void Evaluator::execute_set(const SetStmt& stmt, Scope& scope) {
  const Value value = evaluate(*stmt.value, scope);
  rt_.line = stmt.line;
  assign(stmt.target, value, scope);
}

void Evaluator::execute_set_block(const SetBlockStmt& stmt, Scope& scope) {
  const Value text = capture(stmt.body, *new_scope(scope));
  const Value value = apply_all(stmt.filters, text, scope);
  rt_.line = stmt.line;
  assign(stmt.target, value, scope);
}

void Evaluator::execute_filter_block(const FilterBlockStmt& stmt, Scope& scope) {
  const Value text = capture(stmt.body, *new_scope(scope));
  write(to_text(rt_, apply_all(stmt.filters, text, scope)));
}

// Calls the macro with one more argument: `caller`, which gives the body of the block.
void Evaluator::execute_call_block(const CallBlockStmt& stmt, Scope& scope) {
  const auto& call_expr = static_cast<const PostfixExpr&>(*stmt.call);
  Value callee = evaluate(*call_expr.base, scope);
  for (std::size_t i = 0; i + 1 < call_expr.suffixes.size(); ++i)
    callee = apply(call_expr.suffixes[i], callee, scope);
  const Arguments arguments = evaluate_arguments(call_expr.suffixes.back().arguments, scope);
  Callable* caller = rt_.arena.make<Callable>();
  caller->macro = &stmt.caller;
  caller->closure = &scope;
  ArenaVector<Binding> named;
  for (const Binding& binding : arguments.named) named.push_back(rt_.arena, binding);
  named.push_back(rt_.arena, {"caller", Value::callable(caller)});
  write(to_text(rt_, call(callee, {arguments.positional, named.span()}, stmt.line)));
}

Evaluator::Flow Evaluator::execute_with(const WithStmt& stmt, Scope& scope) {
  Scope* inner = new_scope(scope);
  for (const auto& [target, expr] : stmt.bindings) assign(target, evaluate(*expr, scope), *inner);
  const std::size_t start = output_.size();
  const Flow flow = execute(stmt.body, *inner);
  if (stmt.is_generation && output_.size() > start) {
    // A block around this one takes its place.
    while (!generated_.empty() && generated_.back().begin >= start) generated_.pop_back();
    generated_.push_back({start, output_.size()});
  }
  return flow;
}

void Evaluator::assign(const Target& target, const Value& value, Scope& scope) {
  if (target.parts.empty()) {
    if (!target.attribute.empty()) return assign_attribute(target, value, scope);
    return assign_name(target.name, value, scope);
  }
  if (value.is_undefined()) rt_.fail_undefined(value);
  const auto items = elements(rt_, value);
  if (items.size() != target.parts.size()) {
    rt_.fail("{} values cannot be assigned to {} names", items.size(), target.parts.size());
  }
  for (std::size_t i = 0; i < items.size(); ++i) assign(target.parts[i], items[i], scope);
}

void Evaluator::assign_name(std::string_view name, const Value& value, Scope& scope) {
  rt_.scan_elements(scope.names.size());
  for (Binding& binding : scope.names) {
    if (binding.name == name) {
      binding.value = value;
      return;
    }
  }
  scope.names.push_back(rt_.arena, {name, value});
}

void Evaluator::assign_attribute(const Target& target, const Value& value, Scope& scope) {
  const Value object = lookup(target.name, scope);
  if (object.is_undefined()) rt_.fail_undefined(object);
  if (!object.is(Kind::kNamespace))
    rt_.fail("'{}' is not a namespace; only those have attributes to set", target.name);
  Namespace& ns = object.as_namespace();
  rt_.scan_elements(ns.attributes.size());
  for (Binding& binding : ns.attributes) {
    if (binding.name == target.attribute) {
      binding.value = value;
      return;
    }
  }
  ns.attributes.push_back(rt_.arena, {target.attribute, value});
}

}  // namespace minnow::jinja
