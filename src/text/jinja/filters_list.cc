// Filters on sequences: order, aggregates, groups.
#include <algorithm>

#include "text/jinja/builtin.h"
#include "text/jinja/operations.h"
#include "text/jinja/text_form.h"
#include "text/jinja/unicode.h"

namespace minnow::jinja {
namespace {

// What an element is ordered or grouped by: an attribute of it, if one is named, without case unless asked
// for.
Value sort_key(Runtime& rt, const Value& item, const Value* attribute, bool case_sensitive) {
  const bool whole = attribute == nullptr || attribute->is_none();
  const Value key = whole ? item : get_path(rt, item, *attribute);
  return key.is_string() && !case_sensitive ? map_case(rt, key.as_text(), CaseMap::kLower) : key;
}

struct Keyed {
  Value key, item;
};

std::span<Keyed> keyed_items(Runtime& rt, std::span<const Value> items, const Value* attribute,
                             bool case_sensitive) {
  rt.scan_elements(items.size());
  Keyed* keyed = rt.arena.room<Keyed>(items.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    keyed[i] = {sort_key(rt, items[i], attribute, case_sensitive), items[i]};
  }
  return {keyed, items.size()};
}

void sort_keyed(Runtime& rt, std::span<Keyed> keyed, bool reverse) {
  std::stable_sort(keyed.begin(), keyed.end(), [&](const Keyed& a, const Keyed& b) {
    return reverse ? less(rt, b.key, a.key) : less(rt, a.key, b.key);
  });
}

Value list_of_items(Runtime& rt, std::span<const Keyed> keyed, ListKind kind = ListKind::kList) {
  List* list = rt.new_list(kind);
  list->items.reserve(rt.arena, keyed.size());
  for (const Keyed& k : keyed) list->items.push_back(rt.arena, k.item);
  return Value::list(list);
}

// attribute="a,b" sorts by a, then b.
Value multi_key(Runtime& rt, const Value& item, std::string_view attributes, bool case_sensitive) {
  List* keys = rt.new_list(ListKind::kTuple);
  while (true) {
    const std::size_t comma = attributes.find(',');
    const Value path = Value::string(attributes.substr(0, comma));
    keys->items.push_back(rt.arena, sort_key(rt, item, &path, case_sensitive));
    if (comma == std::string_view::npos) return Value::list(keys);
    attributes.remove_prefix(comma + 1);
  }
}

Value filter_sort(Call& call) {
  const auto items = elements(call.rt, call.self);
  const Value* attribute = call.argument(2);
  const bool several = attribute != nullptr && attribute->is_string() &&
                       attribute->as_text().find(',') != std::string_view::npos;
  std::span<Keyed> keyed = keyed_items(call.rt, items, several ? nullptr : attribute, call.flag(1, false));
  if (several) {
    for (Keyed& k : keyed) k.key = multi_key(call.rt, k.item, attribute->as_text(), call.flag(1, false));
  }
  sort_keyed(call.rt, keyed, call.flag(0, false));
  return list_of_items(call.rt, keyed);
}

Value filter_unique(Call& call) {
  const auto keyed =
      keyed_items(call.rt, elements(call.rt, call.self), call.argument(1), call.flag(0, false));
  List* unique = call.rt.new_list(ListKind::kGenerator);
  std::vector<const Keyed*> seen;
  for (const Keyed& k : keyed) {
    need_hashable(call.rt, k.key);
    const auto same = [&](const Keyed* other) { return equals(call.rt, other->key, k.key); };
    if (std::any_of(seen.begin(), seen.end(), same)) continue;
    seen.push_back(&k);
    unique->items.push_back(call.rt.arena, k.item);
  }
  return Value::list(unique);
}

Value filter_dictsort(Call& call) {
  if (!call.self.is(Kind::kDict)) call.rt.fail("dictsort needs a dict, not {}", type_name(call.self));
  const std::string_view by = call.text(1, "key");
  if (by != "key" && by != "value") call.rt.fail("dictsort: by must be key or value");
  List* pairs = call.rt.new_list();
  for (const DictEntry& entry : call.self.as_dict().entries) {
    const Value pair[] = {entry.key, entry.value};
    pairs->items.push_back(call.rt.arena, call.rt.list_of(pair, ListKind::kTuple));
  }
  const Value position = Value::integer(by == "key" ? 0 : 1);
  const auto keyed = keyed_items(call.rt, pairs->items.span(), &position, call.flag(0, false));
  sort_keyed(call.rt, keyed, call.flag(2, false));
  return list_of_items(call.rt, keyed);
}

Value extreme(Call& call, bool largest) {
  const auto keyed =
      keyed_items(call.rt, elements(call.rt, call.self), call.argument(1), call.flag(0, false));
  if (keyed.empty()) return Value::undefined(largest ? "max" : "min");
  const Keyed* best = &keyed[0];
  for (const Keyed& k : keyed.subspan(1)) {
    if (largest ? less(call.rt, best->key, k.key) : less(call.rt, k.key, best->key)) best = &k;
  }
  return best->item;
}

Value filter_min(Call& call) { return extreme(call, false); }
Value filter_max(Call& call) { return extreme(call, true); }

Value filter_sum(Call& call) {
  Value total = call.argument(1) != nullptr ? *call.argument(1) : Value::integer(0);
  const Value* attribute = call.argument(0);
  for (const Value& item : elements(call.rt, call.self)) {
    call.rt.step();
    const Value part =
        attribute == nullptr || attribute->is_none() ? item : get_path(call.rt, item, *attribute);
    total = arithmetic(call.rt, Op::kAdd, total, part);
  }
  return total;
}

Value filter_groupby(Call& call) {
  const Value* attribute = call.argument(0);
  const bool case_sensitive = call.flag(2, false);
  const auto items = elements(call.rt, call.self);
  auto keyed = keyed_items(call.rt, items, attribute, case_sensitive);
  for (Keyed& k : keyed) {
    if (k.key.is_undefined() && call.argument(1) != nullptr) k.key = *call.argument(1);
  }
  sort_keyed(call.rt, keyed, false);
  List* groups = call.rt.new_list();
  for (std::size_t i = 0; i < keyed.size();) {
    std::size_t end = i;
    while (end < keyed.size() && equals(call.rt, keyed[end].key, keyed[i].key)) ++end;
    Value name = get_path(call.rt, keyed[i].item, *attribute);
    if (name.is_undefined()) name = keyed[i].key;
    const Value group[] = {name, list_of_items(call.rt, keyed.subspan(i, std::max<std::size_t>(1, end - i)))};
    groups->items.push_back(call.rt.arena, call.rt.list_of(group, ListKind::kGroup));
    i = std::max(end, i + 1);  // a NaN equals nothing, not even itself
  }
  return Value::list(groups);
}

Value filter_first(Call& call) {
  const auto items = elements(call.rt, call.self);
  return items.empty() ? Value::undefined("first", Missing::kNeighbour) : items.front();
}

Value filter_last(Call& call) {
  const auto items = elements(call.rt, call.self);
  return items.empty() ? Value::undefined("last", Missing::kNeighbour) : items.back();
}

Value filter_list(Call& call) { return call.rt.list_of(elements(call.rt, call.self)); }

Value filter_reverse(Call& call) {
  if (call.self.is_string()) {
    SliceBounds backwards;
    backwards.step = -1;
    return get_slice(call.rt, call.self, backwards);
  }
  const Value reversed = call.rt.list_of(elements(call.rt, call.self), ListKind::kGenerator);
  std::reverse(reversed.as_list().items.begin(), reversed.as_list().items.end());
  return reversed;
}

Value filter_items(Call& call) {
  List* pairs = call.rt.new_list(ListKind::kGenerator);
  if (call.self.is_undefined()) return Value::list(pairs);
  if (!call.self.is(Kind::kDict)) call.rt.fail("items needs a dict, not {}", type_name(call.self));
  for (const DictEntry& entry : call.self.as_dict().entries) {
    const Value pair[] = {entry.key, entry.value};
    pairs->items.push_back(call.rt.arena, call.rt.list_of(pair, ListKind::kTuple));
  }
  return Value::list(pairs);
}

Value filter_join(Call& call) {
  const Value* attribute = call.argument(1);
  const std::string_view separator = call.argument(0) != nullptr ? to_text(call.rt, *call.argument(0)) : "";
  TextBuilder out(call.rt);
  bool first = true;
  for (const Value& item : elements(call.rt, call.self)) {
    call.rt.step();
    if (!first) out.append(separator);
    first = false;
    write_text(out,
               attribute == nullptr || attribute->is_none() ? item : get_path(call.rt, item, *attribute));
  }
  return out.finish();
}

Value filter_batch(Call& call) {
  const int64_t size = call.integer(0, 1);
  if (size < 1) call.rt.fail("batch: the size must be 1 or more");
  const auto items = elements(call.rt, call.self);
  const Value* fill = call.argument(1);
  List* batches = call.rt.new_list(ListKind::kGenerator);
  for (std::size_t i = 0; i < items.size();) {
    const std::size_t n = std::min<uint64_t>(static_cast<uint64_t>(size), items.size() - i);
    const Value batch = call.rt.list_of(items.subspan(i, n));
    if (fill != nullptr && !fill->is_none()) {
      call.rt.scan_elements(static_cast<uint64_t>(size) - n);
      for (auto k = n; k < static_cast<uint64_t>(size); ++k)
        batch.as_list().items.push_back(call.rt.arena, *fill);
    }
    batches->items.push_back(call.rt.arena, batch);
    i += n;
  }
  return Value::list(batches);
}

Value filter_slice(Call& call) {
  const int64_t wanted = call.integer(0, 1);
  if (wanted < 1) call.rt.fail("slice: the number of slices must be 1 or more");
  const auto items = elements(call.rt, call.self);
  const auto n = static_cast<uint64_t>(wanted);
  const uint64_t each = items.size() / n, longer = items.size() % n;
  const Value* fill = call.argument(1);
  List* slices = call.rt.new_list(ListKind::kGenerator);
  std::size_t at = 0;
  for (uint64_t i = 0; i < n; ++i) {
    call.rt.step();
    const std::size_t size = each + (i < longer ? 1 : 0);
    const Value slice = call.rt.list_of(items.subspan(at, size));
    at += size;
    if (fill != nullptr && !fill->is_none() && i >= longer)
      slice.as_list().items.push_back(call.rt.arena, *fill);
    slices->items.push_back(call.rt.arena, slice);
  }
  return Value::list(slices);
}

constexpr Builtin kTable[] = {
    {"join", "d attribute", 0, filter_join},
    {"list", "", 0, filter_list},
    {"items", "", 0, filter_items},
    {"first", "", 0, filter_first},
    {"last", "", 0, filter_last},
    {"dictsort", "case_sensitive by reverse", 0, filter_dictsort},
    {"sort", "reverse case_sensitive attribute", 0, filter_sort},
    {"unique", "case_sensitive attribute", 0, filter_unique},
    {"reverse", "", 0, filter_reverse},
    {"groupby", "attribute default case_sensitive", 1, filter_groupby},
    {"batch", "linecount fill_with", 1, filter_batch},
    {"slice", "slices fill_with", 1, filter_slice},
    {"sum", "attribute start", 0, filter_sum},
    {"min", "case_sensitive attribute", 0, filter_min},
    {"max", "case_sensitive attribute", 0, filter_max},
};

}  // namespace

std::span<const Builtin> list_filters() { return kTable; }

}  // namespace minnow::jinja
