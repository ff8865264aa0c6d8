#include "text/jinja/unicode.h"

#include <utf8proc.h>

#include "base/utf8.h"

namespace minnow::jinja {
namespace {

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// The last character of a non-empty text and its length in bytes.
Utf8Char last_char(std::string_view text) {
  std::size_t length = 1;
  while (length < 4 && length < text.size() && is_continuation(text[text.size() - length])) ++length;
  const Utf8Char c = decode_utf8(text.substr(text.size() - length));
  if (c.valid && c.length == length) return c;
  return {kReplacementCharacter, 1, false};
}

template <typename Predicate>
bool all_cased(std::string_view text, Predicate wanted, Predicate unwanted) {
  bool any = false;
  while (!text.empty()) {
    const char32_t c = next_char(text);
    if (unwanted(c)) return false;
    any = any || wanted(c);
  }
  return any;
}

bool contains_char(std::string_view set, std::string_view c) { return set.find(c) != std::string_view::npos; }

}  // namespace

char32_t next_char(std::string_view& text) {
  const Utf8Char c = decode_utf8(text);
  text.remove_prefix(c.length);
  return c.code_point;
}

char32_t drop_last_char(std::string_view& text) {
  const Utf8Char c = last_char(text);
  text.remove_suffix(c.length);
  return c.code_point;
}

uint64_t count_chars(std::string_view text) {
  uint64_t n = 0;
  for (std::size_t i = 0; i < text.size(); ++n) {
    i += (text[i] & 0x80) == 0 ? 1 : decode_utf8(text.substr(i)).length;
  }
  return n;
}

uint64_t char_offset(std::string_view text, uint64_t n) {
  std::size_t i = 0;
  for (; n > 0 && i < text.size(); --n) i += (text[i] & 0x80) == 0 ? 1 : decode_utf8(text.substr(i)).length;
  return i;
}

bool is_space(char32_t c) {
  if (c < 0x80) return c == ' ' || (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x1F);
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
         c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool is_printable(char32_t c) {
  if (c == ' ') return true;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_ZS:
      return false;
    default:
      return true;
  }
}

bool is_letter(char32_t c) {
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
      return true;
    default:
      return false;
  }
}

bool is_decimal(char32_t c) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(c)) == UTF8PROC_CATEGORY_ND;
}

bool is_upper(char32_t c) {
  const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  return category == UTF8PROC_CATEGORY_LU || category == UTF8PROC_CATEGORY_LT;
}

bool is_lower(char32_t c) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(c)) == UTF8PROC_CATEGORY_LL;
}

bool all_upper(std::string_view text) { return all_cased(text, is_upper, is_lower); }
bool all_lower(std::string_view text) { return all_cased(text, is_lower, is_upper); }

std::string_view strip_left(std::string_view text) {
  while (!text.empty()) {
    const Utf8Char c = decode_utf8(text);
    if (!is_space(c.code_point)) break;
    text.remove_prefix(c.length);
  }
  return text;
}

std::string_view strip_right(std::string_view text) {
  while (!text.empty()) {
    const Utf8Char c = last_char(text);
    if (!is_space(c.code_point)) break;
    text.remove_suffix(c.length);
  }
  return text;
}

std::string_view strip(std::string_view text) { return strip_right(strip_left(text)); }

std::string_view strip_left(std::string_view text, std::string_view set) {
  while (!text.empty()) {
    const std::size_t length = decode_utf8(text).length;
    if (!contains_char(set, text.substr(0, length))) break;
    text.remove_prefix(length);
  }
  return text;
}

std::string_view strip_right(std::string_view text, std::string_view set) {
  while (!text.empty()) {
    const std::size_t length = last_char(text).length;
    if (!contains_char(set, text.substr(text.size() - length))) break;
    text.remove_suffix(length);
  }
  return text;
}

void append_mapped(TextBuilder& out, char32_t c, CaseMap map) {
  if (map == CaseMap::kSwap) map = is_lower(c) ? CaseMap::kUpper : CaseMap::kLower;
  if (c == 0xDF && map != CaseMap::kLower) return out.append(map == CaseMap::kUpper ? "SS" : "Ss");
  const auto code_point = static_cast<utf8proc_int32_t>(c);
  switch (map) {
    case CaseMap::kUpper:
      return out.append_char(static_cast<char32_t>(utf8proc_toupper(code_point)));
    case CaseMap::kTitle:
      return out.append_char(static_cast<char32_t>(utf8proc_totitle(code_point)));
    default:
      return out.append_char(static_cast<char32_t>(utf8proc_tolower(code_point)));
  }
}

Value map_case(Runtime& rt, std::string_view text, CaseMap map) {
  TextBuilder out(rt);
  while (!text.empty()) append_mapped(out, next_char(text), map);
  return out.finish();
}

}  // namespace minnow::jinja
