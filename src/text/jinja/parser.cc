#include "text/jinja/parser.h"

#include <algorithm>
#include <initializer_list>

#include "text/jinja/expression_parser.h"
#include "text/jinja/lexer.h"
#include "text/jinja/token_stream.h"

namespace minnow::jinja {
namespace {

class StatementParser {
 public:
  explicit StatementParser(TokenStream& tokens) : tokens_(tokens), expressions_{tokens} {}

  Body run() { return statements({}); }

 private:
  using Names = std::initializer_list<std::string_view>;

  // Statements up to a block tag of one of these names (not taken) or the end of the template.
  Body statements(Names ends) {
    const Nesting nesting(tokens_);
    Body body;
    while (tokens_.current().kind != TokenKind::kEnd) {
      const Token& token = tokens_.current();
      if (token.kind == TokenKind::kData) {
        body.push_back(std::make_unique<TextStmt>(token.line, token.text));
        tokens_.next();
      } else if (token.kind == TokenKind::kVariableBegin) {
        tokens_.next();
        body.push_back(std::make_unique<OutputStmt>(tokens_.line(), expressions_.tuple()));
        tokens_.expect(TokenKind::kVariableEnd, "}}");
      } else {
        const Token& name = tokens_.ahead();
        const bool ended =
            name.kind == TokenKind::kName && std::find(ends.begin(), ends.end(), name.text) != ends.end();
        if (ended) return body;
        tokens_.next();
        body.push_back(statement());
      }
    }
    return body;
  }

  void end_of_tag() { tokens_.expect(TokenKind::kBlockEnd, "%}"); }

  // The inside of a block, from the end of its opening tag up to the name of one of `ends`, which is taken
  // and given back.
  std::string_view block(Body& body, Names ends, int opened) {
    tokens_.accept_operator(":");
    end_of_tag();
    body = statements(ends);
    if (tokens_.current().kind == TokenKind::kEnd) {
      fail_at(opened, ErrorCode::kInvalidInput,
              fmt::format("this block has no end; add {{% {} %}}", *(ends.end() - 1)));
    }
    tokens_.next();
    return tokens_.next().text;
  }

  std::unique_ptr<Stmt> statement() {
    const int line = tokens_.line();
    const std::string_view name = tokens_.expect_name("the name of a tag");
    if (name == "if") return if_block(line);
    if (name == "for") return for_block(line);
    if (name == "set") return set(line);
    if (name == "macro") return macro_block(line);
    if (name == "call") return call_block(line);
    if (name == "filter") return filter_block(line);
    if (name == "with") return with_block(line);
    if (name == "generation") return generation_block(line);
    if (name == "break") return jump(StmtKind::kBreak, line);
    if (name == "continue") return jump(StmtKind::kContinue, line);
    if (name == "print") return print(line);
    for (const std::string_view refused : {"include", "import", "from", "extends", "block"}) {
      if (name == refused)
        fail_at(line, ErrorCode::kUnsupported,
                fmt::format("the tag '{}' is not supported: a chat template stands alone", name));
    }
    fail_at(line, ErrorCode::kInvalidInput, fmt::format("the tag '{}' is unknown or out of place", name));
  }

  std::unique_ptr<Stmt> jump(StmtKind kind, int line) {
    if (loops_ == 0) fail_at(line, ErrorCode::kInvalidInput, "break and continue belong in a loop");
    end_of_tag();
    return std::make_unique<JumpStmt>(kind, line);
  }

  std::unique_ptr<Stmt> print(int line) {
    auto output = std::make_unique<OutputStmt>(line, expressions_.tuple());
    end_of_tag();
    return output;
  }

  std::unique_ptr<Stmt> if_block(int line) {
    auto stmt = std::make_unique<IfStmt>(line);
    std::string_view end = "elif";
    while (end == "elif") {
      stmt->branches.emplace_back(expressions_.tuple(false), Body());
      end = block(stmt->branches.back().second, {"elif", "else", "endif"}, line);
    }
    if (end == "else") block(stmt->otherwise, {"endif"}, line);
    end_of_tag();
    return stmt;
  }

  std::unique_ptr<Stmt> for_block(int line) {
    auto stmt = std::make_unique<ForStmt>(line);
    stmt->target = expressions_.target(false);
    if (!tokens_.accept_name("in")) tokens_.fail_expected("'in'");
    stmt->items = expressions_.tuple(false);
    if (tokens_.accept_name("if")) stmt->condition = expressions_.expression();
    stmt->recursive = tokens_.accept_name("recursive");
    ++loops_;
    const std::string_view end = block(stmt->body, {"else", "endfor"}, line);
    --loops_;
    if (end == "else") block(stmt->otherwise, {"endfor"}, line);
    end_of_tag();
    return stmt;
  }

