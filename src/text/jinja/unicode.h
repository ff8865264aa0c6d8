// Python's view of text: positions count code points, and case and space are those of Unicode.
#pragma once

#include <cstdint>
#include <string_view>

#include "text/jinja/runtime.h"

namespace minnow::jinja {

uint64_t count_chars(std::string_view text);
// Byte offset of the n-th character, or of the end.
uint64_t char_offset(std::string_view text, uint64_t n);
// Removes the first character and returns it, U+FFFD for an invalid byte.
char32_t next_char(std::string_view& text);

// Removes the last character and returns it.
char32_t drop_last_char(std::string_view& text);

bool is_space(char32_t c);      // str.isspace
bool is_printable(char32_t c);  // str.isprintable
// Noncharacters that a program may use within itself. Those of ChatEncoder stand around text, and stay there however it is written.
constexpr bool is_own_mark(char32_t c) { return c >= 0xFDD0 && c <= 0xFDEF; }
bool is_letter(char32_t c);
bool is_decimal(char32_t c);
bool is_upper(char32_t c);  // also title case
bool is_lower(char32_t c);
// Whether the text has letters of that case and none of the other.
bool all_upper(std::string_view text);
bool all_lower(std::string_view text);

std::string_view strip_left(std::string_view text);
std::string_view strip_right(std::string_view text);
std::string_view strip(std::string_view text);
// The same for any character of `set`.
std::string_view strip_left(std::string_view text, std::string_view set);
std::string_view strip_right(std::string_view text, std::string_view set);

enum class CaseMap : uint8_t { kUpper, kLower, kTitle, kSwap };
void append_mapped(TextBuilder& out, char32_t c, CaseMap map);
Value map_case(Runtime& rt, std::string_view text, CaseMap map);

}  // namespace minnow::jinja
