#include "text/jinja/lexer.h"

#include <algorithm>

#include "base/utf8.h"
#include "text/jinja/runtime.h"
#include "text/jinja/unicode.h"

namespace minnow::jinja {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'); }
bool is_name_start(char c) {
  return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c & 0x80) != 0;
}
bool is_name_char(char c) { return is_name_start(c) || is_digit(c); }

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(source) {}

  std::vector<Token> run() {
    while (at_ < source_.size()) data();
    tokens_.push_back({TokenKind::kEnd, line_, {}});
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void fail(std::string_view message) const {
    fail_at(line_, ErrorCode::kInvalidInput, message);
  }
  std::string_view rest() const { return source_.substr(at_); }
  bool starts_with(std::string_view text) const { return rest().starts_with(text); }

  void advance(std::size_t n) {
    line_ += static_cast<int>(std::count(source_.begin() + at_, source_.begin() + at_ + n, '\n'));
    at_ += n;
  }
  void skip_space() { advance(rest().size() - strip_left(rest()).size()); }
  void add(TokenKind kind, std::size_t n) {
    tokens_.push_back({kind, line_, source_.substr(at_, n)});
    advance(n);
  }

  // Adds source_[at_, end), shortened as the tag that follows asks for with `sign` or lstrip_blocks.
  void add_data(std::size_t end, char sign, bool may_lstrip) {
    std::string_view text = source_.substr(at_, end - at_);
    if (sign == '-') {
      text = strip_right(text);
    } else if (may_lstrip && sign != '+') {
      const std::size_t newline = text.rfind('\n');
      const std::size_t line_start = newline == std::string_view::npos ? 0 : newline + 1;
      const bool whole_line = line_start > 0 || at_ == 0 || source_[at_ - 1] == '\n';
      if (whole_line && strip_left(text.substr(line_start)).empty()) text = text.substr(0, line_start);
    }
    if (!text.empty()) tokens_.push_back({TokenKind::kData, line_, text});
    advance(end - at_);
  }

  // The text up to the next tag, then the tag.
  void data() {
    std::size_t tag = at_;
    while (true) {
      tag = source_.find('{', tag);
      if (tag == std::string_view::npos || tag + 1 >= source_.size())
        return add_data(source_.size(), '+', false);
      const char second = source_[tag + 1];
      if (second == '{' || second == '%' || second == '#') break;
      ++tag;
    }
    const char second = source_[tag + 1];
    const char sign = tag + 2 < source_.size() && (source_[tag + 2] == '-' || source_[tag + 2] == '+')
                          ? source_[tag + 2]
                          : 0;
    add_data(tag, sign, second != '{');
    const std::size_t begin = sign != 0 ? 3 : 2;
    if (second == '#') return comment(begin);
    if (second == '%' && raw(begin)) return;
    add(second == '{' ? TokenKind::kVariableBegin : TokenKind::kBlockBegin, begin);
    expression(second == '{' ? '}' : '%');
  }

  // After the closing delimiter of a block or comment: trim_blocks drops one newline.
  void end_of_tag(char sign) {
    if (sign == '-') {
      skip_space();
    } else if (sign != '+' && starts_with("\n")) {
      advance(1);
    }
  }

  void comment(std::size_t begin) {
    const std::size_t end = source_.find("#}", at_ + begin);
    if (end == std::string_view::npos) fail("a comment has no end; add #}");
    const char before = end > at_ + begin ? source_[end - 1] : 0;
    advance(end + 2 - at_);
    end_of_tag(before);
  }

  // {% raw %} … {% endraw %}. False when the block at hand is another one.
  bool raw(std::size_t begin) {
    std::size_t end = 0;
    char sign = 0;
    if (!is_bare_tag(at_ + begin, "raw", end, sign) || sign == '+') return false;
    advance(end - at_);
    if (sign == '-') skip_space();
    for (std::size_t tag = source_.find("{%", at_); tag != std::string_view::npos;
         tag = source_.find("{%", tag + 2)) {
      const char before = tag + 2 < source_.size() ? source_[tag + 2] : 0;
      const bool has_sign = before == '-' || before == '+';
      if (!is_bare_tag(tag + (has_sign ? 3 : 2), "endraw", end, sign)) continue;
      add_data(tag, has_sign ? before : 0, true);
      advance(end - at_);
      end_of_tag(sign);
      return true;
    }
    fail("a raw block has no end; add {% endraw %}");
  }

  // Whether only `name` stands between here and "%}"; gives the position after it and the sign before.
  bool is_bare_tag(std::size_t from, std::string_view name, std::size_t& end, char& sign) const {
    std::string_view text = strip_left(source_.substr(from));
    if (!text.starts_with(name)) return false;
    text = strip_left(text.substr(name.size()));
    sign = text.starts_with('-') || text.starts_with('+') ? text[0] : 0;
    if (sign != 0) text.remove_prefix(1);
    end = source_.size() - text.size() + 2;
    return text.starts_with("%}");
  }

  // Tokens up to and with the closing delimiter: `close` and '}'.
  void expression(char close) {
    const std::string_view end = close == '}' ? "}}" : "%}";
    const int begin_line = line_;
    while (at_ < source_.size()) {
      if (brackets_.empty()) {
        const char sign = starts_with("-") || (close == '%' && starts_with("+")) ? source_[at_] : 0;
        if (rest().substr(sign != 0 ? 1 : 0).starts_with(end)) {
          add(close == '}' ? TokenKind::kVariableEnd : TokenKind::kBlockEnd, sign != 0 ? 3 : 2);
          if (close == '%' || sign == '-') end_of_tag(sign);
          return;
        }
      }
      token();
    }
    line_ = begin_line;
    fail(fmt::format("a tag has no end; add {}", end));
  }

  void token() {
    const char c = source_[at_];
    if (c == ' ' || (c >= '\t' && c <= '\r')) return advance(1);
    if (c == '"' || c == '\'') return string(c);
    if (is_digit(c)) return number();
    if (is_name_start(c)) {
      std::size_t n = 1;
      while (at_ + n < source_.size() && is_name_char(source_[at_ + n])) ++n;
      return add(TokenKind::kName, n);
    }
    operation(c);
  }

  void string(char quote) {
    std::size_t end = at_ + 1;
    while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) fail("a string has no end");
    tokens_.push_back({TokenKind::kString, line_, source_.substr(at_ + 1, end - at_ - 1)});
    advance(end + 1 - at_);
  }

  std::size_t digits_from(std::size_t at) const {
    while (at < source_.size() && (is_digit(source_[at]) || (source_[at] == '_' && at + 1 < source_.size() &&
                                                             is_digit(source_[at + 1])))) {
      ++at;
    }
    return at;
  }

  void number() {
    const auto next = [&](std::size_t at) { return at < source_.size() ? source_[at] : '\0'; };
    const char letter = static_cast<char>(next(at_ + 1) | 0x20);
    if (source_[at_] == '0' && (letter == 'x' || letter == 'o' || letter == 'b') && is_hex(next(at_ + 2))) {
      std::size_t end = at_ + 2;
      while (is_hex(next(end)) || (next(end) == '_' && is_hex(next(end + 1)))) ++end;
      return add(TokenKind::kInteger, end - at_);
    }
    std::size_t end = digits_from(at_);
    const bool after_dot = at_ > 0 && source_[at_ - 1] == '.';  // x.0.1 has no floats
    TokenKind kind = TokenKind::kInteger;
    if (!after_dot && next(end) == '.' && is_digit(next(end + 1))) {
      kind = TokenKind::kFloat;
      end = digits_from(end + 1);
    }
    const std::size_t exponent = end + (next(end + 1) == '+' || next(end + 1) == '-' ? 2 : 1);
    if (!after_dot && (next(end) | 0x20) == 'e' && is_digit(next(exponent))) {
      kind = TokenKind::kFloat;
      end = digits_from(exponent);
    }
    add(kind, end - at_);
  }

  void operation(char c) {
    constexpr std::string_view kPairs[] = {"//", "**", "==", "!=", ">=", "<="};
    for (const std::string_view pair : kPairs) {
      if (starts_with(pair)) return add(TokenKind::kOperator, 2);
    }
    if (std::string_view("+-*/%~[](){}<>=.:|,;").find(c) == std::string_view::npos) {
      fail(fmt::format("unexpected character '{}'", rest().substr(0, 1)));
    }
    if (c == '(' || c == '[' || c == '{') brackets_ += c == '(' ? ')' : c == '[' ? ']' : '}';
    if (c == ')' || c == ']' || c == '}') {
      if (brackets_.empty()) fail(fmt::format("unexpected '{}'", c));
      if (brackets_.back() != c) fail(fmt::format("unexpected '{}', expected '{}'", c, brackets_.back()));
      brackets_.pop_back();
    }
    add(TokenKind::kOperator, 1);
  }

  std::string_view source_;
  std::size_t at_ = 0;
  int line_ = 1;
  std::string brackets_;  // what closes the open ones
  std::vector<Token> tokens_;
};

}  // namespace

std::string normalized_source(std::string_view source) {
  std::string text;
  text.reserve(source.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      text += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    } else {
      text += source[i];
    }
  }
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

std::vector<Token> tokenize(std::string_view source) { return Lexer(source).run(); }

}  // namespace minnow::jinja
