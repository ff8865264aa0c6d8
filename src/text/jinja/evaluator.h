// Walks the parse tree of one rendering.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/jinja/ast.h"
#include "text/jinja/loop.h"
#include "text/jinja/runtime.h"

namespace minnow::jinja {

// Names of one block that has names of its own: the template, a loop's pass, a macro's call, a with or set
// block.
struct Scope {
  Scope* parent = nullptr;
  ArenaVector<Binding> names;
};

// Bytes of the text that a rendering gives.
struct TextRange {
  std::size_t begin = 0, end = 0;
};

class Evaluator {
 public:
  explicit Evaluator(Runtime& rt) : rt_(rt) {}

  // The text that the template gives with these variables.
  std::string render(const Body& body, std::span<const Binding> variables);
  // Where the text of the last rendering was written by generation blocks, in order and apart. Blocks inside of macros
  // and set blocks leave no trace: where their text ends up is not known.
  const std::vector<TextRange>& generated() const { return generated_; }

 private:
  enum class Flow : uint8_t { kNormal, kBreak, kContinue };

  // Expressions (evaluator.cc).
  Value evaluate(const Expr& expr, Scope& scope);
  Value evaluate_list(const ListExpr& expr, Scope& scope);
  Value evaluate_dict(const DictExpr& expr, Scope& scope);
  Value evaluate_unary(const UnaryExpr& expr, Scope& scope);
  Value evaluate_chain(const ChainExpr& expr, Scope& scope);
  Value evaluate_comparison(const ChainExpr& expr, Scope& scope);
  Value evaluate_logic(const LogicExpr& expr, Scope& scope);
  Value evaluate_choice(const ChoiceExpr& expr, Scope& scope);
  Value evaluate_postfix(const PostfixExpr& expr, Scope& scope);
  Value apply(const Suffix& suffix, Value value, Scope& scope);
  Value apply_all(const std::vector<Suffix>& suffixes, Value value, Scope& scope);
  Value apply_slice(const Suffix& suffix, const Value& value, Scope& scope);
  Value apply_builtin(const Suffix& suffix, const Value& value, Scope& scope);
  Arguments evaluate_arguments(const std::unique_ptr<CallArguments>& arguments, Scope& scope);
  void add_stars(const CallArguments& arguments, Scope& scope, ArenaVector<Value>& positional,
                 ArenaVector<Binding>& named);
  Value lookup(std::string_view name, Scope& scope);

  // Calls (calls.cc).
  Value call(const Value& callee, const Arguments& arguments, int line);
  Value call_macro(const Callable& callable, const Arguments& arguments);
  void bind_parameters(const MacroStmt& macro, const Arguments& arguments, Scope& scope);
  void bind_extra(const MacroStmt& macro, const Arguments& arguments, Scope& scope);

  // Statements (statements.cc).
  Flow execute(const Body& body, Scope& scope);
  Flow execute(const Stmt& stmt, Scope& scope);
  Flow execute_if(const IfStmt& stmt, Scope& scope);
  Flow execute_for(const ForStmt& stmt, Scope& scope);
  void run_loop(const ForStmt& stmt, const Value& items, Scope& scope, int depth0);
  std::span<const Value> filtered(const ForStmt& stmt, std::span<const Value> items, Scope& scope);
  void execute_set(const SetStmt& stmt, Scope& scope);
  void execute_set_block(const SetBlockStmt& stmt, Scope& scope);
  void execute_call_block(const CallBlockStmt& stmt, Scope& scope);
  void execute_filter_block(const FilterBlockStmt& stmt, Scope& scope);
  Flow execute_with(const WithStmt& stmt, Scope& scope);
  void assign(const Target& target, const Value& value, Scope& scope);
  void assign_name(std::string_view name, const Value& value, Scope& scope);
  void assign_attribute(const Target& target, const Value& value, Scope& scope);
  Value assigned(const Target& target, Scope& scope);
  Scope* new_scope(Scope& parent);
  Value capture(const Body& body, Scope& scope);
  void write(std::string_view text);
  // The output from `start` on, as a value; taken off again.
  Value take_output(std::size_t start);

  Runtime& rt_;
  std::string output_;  // captured texts (macros, set blocks) grow at its end and are taken off again
  std::vector<TextRange> generated_;  // of output_
  int call_depth_ = 0;
};

}  // namespace minnow::jinja
