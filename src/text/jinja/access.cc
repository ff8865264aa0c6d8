// Attributes, items and slices.
#include <algorithm>

#include "text/jinja/ast.h"
#include "text/jinja/builtin.h"
#include "text/jinja/loop.h"
#include "text/jinja/operations.h"
#include "text/jinja/text_form.h"
#include "text/jinja/unicode.h"

namespace minnow::jinja {
namespace {

Value bound_method(Runtime& rt, const Value& object, std::string_view name) {
  const Builtin* method = find_method(object, name);
  if (method == nullptr) return {};
  Callable* callable = rt.arena.make<Callable>();
  callable->builtin = method;
  callable->self = object;
  return Value::callable(callable);
}

const Value* find_named(Runtime& rt, const Namespace& ns, std::string_view name) {
  rt.scan_elements(ns.attributes.size());
  for (const Binding& binding : ns.attributes) {
    if (binding.name == name) return &binding.value;
  }
  return nullptr;
}

Value macro_attribute(Runtime& rt, const Value& object, std::string_view name) {
  const MacroStmt* macro = object.as_callable().macro;
  if (macro != nullptr && name == "name") return Value::string(macro->name);
  if (macro != nullptr && name == "arguments") {
    Value list = rt.list_of({}, ListKind::kTuple);
    for (const Parameter& parameter : macro->parameters) {
      list.as_list().items.push_back(rt.arena, Value::string(parameter.name));
    }
    return list;
  }
  return Value::undefined(name, Missing::kAttribute, object.kind());
}

// Python's negative positions count from the end. False when out of range.
bool to_position(int64_t& index, uint64_t size) {
  if (index < 0) index += static_cast<int64_t>(size);
  return index >= 0 && static_cast<uint64_t>(index) < size;
}

Value char_at(Runtime& rt, std::string_view text, int64_t index) {
  rt.scan_bytes(text.size());
  if (!to_position(index, index < 0 ? count_chars(text) : text.size())) return {};
  const uint64_t start = char_offset(text, static_cast<uint64_t>(index));
  if (start == text.size()) return {};
  text.remove_prefix(start);
  return Value::string(text.substr(0, char_offset(text, 1)));
}

// The item, or undefined; never a method.
Value find_item(Runtime& rt, const Value& object, const Value& key) {
  if (object.is(Kind::kDict)) {
    const Value* found = dict_find(rt, object.as_dict(), key);
    if (found != nullptr) return *found;
  } else if (object.is_string() && key.is_integral()) {
    return char_at(rt, object.as_text(), key.as_int());
  } else if (object.is(Kind::kList) && key.is_integral()) {
    const List& list = object.as_list();
    int64_t index = key.as_int();
    const bool indexed = list.kind <= ListKind::kRange;
    if (indexed && to_position(index, list.items.size())) return list.items[static_cast<uint64_t>(index)];
  }
  return {};
}

// What a name gives apart from items: methods, attributes of namespaces, loops and macros.
Value find_attribute(Runtime& rt, const Value& object, std::string_view name) {
  if (name.starts_with("__")) return Value::undefined(name, Missing::kForbidden);
  switch (object.kind()) {
    case Kind::kNamespace: {
      const Value* found = find_named(rt, object.as_namespace(), name);
      return found != nullptr ? *found : Value();
    }
    case Kind::kLoop: {
      const Value attribute = loop_attribute(object.as_loop(), name);
      return attribute.is_undefined() && attribute.missing_why() == Missing::kAttribute
                 ? bound_method(rt, object, name)
                 : attribute;
    }
    case Kind::kCallable:
      return macro_attribute(rt, object, name);
    case Kind::kList:
      if (const List& list = object.as_list(); list.kind == ListKind::kGroup) {
        if (name == "grouper") return list.items[0];
        if (name == "list") return list.items[1];
      }
      return bound_method(rt, object, name);
    default:
      return bound_method(rt, object, name);
  }
}

}  // namespace

Value get_attribute(Runtime& rt, const Value& object, std::string_view name) {
  if (object.is_undefined()) rt.fail_undefined(object);
  Value found = find_attribute(rt, object, name);
  if (found.is_undefined() && found.missing_why() == Missing::kVariable) {
    found = find_item(rt, object, Value::string(name));
  }
  if (found.is_undefined() && found.missing_why() == Missing::kVariable) {
    return Value::undefined(name, Missing::kAttribute, object.kind());
  }
  return found;
}

Value get_item(Runtime& rt, const Value& object, const Value& key) {
  if (object.is_undefined()) rt.fail_undefined(object);
  Value found;
  const bool hashable =
      !key.is(Kind::kDict) && !(key.is(Kind::kList) && key.as_list().kind == ListKind::kList);
  if (hashable) found = find_item(rt, object, key);
  if (!found.is_undefined() || !key.is_string()) {
    if (!found.is_undefined()) return found;
    return Value::undefined(to_text(rt, key), Missing::kAttribute, object.kind());
  }
  found = find_attribute(rt, object, key.as_text());
  if (found.is_undefined() && found.missing_why() == Missing::kVariable) {
    return Value::undefined(key.as_text(), Missing::kAttribute, object.kind());
  }
  return found;
}

Value get_path(Runtime& rt, const Value& object, const Value& path) {
  if (!path.is_string()) return get_item(rt, object, path);
  Value value = object;
  std::string_view rest = path.as_text();
  while (true) {
    const std::size_t dot = rest.find('.');
    const std::string_view part = rest.substr(0, dot);
    rt.step();
    const bool numeric = !part.empty() && part.size() < 10 &&
                         std::all_of(part.begin(), part.end(), [](char c) { return c >= '0' && c <= '9'; });
    int64_t index = 0;
    if (numeric) {
      for (const char c : part) index = index * 10 + (c - '0');
    }
    value = get_item(rt, value, numeric ? Value::integer(index) : Value::string(part));
    if (dot == std::string_view::npos) return value;
    rest.remove_prefix(dot + 1);
  }
}

Value get_slice(Runtime& rt, const Value& object, const SliceBounds& bounds) {
  if (object.is_undefined()) rt.fail_undefined(object);
  const bool sliceable =
      object.is_string() || (object.is(Kind::kList) && object.as_list().kind <= ListKind::kRange);
  if (!sliceable) rt.fail("a {} cannot be sliced", type_name(object));
  const int64_t step = bounds.step.value_or(1);
  if (step == 0) rt.fail("slice step cannot be zero");
  const auto size = static_cast<int64_t>(length(rt, object));
  const int64_t lowest = step > 0 ? 0 : -1, highest = step > 0 ? size : size - 1;
  const auto clamp = [&](std::optional<int64_t> bound, int64_t otherwise) {
    if (!bound) return otherwise;
    return std::clamp(*bound < 0 ? std::max(*bound, -size - 1) + size : *bound, lowest, highest);
  };
  const int64_t start = clamp(bounds.start, step > 0 ? 0 : size - 1);
  const int64_t stop = clamp(bounds.stop, step > 0 ? size : -1);
  if (object.is_string() && step == 1) {
    const std::string_view text = object.as_text();
    if (start >= stop) return Value::string({}, object.is_safe());
    const uint64_t from = char_offset(text, static_cast<uint64_t>(start));
    const uint64_t bytes = char_offset(text.substr(from), static_cast<uint64_t>(stop - start));
    return Value::string(text.substr(from, bytes), object.is_safe());
  }
  std::span<const Value> items = elements(rt, object);
  TextBuilder text(rt);
  List* list = rt.new_list(object.is_string() ? ListKind::kList : object.as_list().kind);
  for (int64_t i = start; step > 0 ? i < stop : i > stop;) {
    const Value& item = items[static_cast<std::size_t>(i)];
    rt.scan_elements(1);
    if (object.is_string()) {
      text.append(item.as_text());
    } else {
      list->items.push_back(rt.arena, item);
    }
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  return object.is_string() ? text.finish(object.is_safe()) : Value::list(list);
}

}  // namespace minnow::jinja
