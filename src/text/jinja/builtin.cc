#include "text/jinja/builtin.h"

#include "text/jinja/operations.h"

namespace minnow::jinja {
namespace {

const Builtin* find_in(std::span<const Builtin> table, std::string_view name) {
  for (const Builtin& builtin : table) {
    if (builtin.name == name) return &builtin;
  }
  return nullptr;
}

// The position of a parameter, or kMaxParameters.
std::size_t parameter_index(const Builtin& builtin, std::string_view name) {
  std::string_view names = builtin.parameters;
  for (std::size_t i = 0; !names.empty(); ++i) {
    const std::size_t space = names.find(' ');
    if (names.substr(0, space) == name) return i;
    if (space == std::string_view::npos) break;
    names.remove_prefix(space + 1);
  }
  return kMaxParameters;
}

std::size_t parameter_count(const Builtin& builtin) {
  if (builtin.parameters.empty()) return 0;
  std::size_t n = 1;
  for (const char c : builtin.parameters) n += c == ' ' ? 1 : 0;
  return n;
}

void bind(Call& call, const Builtin& builtin, const Arguments& arguments) {
  const std::size_t n = parameter_count(builtin);
  const std::size_t taken = std::min(n, arguments.positional.size());
  for (std::size_t i = 0; i < taken; ++i) call.bound[i] = &arguments.positional[i];
  if (taken < arguments.positional.size() && !builtin.variadic) {
    call.rt.fail("{}() takes at most {} arguments, not {}", builtin.name, n, arguments.positional.size());
  }
  call.rest = {arguments.positional.subspan(taken), arguments.named};
  if (!builtin.variadic) {
    for (const Binding& named : arguments.named) {
      const std::size_t i = parameter_index(builtin, named.name);
      if (i == kMaxParameters) call.rt.fail("{}() has no argument '{}'", builtin.name, named.name);
      if (call.bound[i] != nullptr)
        call.rt.fail("{}() got its argument '{}' twice", builtin.name, named.name);
      call.bound[i] = &named.value;
    }
  }
  for (std::size_t i = 0; i < builtin.required; ++i) {
    if (call.bound[i] == nullptr) call.rt.fail("{}() needs {} arguments", builtin.name, builtin.required);
  }
}

}  // namespace

std::string_view Call::text(std::size_t i, std::string_view otherwise) const {
  if (bound[i] == nullptr || bound[i]->is_none()) return otherwise;
  if (bound[i]->is_undefined()) rt.fail_undefined(*bound[i]);
  if (!bound[i]->is_string())
    rt.fail("{}(): argument {} must be text, not {}", name, i + 1, type_name(*bound[i]));
  return bound[i]->as_text();
}

int64_t Call::integer(std::size_t i, int64_t otherwise) const {
  if (bound[i] == nullptr || bound[i]->is_none()) return otherwise;
  return need_integer(rt, *bound[i], fmt::format("{}(): argument {}", name, i + 1));
}

bool Call::flag(std::size_t i, bool otherwise) const {
  return bound[i] == nullptr ? otherwise : truthy(*bound[i]);
}

const Builtin* find_filter(std::string_view name) {
  for (const auto table : {value_filters(), text_filters(), list_filters(), select_filters()}) {
    if (const Builtin* found = find_in(table, name)) return found;
  }
  return nullptr;
}

const Builtin* find_test(std::string_view name) { return find_in(test_table(), name); }

const Builtin* find_function(std::string_view name) { return find_in(function_table(), name); }

const Builtin* find_method(const Value& object, std::string_view name) {
  switch (object.kind()) {
    case Kind::kString: {
      const Builtin* found = find_in(text_methods(), name);
      return found != nullptr ? found : find_in(case_methods(), name);
    }
    case Kind::kList:
      return object.as_list().kind <= ListKind::kRange ? find_in(list_methods(), name) : nullptr;
    case Kind::kDict:
      return find_in(dict_methods(), name);
    case Kind::kLoop:
      return find_in(loop_methods(), name);
    default:
      return nullptr;
  }
}

Value invoke(Runtime& rt, const Builtin& builtin, const Value& self, const Arguments& arguments) {
  rt.step();
  Call call{rt, builtin.name, self};
  bind(call, builtin, arguments);
  return builtin.run(call);
}

}  // namespace minnow::jinja
