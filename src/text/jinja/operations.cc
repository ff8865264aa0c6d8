#include "text/jinja/operations.h"

#include <algorithm>

#include "text/jinja/loop.h"
#include "text/jinja/text_edit.h"
#include "text/jinja/unicode.h"

namespace minnow::jinja {
namespace {

// A group is a tuple with names.
ListKind plain_kind(const List& list) { return list.kind == ListKind::kGroup ? ListKind::kTuple : list.kind; }

bool lists_equal(Runtime& rt, const List& a, const List& b) {
  const bool by_items = plain_kind(a) == plain_kind(b) && a.kind != ListKind::kGenerator;
  if (&a == &b) return true;
  if (!by_items || a.items.size() != b.items.size()) return false;
  for (uint32_t i = 0; i < a.items.size(); ++i) {
    if (!equals(rt, a.items[i], b.items[i])) return false;
  }
  return true;
}

bool dicts_equal(Runtime& rt, const Dict& a, const Dict& b) {
  if (&a == &b) return true;
  if (a.entries.size() != b.entries.size()) return false;
  for (const DictEntry& entry : a.entries) {
    const Value* other = dict_find(rt, b, entry.key);
    if (other == nullptr || !equals(rt, entry.value, *other)) return false;
  }
  return true;
}

bool lists_less(Runtime& rt, const List& a, const List& b) {
  const uint32_t common = std::min(a.items.size(), b.items.size());
  for (uint32_t i = 0; i < common; ++i) {
    if (!equals(rt, a.items[i], b.items[i])) return less(rt, a.items[i], b.items[i]);
  }
  return a.items.size() < b.items.size();
}

bool have_order(const List& a, const List& b) {
  return a.kind <= ListKind::kGroup && plain_kind(a) == plain_kind(b);
}

}  // namespace

std::string_view type_name(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
      return "Undefined";
    case Kind::kNone:
      return "NoneType";
    case Kind::kBool:
      return "bool";
    case Kind::kInt:
      return "int";
    case Kind::kFloat:
      return "float";
    case Kind::kString:
      return "str";
    case Kind::kDict:
      return "dict";
    case Kind::kNamespace:
      return "namespace";
    case Kind::kCallable:
      return value.as_callable().macro != nullptr ? "macro" : "function";
    case Kind::kLoop:
      return "loop";
    case Kind::kList:
      break;
  }
  switch (value.as_list().kind) {
    case ListKind::kList:
      return "list";
    case ListKind::kTuple:
    case ListKind::kGroup:
      return "tuple";
    case ListKind::kRange:
      return "range";
    case ListKind::kGenerator:
      return "generator";
    case ListKind::kDictKeys:
      return "dict_keys";
    case ListKind::kDictValues:
      return "dict_values";
    case ListKind::kDictItems:
      return "dict_items";
  }
  return "object";
}

bool truthy(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
    case Kind::kNone:
      return false;
    case Kind::kBool:
    case Kind::kInt:
      return value.as_int() != 0;
    case Kind::kFloat:
      return value.as_real() != 0;
    case Kind::kString:
      return !value.as_text().empty();
    case Kind::kList:
      return value.as_list().kind == ListKind::kGenerator || !value.as_list().items.empty();
    case Kind::kDict:
      return !value.as_dict().entries.empty();
    default:
      return true;
  }
}

bool equals(Runtime& rt, const Value& a, const Value& b) {
  const Deeper deeper(rt);
  rt.step();
  if (a.is_integral() && b.is_integral()) return a.as_int() == b.as_int();
  if (a.is_number() && b.is_number()) return a.as_number() == b.as_number();
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Kind::kUndefined:
      return true;
    case Kind::kString:
      if (a.as_text().size() != b.as_text().size()) return false;
      rt.scan_bytes(a.as_text().size());
      return a.as_text() == b.as_text();
    case Kind::kList:
      return lists_equal(rt, a.as_list(), b.as_list());
    case Kind::kDict:
      return dicts_equal(rt, a.as_dict(), b.as_dict());
    default:
      return a.same_as(b);
  }
}

bool less(Runtime& rt, const Value& a, const Value& b) {
  const Deeper deeper(rt);
  rt.step();
  if (a.is_integral() && b.is_integral()) return a.as_int() < b.as_int();
  if (a.is_number() && b.is_number()) return a.as_number() < b.as_number();
  if (a.is_string() && b.is_string()) {
    rt.scan_bytes(std::min(a.as_text().size(), b.as_text().size()));
    return a.as_text() < b.as_text();  // bytes of UTF-8 sort as code points do
  }
  if (a.is(Kind::kList) && b.is(Kind::kList) && have_order(a.as_list(), b.as_list())) {
    return lists_less(rt, a.as_list(), b.as_list());
  }
  if (a.is_undefined()) rt.fail_undefined(a);
  if (b.is_undefined()) rt.fail_undefined(b);
  rt.fail("'{}' and '{}' have no order", type_name(a), type_name(b));
}

