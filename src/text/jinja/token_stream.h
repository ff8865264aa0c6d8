// The tokens of a template, read one after the other, with the bound on how deep its syntax may nest.
#pragma once

#include <fmt/format.h>

#include <string_view>
#include <vector>

#include "text/jinja/lexer.h"
#include "text/jinja/runtime.h"

namespace minnow::jinja {

class TokenStream {
 public:
  explicit TokenStream(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  const Token& current() const { return tokens_[at_]; }
  const Token& ahead() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  int line() const { return current().line; }
  Token next() {
    const Token token = current();
    if (at_ + 1 < tokens_.size()) ++at_;
    return token;
  }
  bool accept_operator(std::string_view text) { return accept(current().is_operator(text)); }
  bool accept_name(std::string_view text) { return accept(current().is_name(text)); }
  void expect_operator(std::string_view text) {
    if (!accept_operator(text)) fail_expected(fmt::format("'{}'", text));
  }
  void expect(TokenKind kind, std::string_view what) {
    if (!accept(current().kind == kind)) fail_expected(what);
  }
  std::string_view expect_name(std::string_view what) {
    if (current().kind != TokenKind::kName) fail_expected(what);
    return next().text;
  }

  template <typename... Args>
  [[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) const {
    fail_at(line(), ErrorCode::kInvalidInput, fmt::format(format, std::forward<Args>(args)...));
  }
  [[noreturn]] void fail_expected(std::string_view what) const;

 private:
  friend class Nesting;
  bool accept(bool yes) {
    if (yes) next();
    return yes;
  }

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

// Held while something nested is parsed; throws kLimit past limits::kMaxTemplateDepth.
class Nesting {
 public:
  explicit Nesting(TokenStream& stream);
  ~Nesting() { --stream_.depth_; }
  Nesting(const Nesting&) = delete;
  Nesting& operator=(const Nesting&) = delete;

 private:
  TokenStream& stream_;
};

}  // namespace minnow::jinja
