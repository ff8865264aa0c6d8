// Operations on text that filters and methods share.
#pragma once

#include <cstdint>
#include <string_view>

#include "text/jinja/runtime.h"

namespace minnow::jinja {

// Replaces at most `count` occurrences, all when negative. An empty `old` matches between all characters.
Value replaced(Runtime& rt, std::string_view text, std::string_view old, std::string_view with,
               int64_t count);

// The first character in upper case, the others in lower case.
Value capitalized(Runtime& rt, std::string_view text);

enum class Padding : uint8_t { kLeft, kRight, kCenter };  // where the text stands
// Filled up to `width` characters; `fill` is one character.
Value padded(Runtime& rt, std::string_view text, int64_t width, std::string_view fill, Padding where);

struct LineBreak {
  std::size_t position;  // or the size of the text
  std::size_t length;    // bytes; 0: there is none
};
// The first line break as str.splitlines() knows them.
LineBreak find_line_break(std::string_view text);

// Pays for strip_left and strip_right with a set: each character may be looked up in all of it.
void charge_strip(Runtime& rt, std::string_view text, std::string_view set);

// Pays for one search through the text, from either end.
void charge_search(Runtime& rt, std::string_view text, std::string_view part);
// The position of `part` in `text`, npos when absent. Linear (memmem), which find() is not. Not paid for.
std::size_t position_of(std::string_view text, std::string_view part);

}  // namespace minnow::jinja