bool contains(Runtime& rt, const Value& container, const Value& item) {
  if (container.is_string()) {
    if (!item.is_string()) {
      rt.fail("'in <string>' requires string as left operand, not {}", type_name(item));
    }
    const std::string_view text = container.as_text(), part = item.as_text();
    charge_search(rt, text, part);
    return position_of(text, part) != std::string_view::npos;
  }
  if (container.is(Kind::kDict)) return dict_find(rt, container.as_dict(), item) != nullptr;
  for (const Value& element : elements(rt, container)) {
    if (equals(rt, element, item)) return true;
  }
  return false;
}

bool compare(Runtime& rt, Op op, const Value& a, const Value& b) {
  switch (op) {
    case Op::kEqual:
      return equals(rt, a, b);
    case Op::kNotEqual:
      return !equals(rt, a, b);
    case Op::kLess:
      return less(rt, a, b);
    case Op::kLessEqual:
      return less(rt, a, b) || equals(rt, a, b);
    case Op::kGreater:
      return less(rt, b, a);
    case Op::kGreaterEqual:
      return less(rt, b, a) || equals(rt, a, b);
    case Op::kIn:
      return contains(rt, b, a);
    default:
      return !contains(rt, b, a);
  }
}

bool has_length(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
    case Kind::kString:
    case Kind::kDict:
    case Kind::kLoop:
      return true;
    case Kind::kList:
      return value.as_list().kind != ListKind::kGenerator;
    default:
      return false;
  }
}

uint64_t length(Runtime& rt, const Value& value) {
  if (!has_length(value)) rt.fail("a {} has no length", type_name(value));
  switch (value.kind()) {
    case Kind::kString:
      rt.scan_bytes(value.as_text().size());
      return count_chars(value.as_text());
    case Kind::kList:
      return value.as_list().items.size();
    case Kind::kDict:
      return value.as_dict().entries.size();
    case Kind::kLoop:
      return value.as_loop().items.size();
    default:
      return 0;
  }
}

bool is_iterable(const Value& value) {
  return value.is_undefined() || value.is_string() || value.is(Kind::kList) || value.is(Kind::kDict);
}

std::span<const Value> elements(Runtime& rt, const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
      return {};
    case Kind::kList: {
      List& list = value.as_list();
      if (list.kind != ListKind::kGenerator) return list.items.span();
      if (std::exchange(list.consumed, true)) return {};
      return list.items.span();
    }
    case Kind::kDict: {
      const Dict& dict = value.as_dict();
      rt.scan_elements(dict.entries.size());
      Value* keys = rt.arena.room<Value>(dict.entries.size());
      for (uint32_t i = 0; i < dict.entries.size(); ++i) keys[i] = dict.entries[i].key;
      return {keys, dict.entries.size()};
    }
    case Kind::kString: {
      std::string_view text = value.as_text();
      const uint64_t n = length(rt, value);
      rt.scan_elements(n);
      Value* chars = rt.arena.room<Value>(n);
      for (uint64_t i = 0; i < n; ++i) {
        const uint64_t bytes = char_offset(text, 1);
        chars[i] = Value::string(text.substr(0, bytes));
        text.remove_prefix(bytes);
      }
      return {chars, n};
    }
    default:
      rt.fail("'{}' object is not iterable", type_name(value));
  }
}

void need_hashable(Runtime& rt, const Value& key) {
  const Deeper deeper(rt);
  if (key.is(Kind::kDict) || (key.is(Kind::kList) && key.as_list().kind == ListKind::kList)) {
    rt.fail("a {} cannot be hashed", type_name(key));
  }
  if (!key.is(Kind::kList) || key.as_list().kind > ListKind::kGroup) return;
  rt.scan_elements(key.as_list().items.size());
  for (const Value& item : key.as_list().items) need_hashable(rt, item);
}

const Value* dict_find(Runtime& rt, const Dict& dict, const Value& key) {
  need_hashable(rt, key);
  rt.scan_elements(dict.entries.size());
  for (const DictEntry& entry : dict.entries) {
    if (key.is_string()) {
      if (entry.key.is_string() && entry.key.as_text() == key.as_text()) return &entry.value;
    } else if (!entry.key.is_string() && equals(rt, entry.key, key)) {
      return &entry.value;
    }
  }
  return nullptr;
}

void dict_set(Runtime& rt, Dict& dict, const Value& key, const Value& value) {
  if (const Value* found = dict_find(rt, dict, key)) {
    *const_cast<Value*>(found) = value;
  } else {
    dict.entries.push_back(rt.arena, {key, value});
  }
}

ArenaVector<DictEntry> sorted_by_key(Runtime& rt, const Dict& dict) {
  ArenaVector<DictEntry> sorted;
  sorted.reserve(rt.arena, dict.entries.size());
  for (const DictEntry& entry : dict.entries) sorted.push_back(rt.arena, entry);
  std::stable_sort(sorted.begin(), sorted.end(),
                   [&](const DictEntry& a, const DictEntry& b) { return less(rt, a.key, b.key); });
  return sorted;
}

int64_t need_integer(Runtime& rt, const Value& value, std::string_view what) {
  if (value.is_undefined()) rt.fail_undefined(value);
  if (!value.is_integral()) rt.fail("{} must be an integer, not {}", what, type_name(value));
  return value.as_int();
}

}  // namespace minnow::jinja
