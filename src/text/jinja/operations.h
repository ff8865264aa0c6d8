// What can be done with values: Python's truth, equality, order, arithmetic, membership, subscripts.
//
// All throw kInvalidInput with the template's line where Python raises TypeError and the like.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "text/jinja/runtime.h"

namespace minnow::jinja {

enum class Op : uint8_t {
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kFloorDivide,
  kModulo,
  kPower,
  kConcat,  // ~
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kIn,
  kNotIn,
};

std::string_view type_name(const Value& value);  // as Python calls it: "str", "dict"

bool truthy(const Value& value);
bool equals(Runtime& rt, const Value& a, const Value& b);
// a < b; numbers, strings, lists and tuples have an order.
bool less(Runtime& rt, const Value& a, const Value& b);
bool contains(Runtime& rt, const Value& container, const Value& item);
bool compare(Runtime& rt, Op op, const Value& a, const Value& b);
Value arithmetic(Runtime& rt, Op op, const Value& a, const Value& b);
Value negate(Runtime& rt, const Value& value);
// Python's str % values, and the same from |format.
Value format_percent(Runtime& rt, std::string_view format, const Value& values);

bool has_length(const Value& value);
uint64_t length(Runtime& rt, const Value& value);
// What a for loop sees: items, keys, characters; none of an undefined value. Marks a generator as read.
std::span<const Value> elements(Runtime& rt, const Value& value);
bool is_iterable(const Value& value);

// Throws for what Python cannot hash: lists, dicts, and tuples that hold some.
void need_hashable(Runtime& rt, const Value& key);
// The value of a key, or null. Throws for keys that Python cannot hash.
const Value* dict_find(Runtime& rt, const Dict& dict, const Value& key);
void dict_set(Runtime& rt, Dict& dict, const Value& key, const Value& value);
// The entries in the order of their keys.
ArenaVector<DictEntry> sorted_by_key(Runtime& rt, const Dict& dict);

// object.name and object[key]; undefined when absent. Dots look for methods first, brackets for items first.
Value get_attribute(Runtime& rt, const Value& object, std::string_view name);
Value get_item(Runtime& rt, const Value& object, const Value& key);
// "a.b.0" as the attribute arguments of filters write it; numbers are positions.
Value get_path(Runtime& rt, const Value& object, const Value& path);

struct SliceBounds {
  std::optional<int64_t> start, stop, step;
};
Value get_slice(Runtime& rt, const Value& object, const SliceBounds& bounds);

// The integer that an argument must be; throws "<what> must be an integer".
int64_t need_integer(Runtime& rt, const Value& value, std::string_view what);

}  // namespace minnow::jinja
