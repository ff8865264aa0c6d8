#include "text/grammar/gbnf.h"

#include <algorithm>
#include <cctype>
#include <unordered_map>

#include "base/error.h"
#include "base/limits.h"
#include "base/utf8.h"

namespace minnow::grammar {
namespace {

class GbnfParser {
 public:
  explicit GbnfParser(std::string_view text) : text_(text) {}

  Grammar parse() {
    for (skip(true); !done(); skip(true)) rule();
    for (const auto& [name, use] : rules_) {
      if (use.defined) continue;
      at_ = use.first_use;
      invalid("the rule \"" + name + "\" is used but not defined");
    }
    const auto root = rules_.find("root");
    if (root == rules_.end()) fail(ErrorCode::kInvalidInput, "grammar: there is no rule \"root\", which stands for the whole text");
    g_.set_root(root->second.id);
    return std::move(g_);
  }

 private:
  struct Named {
    RuleId id = 0;
    std::size_t first_use = 0;
    bool defined = false;
  };

  bool done() const { return at_ >= text_.size(); }
  char peek(std::size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  bool take(std::string_view what) {
    if (!text_.substr(at_).starts_with(what)) return false;
    at_ += what.size();
    return true;
  }
  static bool is_name(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_'; }

  std::string where() const {
    const std::string_view before = text_.substr(0, std::min(at_, text_.size()));
    const auto line = std::count(before.begin(), before.end(), '\n') + 1;
    const std::size_t begin = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
    return fmt::format("grammar, line {}, column {}", line, before.size() - begin + 1);
  }
  [[noreturn]] void invalid(const std::string& what) const { fail(ErrorCode::kInvalidInput, "{}: {}", where(), what); }

  // Spaces and comments; line ends only where a rule may go on after them.
  void skip(bool line_ends) {
    while (!done()) {
      const char c = peek();
      if (c == '#') {
        while (!done() && peek() != '\n' && peek() != '\r') ++at_;
      } else if (c == ' ' || c == '\t' || (line_ends && (c == '\n' || c == '\r'))) {
        ++at_;
      } else {
        return;
      }
    }
  }

  std::string name() {
    const std::size_t begin = at_;
    while (is_name(peek())) ++at_;
    if (at_ == begin) invalid("a name is expected");
    return std::string(text_.substr(begin, at_ - begin));
  }

  Named& named(const std::string& rule_name, std::size_t use) {
    const auto [it, is_new] = rules_.try_emplace(rule_name);
    if (is_new) it->second = {g_.add_rule("grammar: the rule \"" + rule_name + "\""), use, false};
    return it->second;
  }

  void rule() {
    const std::size_t begin = at_;
    const std::string rule_name = name();
    skip(false);
    if (!take("::=")) invalid("::= is expected after the name \"" + rule_name + "\"");
    skip(true);
    Named& known = named(rule_name, begin);
    if (known.defined) invalid("the rule \"" + rule_name + "\" is defined twice");
    known.defined = true;
    const RuleId id = known.id;
    g_.define(id, alternatives(0));
    if (!done() && peek() != '\n' && peek() != '\r') invalid(fmt::format("'{}' is not expected here", to_valid_utf8(text_.substr(at_, 1))));
  }

  ExprId alternatives(int depth) {
    if (depth > limits::kMaxGrammarNesting) {
      fail(ErrorCode::kLimit, "{}: groups within groups, more than {} deep", where(), limits::kMaxGrammarNesting);
    }
    std::vector<ExprId> choices{sequence(depth)};
    while (next_alternative(depth)) choices.push_back(sequence(depth));
    return g_.choice(choices);
  }

  bool next_alternative(int depth) {
    const std::size_t begin = at_;
    skip(true);
    if (take("|")) {
      skip(true);
      return true;
    }
    if (depth == 0) at_ = begin;
    return false;
  }

  ExprId sequence(int depth) {
    std::vector<ExprId> parts;
    for (skip(depth > 0); !done(); skip(depth > 0)) {
      const char c = peek();
      if (c == '|' || c == ')' || c == '\n' || c == '\r') break;
      parts.push_back(repeated(element(depth), depth));
    }
    return g_.sequence(parts);
  }

  ExprId element(int depth) {
    if (take("\"")) return literal();
    if (take("[")) return brackets();
    if (take(".")) return g_.characters(CharClass{{0, 0x10FFFF}});
    if (take("(")) {
      const ExprId inner = alternatives(depth + 1);
      if (!take(")")) invalid("a closing parenthesis is expected");
      return inner;
    }
    if (peek() == '<' || peek() == '!') fail(ErrorCode::kUnsupported, "{}: tokens as symbols are not supported; write their text", where());
    if (!is_name(peek())) invalid(fmt::format("'{}' is not expected here", to_valid_utf8(text_.substr(at_, 1))));
    const std::size_t begin = at_;
    return g_.rule(named(name(), begin).id);
  }

  // Repetitions of repetitions: more than one is hardly meant.
  ExprId repeated(ExprId part, int depth) {
    for (int n = 0;; ++n) {
      if (n > 8) invalid("too many repetitions of one thing; use parentheses");
      skip(depth > 0);
      if (take("*")) {
        part = g_.repeat(part, 0, kUnbounded);
      } else if (take("+")) {
        part = g_.repeat(part, 1, kUnbounded);
      } else if (take("?")) {
        part = g_.optional(part);
      } else if (take("{")) {
        part = braces(part);
      } else {
        return part;
      }
    }
  }

  ExprId braces(ExprId part) {
    skip(true);
    const uint32_t min = number();
    uint32_t max = min;
    skip(true);
    if (take(",")) {
      skip(true);
      max = std::isdigit(static_cast<unsigned char>(peek())) != 0 ? number() : kUnbounded;
      skip(true);
    }
    if (!take("}")) invalid("} is expected after the numbers of a repetition");
    if (min > max) invalid("the numbers of a repetition are in the wrong order");
    return g_.repeat(part, min, max);
  }

  uint32_t number() {
    if (std::isdigit(static_cast<unsigned char>(peek())) == 0) invalid("a number is expected");
    uint32_t value = 0;
    for (; std::isdigit(static_cast<unsigned char>(peek())) != 0; ++at_) {
      if (value < 1'000'000) value = value * 10 + static_cast<uint32_t>(peek() - '0');
    }
    return value;
  }

  char32_t hex(int digits) {
    char32_t value = 0;
    for (int i = 0; i < digits; ++i, ++at_) {
      const char c = peek();
      if (std::isxdigit(static_cast<unsigned char>(c)) == 0) invalid(fmt::format("{} hexadecimal digits are expected", digits));
      value = value * 16 + static_cast<char32_t>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    if (value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) invalid("that is no character");
    return value;
  }

  char32_t character() {
    if (!take("\\")) {
      const Utf8Char c = decode_utf8(text_.substr(at_));
      if (!c.valid) invalid("broken UTF-8");
      at_ += c.length;
      return c.code_point;
    }
    const char c = peek();
    ++at_;
    switch (c) {
      case 'x': return hex(2);
      case 'u': return hex(4);
      case 'U': return hex(8);
      case 'n': return '\n';
      case 'r': return '\r';
      case 't': return '\t';
      case '\\': case '"': case '[': case ']': return static_cast<char32_t>(c);
      default: --at_; invalid("an unknown escape");
    }
  }

  ExprId literal() {
    std::string bytes;
    while (!take("\"")) {
      if (done() || peek() == '\n') invalid("a literal lacks its closing quote");
      append_utf8(bytes, character());
    }
    return g_.literal(bytes);
  }

  ExprId brackets() {
    CharClass set;
    const bool negated = take("^");
    while (!take("]")) {
      if (done()) invalid("a class lacks its closing bracket");
      const char32_t low = character();
      char32_t high = low;
      if (peek() == '-' && peek(1) != ']') {
        ++at_;
        if (done()) invalid("a class lacks its closing bracket");
        high = character();
        if (high < low) invalid("the ends of a range are in the wrong order");
      }
      set.add(low, high);
    }
    set.normalize();
    return g_.characters(negated ? set.complement() : set);
  }

  std::string_view text_;
  std::size_t at_ = 0;
  Grammar g_;
  std::unordered_map<std::string, Named> rules_;
};

}  // namespace

Grammar parse_gbnf(std::string_view text) {
  if (text.size() > limits::kMaxGrammarBytes) {
    fail(ErrorCode::kLimit, "the grammar has {} bytes, more than {}", text.size(), limits::kMaxGrammarBytes);
  }
  return GbnfParser(text).parse();
}

}  // namespace minnow::grammar
