// Methods of lists, dicts and the loop variable.
//
// The methods that change a list or dict are refused by transformers' sandbox; some templates (Kimi-K2) call
// them all the same, and here they cannot harm: every rendering has values of its own.
#include <algorithm>

#include "text/jinja/builtin.h"
#include "text/jinja/loop.h"
#include "text/jinja/operations.h"

namespace minnow::jinja {
namespace {

List& changeable(Call& call) {
  List& list = call.self.as_list();
  if (list.kind != ListKind::kList) call.rt.fail("a {} cannot be changed", type_name(call.self));
  return list;
}

Value list_append(Call& call) {
  changeable(call).items.push_back(call.rt.arena, *call.argument(0));
  return Value::none();
}

Value list_extend(Call& call) {
  List& list = changeable(call);
  const auto more = elements(call.rt, *call.argument(0));
  call.rt.scan_elements(more.size());
  for (const Value& item : more) list.items.push_back(call.rt.arena, item);
  return Value::none();
}

Value list_insert(Call& call) {
  List& list = changeable(call);
  const auto size = static_cast<int64_t>(list.items.size());
  int64_t at = call.integer(0, 0);
  at = std::clamp<int64_t>(at < 0 ? std::max(at, -size) + size : at, 0, size);
  call.rt.scan_elements(list.items.size());
  list.items.insert(call.rt.arena, static_cast<uint32_t>(at), *call.argument(1));
  return Value::none();
}

Value list_pop(Call& call) {
  List& list = changeable(call);
  const auto size = static_cast<int64_t>(list.items.size());
  int64_t at = call.integer(0, -1);
  if (at < 0) at += size;
  if (at < 0 || at >= size) call.rt.fail("pop(): there is no such item");
  call.rt.scan_elements(list.items.size());
  const Value item = list.items[static_cast<uint64_t>(at)];
  list.items.erase(static_cast<uint32_t>(at));
  return item;
}

int64_t position_of_item(Call& call) {
  const auto items = call.self.as_list().items.span();
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (equals(call.rt, items[i], *call.argument(0))) return static_cast<int64_t>(i);
  }
  call.rt.fail("{}(): there is no such item", call.name);
}

Value list_remove(Call& call) {
  changeable(call);
  call.self.as_list().items.erase(static_cast<uint32_t>(position_of_item(call)));
  return Value::none();
}

Value list_clear(Call& call) {
  changeable(call).items.clear();
  return Value::none();
}

Value list_reverse(Call& call) {
  List& list = changeable(call);
  call.rt.scan_elements(list.items.size());
  std::reverse(list.items.begin(), list.items.end());
  return Value::none();
}

Value list_copy(Call& call) { return call.rt.list_of(call.self.as_list().items.span()); }

Value list_index(Call& call) { return Value::integer(position_of_item(call)); }

Value list_count(Call& call) {
  int64_t n = 0;
  for (const Value& item : call.self.as_list().items) n += equals(call.rt, item, *call.argument(0)) ? 1 : 0;
  return Value::integer(n);
}

Value or_none(const Value* value) { return value != nullptr ? *value : Value::none(); }

Value dict_get(Call& call) {
  const Value* found = dict_find(call.rt, call.self.as_dict(), *call.argument(0));
  return found != nullptr ? *found : or_none(call.argument(1));
}

enum class DictPart : uint8_t { kKeys, kValues, kItems };

Value view_of(Call& call, DictPart part, ListKind kind) {
  const auto& entries = call.self.as_dict().entries;
  call.rt.scan_elements(entries.size());
  List* list = call.rt.new_list(kind);
  list->items.reserve(call.rt.arena, entries.size());
  for (const DictEntry& entry : entries) {
    Value item = part == DictPart::kKeys ? entry.key : entry.value;
    if (part == DictPart::kItems) {
      const Value pair[] = {entry.key, entry.value};
      item = call.rt.list_of(pair, ListKind::kTuple);
    }
    list->items.push_back(call.rt.arena, item);
  }
  return Value::list(list);
}

Value dict_keys(Call& call) { return view_of(call, DictPart::kKeys, ListKind::kDictKeys); }
Value dict_values(Call& call) { return view_of(call, DictPart::kValues, ListKind::kDictValues); }
Value dict_items(Call& call) { return view_of(call, DictPart::kItems, ListKind::kDictItems); }

Value dict_copy(Call& call) {
  Dict* copy = call.rt.arena.make<Dict>();
  call.rt.scan_elements(call.self.as_dict().entries.size());
  for (const DictEntry& entry : call.self.as_dict().entries) copy->entries.push_back(call.rt.arena, entry);
  return Value::dict(copy);
}

Value dict_pop(Call& call) {
  auto& entries = call.self.as_dict().entries;
  for (uint32_t i = 0; i < entries.size(); ++i) {
    if (!equals(call.rt, entries[i].key, *call.argument(0))) continue;
    const Value value = entries[i].value;
    entries.erase(i);
    return value;
  }
  if (call.argument(1) == nullptr) call.rt.fail("pop(): there is no such key");
  return *call.argument(1);
}

Value dict_setdefault(Call& call) {
  if (const Value* found = dict_find(call.rt, call.self.as_dict(), *call.argument(0))) return *found;
  dict_set(call.rt, call.self.as_dict(), *call.argument(0), or_none(call.argument(1)));
  return or_none(call.argument(1));
}

Value dict_update(Call& call) {
  Dict& dict = call.self.as_dict();
  if (call.rest.positional.size() > 1) call.rt.fail("update() takes one dict");
  for (const Value& source : call.rest.positional) {
    if (!source.is(Kind::kDict)) call.rt.fail("update() needs a dict, not {}", type_name(source));
    const auto entries = source.as_dict().entries;
    for (const DictEntry& entry : entries) dict_set(call.rt, dict, entry.key, entry.value);
  }
  for (const Binding& named : call.rest.named)
    dict_set(call.rt, dict, Value::string(named.name), named.value);
  return Value::none();
}

Value dict_clear(Call& call) {
  call.self.as_dict().entries.clear();
  return Value::none();
}

Value loop_cycle(Call& call) {
  if (call.rest.positional.empty()) call.rt.fail("loop.cycle() needs items to cycle through");
  return call.rest.positional[call.self.as_loop().index0 % call.rest.positional.size()];
}

Value loop_changed(Call& call) {
  Loop& loop = call.self.as_loop();
  const Value now = call.rt.list_of(call.rest.positional, ListKind::kTuple);
  const bool changed = !loop.has_changed || !equals(call.rt, loop.last_changed, now);
  loop.has_changed = true;
  loop.last_changed = now;
  return Value::boolean(changed);
}

constexpr Builtin kListTable[] = {
    {"append", "object", 1, list_append},       {"extend", "iterable", 1, list_extend},
    {"insert", "index object", 2, list_insert}, {"pop", "index", 0, list_pop},
    {"remove", "value", 1, list_remove},        {"clear", "", 0, list_clear},
    {"reverse", "", 0, list_reverse},           {"copy", "", 0, list_copy},
    {"index", "value", 1, list_index},          {"count", "value", 1, list_count},
};

constexpr Builtin kDictTable[] = {
    {"get", "key default", 1, dict_get},
    {"keys", "", 0, dict_keys},
    {"values", "", 0, dict_values},
    {"items", "", 0, dict_items},
    {"copy", "", 0, dict_copy},
    {"pop", "key default", 1, dict_pop},
    {"setdefault", "key default", 1, dict_setdefault},
    {"update", "", 0, dict_update, true},
    {"clear", "", 0, dict_clear},
};

constexpr Builtin kLoopTable[] = {
    {"cycle", "", 0, loop_cycle, true},
    {"changed", "", 0, loop_changed, true},
};

}  // namespace

std::span<const Builtin> list_methods() { return kListTable; }
std::span<const Builtin> dict_methods() { return kDictTable; }
std::span<const Builtin> loop_methods() { return kLoopTable; }

}  // namespace minnow::jinja
