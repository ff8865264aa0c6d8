// UTF-8 (RFC 3629): strict decoding and the length of a whole prefix.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace minnow {

inline constexpr char32_t kReplacementCharacter = 0xFFFD;

struct Utf8Char {
  char32_t code_point;  // kReplacementCharacter when invalid
  uint8_t length;       // bytes consumed, at least 1
  bool valid;
};

// Decodes the first character of a non-empty text. Overlong forms, surrogates and values past U+10FFFF are
// invalid and consume one byte.
Utf8Char decode_utf8(std::string_view text);

// Surrogates and values past U+10FFFF are written as U+FFFD.
void append_utf8(std::string& out, char32_t code_point);

bool is_valid_utf8(std::string_view text);

// The text with every invalid byte replaced by U+FFFD.
std::string to_valid_utf8(std::string_view text);

// How many bytes at the end of `text` could be the start of a longer valid character (0 to 3).
std::size_t incomplete_utf8_tail(std::string_view text);

}  // namespace minnow
