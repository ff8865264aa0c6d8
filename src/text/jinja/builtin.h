// What the language brings along: filters, tests, methods and global functions, as rows of tables.
#pragma once

#include <array>
#include <span>
#include <string_view>

#include "text/jinja/runtime.h"

namespace minnow::jinja {

inline constexpr std::size_t kMaxParameters = 4;

struct Arguments {
  std::span<const Value> positional;
  std::span<const Binding> named;
};

// One call, its arguments bound to the parameters.
struct Call {
  Runtime& rt;
  std::string_view name;  // of what is called, for errors
  Value self;             // what is filtered or tested, or the object of a method
  std::array<const Value*, kMaxParameters> bound = {};
  Arguments rest;  // what is left over; only where Builtin::variadic

  // The argument, or null when it was not given.
  const Value* argument(std::size_t i) const { return bound[i]; }
  // The same with a default, which also stands for none; throw when the type is another.
  std::string_view text(std::size_t i, std::string_view otherwise) const;
  int64_t integer(std::size_t i, int64_t otherwise) const;
  bool flag(std::size_t i, bool otherwise) const;
};

struct Builtin {
  std::string_view name;
  std::string_view parameters;  // names in order, separated by spaces
  std::size_t required;         // that many of them must be given
  Value (*run)(Call& call);
  bool variadic = false;  // takes any further arguments
};

const Builtin* find_filter(std::string_view name);  // null when there is none
const Builtin* find_test(std::string_view name);
const Builtin* find_function(std::string_view name);
const Builtin* find_method(const Value& object, std::string_view name);

// Binds and runs. Throws for missing, surplus or unknown arguments.
Value invoke(Runtime& rt, const Builtin& builtin, const Value& self, const Arguments& arguments);

// The tables; found through the functions above.
std::span<const Builtin> text_filters();
std::span<const Builtin> value_filters();
std::span<const Builtin> list_filters();
std::span<const Builtin> select_filters();
std::span<const Builtin> test_table();
std::span<const Builtin> function_table();
std::span<const Builtin> text_methods();
std::span<const Builtin> case_methods();
std::span<const Builtin> list_methods();
std::span<const Builtin> dict_methods();
std::span<const Builtin> loop_methods();

}  // namespace minnow::jinja
