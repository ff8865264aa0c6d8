// Escapes and bracketed classes of regular expressions.
#pragma once

#include <optional>
#include <string_view>

#include "base/error.h"
#include "text/grammar/char_class.h"

namespace minnow::grammar {

// Reads an expression from left to right; errors say where.
class RegexReader {
 public:
  RegexReader(std::string_view pattern, bool ecma) : pattern_(pattern), ecma_(ecma) {}

  bool done() const { return at_ == pattern_.size(); }
  bool ecma() const { return ecma_; }
  char peek(std::size_t ahead = 0) const { return at_ + ahead < pattern_.size() ? pattern_[at_ + ahead] : '\0'; }
  bool starts_with(std::string_view text) const { return pattern_.substr(at_).starts_with(text); }
  bool take(std::string_view text);
  char32_t character();  // the next one, whatever it is
  std::optional<uint32_t> number();
  std::size_t position() const { return at_; }
  void rewind(std::size_t position) { at_ = position; }
  std::string_view text_from(std::size_t begin) const { return pattern_.substr(begin, at_ - begin); }

  // After the backslash: a class, or one character.
  CharClass escape(bool in_brackets);
  // After the opening bracket, the closing one included.
  CharClass brackets();

  [[noreturn]] void invalid(std::string_view what) const;
  [[noreturn]] void unsupported(std::string_view what) const;

 private:
  char32_t hex(int min_digits, int max_digits);
  char32_t code_unit();
  CharClass property(bool negated);
  CharClass member();

  std::string_view pattern_;
  std::size_t at_ = 0;
  bool ecma_;
};

}  // namespace minnow::grammar
