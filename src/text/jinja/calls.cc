// Calls of functions, methods, macros and recursive loops.
#include "text/jinja/evaluator.h"
#include "text/jinja/operations.h"

namespace minnow::jinja {
namespace {

const Value* find_named(const Arguments& arguments, std::string_view name) {
  for (const Binding& binding : arguments.named) {
    if (binding.name == name) return &binding.value;
  }
  return nullptr;
}

bool is_parameter(const MacroStmt& macro, std::string_view name) {
  for (const Parameter& parameter : macro.parameters) {
    if (parameter.name == name) return true;
  }
  return false;
}

}  // namespace

Value Evaluator::call(const Value& callee, const Arguments& arguments, int line) {
  rt_.line = line;
  if (callee.is_undefined()) rt_.fail_undefined(callee);
  if (callee.is(Kind::kLoop)) {
    const Loop& loop = callee.as_loop();
    if (loop.recursive == nullptr) rt_.fail("loop() needs a recursive loop");
    if (arguments.positional.size() != 1) rt_.fail("loop() takes one argument");
    const std::size_t start = output_.size();
    run_loop(*loop.recursive, arguments.positional[0], *loop.scope, loop.depth0 + 1);
    return take_output(start);
  }
  if (!callee.is(Kind::kCallable)) rt_.fail("a {} cannot be called", type_name(callee));
  const Callable& callable = callee.as_callable();
  if (callable.macro != nullptr) return call_macro(callable, arguments);
  return invoke(rt_, *callable.builtin, callable.self, arguments);
}

Value Evaluator::call_macro(const Callable& callable, const Arguments& arguments) {
  const Deeper deeper(rt_);
  if (call_depth_ >= limits::kMaxTemplateDepth) {
    fail_at(rt_.line, ErrorCode::kLimit,
            fmt::format("macros call each other more than {} deep", limits::kMaxTemplateDepth));
  }
  ++call_depth_;
  Scope* scope = new_scope(*callable.closure);
  bind_parameters(*callable.macro, arguments, *scope);
  bind_extra(*callable.macro, arguments, *scope);
  const Value text = capture(callable.macro->body, *scope);
  --call_depth_;
  return text;
}

void Evaluator::bind_parameters(const MacroStmt& macro, const Arguments& arguments, Scope& scope) {
  for (std::size_t i = 0; i < macro.parameters.size(); ++i) {
    const Parameter& parameter = macro.parameters[i];
    const Value* given = find_named(arguments, parameter.name);
    rt_.scan_elements(1 + arguments.named.size());
    if (i < arguments.positional.size()) {
      if (given != nullptr) rt_.fail("macro '{}' got its argument '{}' twice", macro.name, parameter.name);
      given = &arguments.positional[i];
    }
    Value value = Value::undefined(parameter.name);
    if (given != nullptr) {
      value = *given;
    } else if (parameter.otherwise) {
      value = evaluate(*parameter.otherwise, scope);
    }
    scope.names.push_back(rt_.arena, {parameter.name, value});
  }
}

// Arguments past the parameters: varargs, kwargs and caller, or an error.
void Evaluator::bind_extra(const MacroStmt& macro, const Arguments& arguments, Scope& scope) {
  const std::size_t n = macro.parameters.size();
  if (arguments.positional.size() > n && !macro.uses_varargs) {
    rt_.fail("macro '{}' takes not more than {} arguments", macro.name, n);
  }
  if (macro.uses_varargs) {
    const auto more = arguments.positional.subspan(std::min(n, arguments.positional.size()));
    scope.names.push_back(rt_.arena, {"varargs", rt_.list_of(more, ListKind::kTuple)});
  }
  Dict* more = rt_.arena.make<Dict>();
  for (const Binding& named : arguments.named) {
    rt_.scan_elements(n);
    if (is_parameter(macro, named.name)) continue;
    if (named.name == "caller") {
      scope.names.push_back(rt_.arena, named);
    } else if (macro.uses_kwargs) {
      dict_set(rt_, *more, Value::string(named.name), named.value);
    } else {
      rt_.fail("macro '{}' takes no argument '{}'", macro.name, named.name);
    }
  }
  if (macro.uses_kwargs) scope.names.push_back(rt_.arena, {"kwargs", Value::dict(more)});
}

}  // namespace minnow::jinja
