// Walks over a text by classes of characters, for split rules written by hand: one pass, a table lookup for
// each ASCII byte.
#pragma once

#include <utf8proc.h>

#include <array>
#include <cstdint>
#include <string_view>

#include "base/utf8.h"
#include "text/unicode_class.h"

namespace minnow {

enum class CharClass : uint8_t { kLetter, kNumber, kSpace, kOther, kNotAscii };

constexpr std::array<CharClass, 256> make_byte_classes() {
  std::array<CharClass, 256> classes{};
  for (int c = 0; c < 256; ++c) {
    CharClass& entry = classes[static_cast<std::size_t>(c)];
    if (c >= 0x80) {
      entry = CharClass::kNotAscii;
    } else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
      entry = CharClass::kLetter;
    } else if (c >= '0' && c <= '9') {
      entry = CharClass::kNumber;
    } else if (c == ' ' || (c >= '\t' && c <= '\r')) {
      entry = CharClass::kSpace;
    } else {
      entry = CharClass::kOther;
    }
  }
  return classes;
}
inline constexpr std::array<CharClass, 256> kByteClasses = make_byte_classes();

inline CharClass unicode_class(char32_t c) {
  const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  if (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO) return CharClass::kLetter;
  if (category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO) return CharClass::kNumber;
  return is_unicode_space(c) ? CharClass::kSpace : CharClass::kOther;
}

// Walks over one text.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  struct Char {
    CharClass type;
    uint32_t length;
  };
  bool at_end(uint32_t at) const { return at >= text_.size(); }
  uint32_t size() const { return static_cast<uint32_t>(text_.size()); }
  char byte(uint32_t at) const { return text_[at]; }
  bool is_newline(uint32_t at) const { return text_[at] == '\n' || text_[at] == '\r'; }

  Char look(uint32_t at) const {
    const CharClass type = kByteClasses[static_cast<uint8_t>(text_[at])];
    if (type != CharClass::kNotAscii) return {type, 1};
    const Utf8Char c = decode_utf8(text_.substr(at));
    return {c.valid ? unicode_class(c.code_point) : CharClass::kOther, c.length};
  }
  Utf8Char decode(uint32_t at) const { return decode_utf8(text_.substr(at)); }
  bool is(uint32_t at, CharClass type) const { return !at_end(at) && look(at).type == type; }

  // The end of the run of characters of this class that begins at `at`.
  uint32_t run(uint32_t at, CharClass type) const {
    while (!at_end(at)) {
      const Char c = look(at);
      if (c.type != type) break;
      at += c.length;
    }
    return at;
  }

  // 's 't 're 've 'm 'll 'd after an apostrophe at `at`: the end, or `at` when there is none.
  uint32_t contraction(uint32_t at, bool any_case) const {
    const auto letter = [&](uint32_t i) -> char {
      if (at_end(i)) return '\0';
      const char c = text_[i];
      return any_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    };
    const char a = letter(at + 1), b = letter(at + 2);
    if (a == 's' || a == 't' || a == 'm' || a == 'd') return at + 2;
    if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l')) return at + 3;
    return at;
  }

  // \s+(?!\S)|\s+ : the run without its last character, which belongs to what follows, unless nothing
  // follows.
  uint32_t spaces(uint32_t at) const {
    uint32_t end = at, last = at;
    while (!at_end(end)) {
      const Char c = look(end);
      if (c.type != CharClass::kSpace) return last > at ? last : end;
      last = end;
      end += c.length;
    }
    return end;
  }

 private:
  std::string_view text_;
};

}  // namespace minnow
