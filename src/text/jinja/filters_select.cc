// map, select, reject, selectattr, rejectattr: filters that apply a filter or a test to each element.
#include "text/jinja/builtin.h"
#include "text/jinja/operations.h"

namespace minnow::jinja {
namespace {

const Value* find_named(std::span<const Binding> named, std::string_view name) {
  for (const Binding& binding : named) {
    if (binding.name == name) return &binding.value;
  }
  return nullptr;
}

// Unlike a loop, these filters take none and the like for an empty list.
std::span<const Value> elements_if_any(Call& call) {
  return truthy(call.self) ? elements(call.rt, call.self) : std::span<const Value>();
}

Value map_attribute(Call& call) {
  const Value* attribute = find_named(call.rest.named, "attribute");
  const Value* otherwise = find_named(call.rest.named, "default");
  if (attribute == nullptr) call.rt.fail("map needs a filter name or attribute=");
  List* mapped = call.rt.new_list(ListKind::kGenerator);
  for (const Value& item : elements_if_any(call)) {
    call.rt.step();
    const Value value = get_path(call.rt, item, *attribute);
    mapped->items.push_back(call.rt.arena, value.is_undefined() && otherwise != nullptr ? *otherwise : value);
  }
  return Value::list(mapped);
}

Value filter_map(Call& call) {
  if (call.rest.positional.empty()) return map_attribute(call);
  const Value& name = call.rest.positional[0];
  const Builtin* filter = name.is_string() ? find_filter(name.as_text()) : nullptr;
  if (filter == nullptr)
    call.rt.fail("map: no filter named '{}'", name.is_string() ? name.as_text() : type_name(name));
  const Arguments arguments{call.rest.positional.subspan(1), call.rest.named};
  const Deeper deeper(call.rt);  // map('map', 'map', …)
  List* mapped = call.rt.new_list(ListKind::kGenerator);
  for (const Value& item : elements_if_any(call)) {
    mapped->items.push_back(call.rt.arena, invoke(call.rt, *filter, item, arguments));
  }
  return Value::list(mapped);
}

struct Selection {
  bool by_attribute;
  bool keep;  // what passes the test, or what does not
};

Value select(Call& call, Selection selection) {
  auto positional = call.rest.positional;
  const Value* attribute = nullptr;
  if (selection.by_attribute) {
    if (positional.empty()) call.rt.fail("{} needs the name of an attribute", call.name);
    attribute = &positional[0];
    positional = positional.subspan(1);
  }
  const Builtin* test = nullptr;
  if (!positional.empty()) {
    test = positional[0].is_string() ? find_test(positional[0].as_text()) : nullptr;
    if (test == nullptr) {
      call.rt.fail("{}: no test named '{}'", call.name,
                   positional[0].is_string() ? positional[0].as_text() : type_name(positional[0]));
    }
    positional = positional.subspan(1);
  }
  List* selected = call.rt.new_list(ListKind::kGenerator);
  for (const Value& item : elements_if_any(call)) {
    call.rt.step();
    const Value tested = attribute == nullptr ? item : get_path(call.rt, item, *attribute);
    const bool passes =
        truthy(test == nullptr ? tested : invoke(call.rt, *test, tested, {positional, call.rest.named}));
    if (passes == selection.keep) selected->items.push_back(call.rt.arena, item);
  }
  return Value::list(selected);
}

Value filter_select(Call& call) { return select(call, {.by_attribute = false, .keep = true}); }
Value filter_reject(Call& call) { return select(call, {.by_attribute = false, .keep = false}); }
Value filter_selectattr(Call& call) { return select(call, {.by_attribute = true, .keep = true}); }
Value filter_rejectattr(Call& call) { return select(call, {.by_attribute = true, .keep = false}); }

constexpr Builtin kTable[] = {
    {"map", "", 0, filter_map, true},
    {"select", "", 0, filter_select, true},
    {"reject", "", 0, filter_reject, true},
    {"selectattr", "", 0, filter_selectattr, true},
    {"rejectattr", "", 0, filter_rejectattr, true},
};

}  // namespace

std::span<const Builtin> select_filters() { return kTable; }

}  // namespace minnow::jinja
