// String literals, as Python's unicode_escape reads them.
#include "base/utf8.h"
#include "text/jinja/lexer.h"
#include "text/jinja/runtime.h"

namespace minnow::jinja {
namespace {

int digit_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : 99;
}

// Reads up to `longest` digits of the base and removes them.
uint32_t take_digits(std::string_view& text, int base, std::size_t longest, std::size_t& taken) {
  uint32_t value = 0;
  for (taken = 0; taken < longest && taken < text.size() && digit_value(text[taken]) < base; ++taken) {
    value = value * static_cast<uint32_t>(base) + static_cast<uint32_t>(digit_value(text[taken]));
  }
  text.remove_prefix(taken);
  return value;
}

bool is_surrogate(uint32_t code) { return code >= 0xD800 && code < 0xE000; }

// The code after \x, \u or \U; a pair of surrogates is one character, as in JSON.
uint32_t take_code(std::string_view& text, std::size_t digits, int line) {
  std::size_t taken = 0;
  uint32_t code = take_digits(text, 16, digits, taken);
  if (taken != digits || code > 0x10FFFF)
    fail_at(line, ErrorCode::kInvalidInput, "a string has a broken \\x, \\u or \\U escape");
  if (!is_surrogate(code)) return code;
  std::string_view low_text = text.starts_with("\\u") ? text.substr(2) : std::string_view();
  const uint32_t low = take_digits(low_text, 16, 4, taken);
  if (code >= 0xDC00 || taken != 4 || low < 0xDC00 || low > 0xDFFF) return kReplacementCharacter;
  text = low_text;
  return 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
}

}  // namespace

std::string unescape(std::string_view text, int line) {
  constexpr std::string_view kLetters = "abfnrtv\\'\"";
  constexpr std::string_view kMeanings = "\a\b\f\n\r\t\v\\'\"";
  std::string out;
  while (!text.empty()) {
    const std::size_t slash = text.find('\\');
    out.append(text.substr(0, slash));
    if (slash == std::string_view::npos || slash + 1 == text.size()) break;
    const char c = text[slash + 1];
    text.remove_prefix(slash + 2);
    std::size_t taken = 0;
    if (const std::size_t known = kLetters.find(c); known != std::string_view::npos) {
      out += kMeanings[known];
    } else if (c == 'x' || c == 'u' || c == 'U') {
      append_utf8(out, take_code(text, c == 'x' ? 2 : c == 'u' ? 4 : 8, line));
    } else if (c >= '0' && c <= '7') {
      const auto first = static_cast<uint32_t>(c - '0');
      const std::size_t before = text.size();
      const uint32_t more = take_digits(text, 8, 2, taken);
      const uint32_t code = (first << (3 * (before - text.size()))) + more;
      append_utf8(out, code);
    } else if (c != '\n') {
      out += '\\';
      out += c;
    }
  }
  return out;
}

}  // namespace minnow::jinja