  std::unique_ptr<Stmt> set(int line) {
    Target target = expressions_.target(true);
    if (tokens_.accept_operator("=")) {
      auto stmt = std::make_unique<SetStmt>(line);
      stmt->target = std::move(target);
      stmt->value = expressions_.tuple();
      end_of_tag();
      return stmt;
    }
    auto stmt = std::make_unique<SetBlockStmt>(line);
    stmt->target = std::move(target);
    stmt->filters = filters();
    block(stmt->body, {"endset"}, line);
    end_of_tag();
    return stmt;
  }

  std::vector<Suffix> filters() {
    std::vector<Suffix> filters;
    while (tokens_.accept_operator("|")) filters.push_back(expressions_.filter());
    return filters;
  }

  void parameters(MacroStmt& macro) {
    tokens_.expect_operator("(");
    while (!tokens_.accept_operator(")")) {
      if (!macro.parameters.empty()) tokens_.expect_operator(",");
      Parameter parameter;
      parameter.name = tokens_.expect_name("the name of a parameter");
      if (tokens_.accept_operator("=")) {
        parameter.otherwise = expressions_.expression();
      } else if (!macro.parameters.empty() && macro.parameters.back().otherwise) {
        tokens_.fail("a parameter without default after one with");
      }
      macro.parameters.push_back(std::move(parameter));
    }
  }

  // The body of a macro: a loop around it cannot be left from inside.
  void macro_body(MacroStmt& macro, Names ends) {
    MacroStmt* const outer = std::exchange(expressions_.macro, &macro);
    const int loops = std::exchange(loops_, 0);
    block(macro.body, ends, macro.line);
    end_of_tag();
    loops_ = loops;
    expressions_.macro = outer;
  }

  std::unique_ptr<Stmt> macro_block(int line) {
    auto stmt = std::make_unique<MacroStmt>(line);
    stmt->name = tokens_.expect_name("the name of the macro");
    parameters(*stmt);
    macro_body(*stmt, {"endmacro"});
    return stmt;
  }

  std::unique_ptr<Stmt> call_block(int line) {
    auto stmt = std::make_unique<CallBlockStmt>(line);
    stmt->caller.name = "caller";
    if (tokens_.current().is_operator("(")) parameters(stmt->caller);
    stmt->call = expressions_.expression();
    const auto* call =
        stmt->call->kind == ExprKind::kPostfix ? static_cast<PostfixExpr*>(stmt->call.get()) : nullptr;
    if (call == nullptr || call->suffixes.back().kind != Suffix::Kind::kCall) {
      fail_at(line, ErrorCode::kInvalidInput, "a call block needs the call of a macro");
    }
    macro_body(stmt->caller, {"endcall"});
    return stmt;
  }

  std::unique_ptr<Stmt> filter_block(int line) {
    auto stmt = std::make_unique<FilterBlockStmt>(line);
    stmt->filters.push_back(expressions_.filter());
    for (Suffix& more : filters()) stmt->filters.push_back(std::move(more));
    block(stmt->body, {"endfilter"}, line);
    end_of_tag();
    return stmt;
  }

  std::unique_ptr<Stmt> with_block(int line) {
    auto stmt = std::make_unique<WithStmt>(line);
    while (tokens_.current().kind != TokenKind::kBlockEnd) {
      if (!stmt->bindings.empty()) tokens_.expect_operator(",");
      Target target = expressions_.target(false);
      tokens_.expect_operator("=");
      stmt->bindings.emplace_back(std::move(target), expressions_.expression());
    }
    block(stmt->body, {"endwith"}, line);
    end_of_tag();
    return stmt;
  }

  // transformers marks the assistant's part of a chat so for training; see Evaluator::generated().
  std::unique_ptr<Stmt> generation_block(int line) {
    auto stmt = std::make_unique<WithStmt>(line, /*g=*/true);
    block(stmt->body, {"endgeneration"}, line);
    end_of_tag();
    return stmt;
  }

  TokenStream& tokens_;
  ExpressionParser expressions_;
  int loops_ = 0;
};

}  // namespace

Body parse_template(std::string_view source) {
  TokenStream tokens(tokenize(source));
  return StatementParser(tokens).run();
}

}  // namespace minnow::jinja
