// Template text to tokens.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace minnow::jinja {

enum class TokenKind : uint8_t {
  kData,           // text between tags, white space already controlled
  kVariableBegin,  // {{
  kVariableEnd,
  kBlockBegin,  // {%
  kBlockEnd,
  kName,
  kString,  // without quotes, escapes not yet decoded
  kInteger,
  kFloat,
  kOperator,
  kEnd,
};

struct Token {
  TokenKind kind;
  int line;
  std::string_view text;

  bool is(TokenKind k, std::string_view t) const { return kind == k && text == t; }
  bool is_operator(std::string_view t) const { return is(TokenKind::kOperator, t); }
  bool is_name(std::string_view t) const { return is(TokenKind::kName, t); }
};

// Line ends as \n, and one of them at the very end dropped, as Jinja does.
std::string normalized_source(std::string_view source);

// All tokens of a normalized source, which must outlive them; the last is kEnd. White space around tags is
// treated as with trim_blocks and lstrip_blocks. Throws kInvalidInput with the line.
std::vector<Token> tokenize(std::string_view source);

// The value of a string literal: \n, \x41, \u00e9, octal; unknown escapes stay as they are.
std::string unescape(std::string_view literal, int line);

}  // namespace minnow::jinja
