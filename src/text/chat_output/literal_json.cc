#include "text/chat_output/literal_json.h"

#include <charconv>

#include "base/json.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "text/chat_output/tool_schemas.h"

namespace minnow::chat_output {
namespace {

constexpr std::string_view kGemmaQuote = "<|\"|>";

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

void LiteralReader::skip_space() {
  const std::size_t n = rest_.find_first_not_of(" \t\r\n");
  rest_.remove_prefix(n == std::string_view::npos ? rest_.size() : n);
}

bool LiteralReader::next_is(std::string_view text) {
  skip_space();
  return rest_.starts_with(text);
}

bool LiteralReader::take(std::string_view text) {
  if (!next_is(text)) return false;
  rest_.remove_prefix(text.size());
  return true;
}

bool LiteralReader::at_end() {
  skip_space();
  return rest_.empty();
}

bool LiteralReader::identifier(std::string& name) {
  skip_space();
  if (rest_.empty() || !is_letter(rest_[0])) return false;
  std::size_t n = 1;
  while (n < rest_.size() &&
         (is_letter(rest_[n]) || is_digit(rest_[n]) || rest_[n] == '-' || rest_[n] == '.'))
    ++n;
  name = rest_.substr(0, n);
  rest_.remove_prefix(n);
  return true;
}

bool LiteralReader::value(std::string& json, int depth) {
  if (at_end() || depth >= limits::kMaxJsonDepth) return false;
  const char c = rest_[0];
  if (c == '[' || c == '(') {
    rest_.remove_prefix(1);
    return items(json, c == '[' ? ']' : ')', depth);
  }
  if (c == '{') return dict(json, depth);
  if (c == '"' || c == '\'' || c == '<') return string(json);
  if (!is_letter(c)) return number(json);
  std::string word;
  identifier(word);
  if (word == "None" || word == "null")
    json += "null";
  else if (word == "True" || word == "true")
    json += "true";
  else if (word == "False" || word == "false")
    json += "false";
  else
    return false;
  return true;
}

bool LiteralReader::items(std::string& json, char close, int depth) {
  json += '[';
  const std::string_view end(&close, 1);
  for (bool first = true; !take(end); first = false) {
    if (!first) {
      if (!take(",")) return false;
      if (take(end)) break;  // Python allows a last comma
      json += ", ";
    }
    if (!value(json, depth + 1)) return false;
  }
  json += ']';
  return true;
}

bool LiteralReader::dict(std::string& json, int depth) {
  take("{");
  json += '{';
  for (bool first = true; !take("}"); first = false) {
    if (!first) {
      if (!take(",")) return false;
      if (take("}")) break;
      json += ", ";
    }
    if (!key(json) || !take(":")) return false;
    json += ": ";
    if (!value(json, depth + 1)) return false;
  }
  json += '}';
  return true;
}

bool LiteralReader::key(std::string& json) {
  if (at_end()) return false;
  if (rest_[0] == '"' || rest_[0] == '\'' || rest_[0] == '<') return string(json);
  const std::size_t n = rest_.find_first_of(":,{}[]()\"'\n");
  if (n == std::string_view::npos || n == 0) return false;
  json += quoted_json(trimmed(rest_.substr(0, n)));
  rest_.remove_prefix(n);
  return true;
}

bool LiteralReader::string(std::string& json) {
  if (take(kGemmaQuote)) {
    const std::size_t end = rest_.find(kGemmaQuote);
    if (end == std::string_view::npos) return false;
    json += quoted_json(rest_.substr(0, end));
    rest_.remove_prefix(end + kGemmaQuote.size());
    return true;
  }
  std::string_view quote = rest_.substr(0, 1);
  if (quote == "<") return false;
  if (rest_.size() >= 3 && rest_[1] == quote[0] && rest_[2] == quote[0]) quote = rest_.substr(0, 3);
  rest_.remove_prefix(quote.size());
  std::string text;
  while (!rest_.starts_with(quote)) {
    if (rest_.empty()) return false;
    if (rest_[0] != '\\') {
      text += rest_[0];
      rest_.remove_prefix(1);
    } else if (!escape(text)) {
      return false;
    }
  }
  rest_.remove_prefix(quote.size());
  json += quoted_json(text);
  return true;
}

bool LiteralReader::escape(std::string& text) {
  if (rest_.size() < 2) return false;
  const char c = rest_[1];
  rest_.remove_prefix(2);
  switch (c) {
    case 'n':
      text += '\n';
      return true;
    case 't':
      text += '\t';
      return true;
    case 'r':
      text += '\r';
      return true;
    case 'b':
      text += '\b';
      return true;
    case 'f':
      text += '\f';
      return true;
    case '\n':
      return true;  // a line that goes on
    case '\\':
    case '\'':
    case '"':
    case '/':
      text += c;
      return true;
    case 'x':
      return hex(2, text);
    case 'u':
      return hex(4, text);
    case 'U':
      return hex(8, text);
    default:
      (text += '\\') += c;
      return true;  // as Python has it
  }
}

bool LiteralReader::hex(std::size_t digits, std::string& text) {
  if (rest_.size() < digits) return false;
  uint32_t code = 0;
  const char* end = rest_.data() + digits;
  if (std::from_chars(rest_.data(), end, code, 16).ptr != end) return false;
  rest_.remove_prefix(digits);
  // JSON's way of writing characters past U+FFFF: two halves.
  if (code >= 0xD800 && code < 0xDC00 && rest_.size() >= 6 && rest_.starts_with("\\u")) {
    uint32_t low = 0;
    const char* low_end = rest_.data() + 6;
    if (std::from_chars(rest_.data() + 2, low_end, low, 16).ptr == low_end && low >= 0xDC00 && low < 0xE000) {
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
      rest_.remove_prefix(6);
    }
  }
  append_utf8(text, static_cast<char32_t>(code));
  return true;
}

bool LiteralReader::number(std::string& json) {
  std::size_t n = rest_.find_first_not_of("+-0123456789.eE_");
  if (n == std::string_view::npos) n = rest_.size();
  std::string digits(rest_.substr(0, n));
  std::erase(digits, '_');
  // Spellings that Python has and JSON has not: +1, .5, 5.
  if (digits.starts_with('+')) digits.erase(0, 1);
  const std::size_t sign = digits.starts_with('-') ? 1 : 0;
  if (digits.size() > sign && digits[sign] == '.') digits.insert(sign, 1, '0');
  if (digits.ends_with('.')) digits += '0';
  if (!Json::accept(digits)) return false;
  json += digits;
  rest_.remove_prefix(n);
  return true;
}

}  // namespace minnow::chat_output
