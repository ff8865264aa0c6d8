// The parse tree of a template: built once, never changed, read by any number of renderings at a time.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/jinja/builtin.h"
#include "text/jinja/operations.h"
#include "text/jinja/value.h"

namespace minnow::jinja {

// ---- Expressions ----

enum class ExprKind : uint8_t {
  kConstant,
  kName,
  kList,
  kDict,
  kUnary,
  kChain,
  kCompare,
  kLogic,
  kChoice,
  kPostfix
};

struct Expr {
  Expr(ExprKind k, int l) : kind(k), line(l) {}
  virtual ~Expr() = default;
  Expr(const Expr&) = delete;
  Expr& operator=(const Expr&) = delete;
  const ExprKind kind;
  const int line;
};
using ExprPtr = std::unique_ptr<Expr>;

struct ConstantExpr : Expr {
  ConstantExpr(int l, Value v) : Expr(ExprKind::kConstant, l), value(v) {}
  ConstantExpr(int l, std::string t)
      : Expr(ExprKind::kConstant, l), text(std::move(t)), value(Value::string(text)) {}
  const std::string text;  // what a string value views
  const Value value;
};

struct NameExpr : Expr {
  NameExpr(int l, std::string_view n) : Expr(ExprKind::kName, l), name(n) {}
  const std::string_view name;
};

struct ListExpr : Expr {
  ListExpr(int l, ListKind k) : Expr(ExprKind::kList, l), list_kind(k) {}
  const ListKind list_kind;  // kList or kTuple
  std::vector<ExprPtr> items;
};

struct DictExpr : Expr {
  explicit DictExpr(int l) : Expr(ExprKind::kDict, l) {}
  std::vector<std::pair<ExprPtr, ExprPtr>> entries;
};

enum class UnaryOp : uint8_t { kNot, kNegate, kPlus };

struct UnaryExpr : Expr {
  UnaryExpr(int l, UnaryOp o, ExprPtr e) : Expr(ExprKind::kUnary, l), op(o), operand(std::move(e)) {}
  const UnaryOp op;
  const ExprPtr operand;
};

// first op operand op operand …, one level of precedence, from the left. Held flat, so that a long sum is not
// a deep tree. kChain holds arithmetic, kCompare comparisons that must all hold.
struct ChainExpr : Expr {
  ChainExpr(ExprKind k, int l, ExprPtr e) : Expr(k, l), first(std::move(e)) {}
  const ExprPtr first;
  std::vector<std::pair<Op, ExprPtr>> rest;
};

struct LogicExpr : Expr {
  LogicExpr(int l, bool a) : Expr(ExprKind::kLogic, l), is_and(a) {}
  const bool is_and;  // or `or`
  std::vector<ExprPtr> operands;
};

// value if condition else otherwise
struct ChoiceExpr : Expr {
  explicit ChoiceExpr(int l) : Expr(ExprKind::kChoice, l) {}
  ExprPtr condition, value, otherwise;  // otherwise may be null
};

struct CallArguments {
  std::vector<ExprPtr> positional;
  std::vector<std::pair<std::string_view, ExprPtr>> named;
  ExprPtr star, double_star;  // *list and **dict; may be null
  bool empty() const { return positional.empty() && named.empty() && !star && !double_star; }
};

// What may follow a value.
struct Suffix {
  enum class Kind : uint8_t { kAttribute, kItem, kSlice, kCall, kFilter, kTest };
  Kind kind;
  int line;
  std::string_view name;             // of the attribute, filter or test
  const Builtin* builtin = nullptr;  // of the filter or test; null when there is none of that name
  bool negated = false;              // is not
  ExprPtr start, stop, step;         // of the slice, each may be null; start alone is the item
  std::unique_ptr<CallArguments> arguments;  // null without any; apart, so that long chains stay small
};

struct PostfixExpr : Expr {
  PostfixExpr(int l, ExprPtr b) : Expr(ExprKind::kPostfix, l), base(std::move(b)) {}
  const ExprPtr base;
  std::vector<Suffix> suffixes;
};

// ---- Statements ----

enum class StmtKind : uint8_t {
  kText,
  kOutput,
  kIf,
  kFor,
  kSet,
  kSetBlock,
  kMacro,
  kCallBlock,
  kFilterBlock,
  kWith,
  kBreak,
  kContinue,
};

struct Stmt {
  Stmt(StmtKind k, int l) : kind(k), line(l) {}
  virtual ~Stmt() = default;
  Stmt(const Stmt&) = delete;
  Stmt& operator=(const Stmt&) = delete;
  const StmtKind kind;
  const int line;
};
using Body = std::vector<std::unique_ptr<Stmt>>;

// Where an assignment goes: a name, an attribute of a namespace, or a tuple of targets.
struct Target {
  std::string_view name;
  std::string_view attribute;  // of the namespace `name`; empty for a plain name
  std::vector<Target> parts;   // a tuple when not empty
};

struct TextStmt : Stmt {
  TextStmt(int l, std::string_view t) : Stmt(StmtKind::kText, l), text(t) {}
  const std::string_view text;
};

struct OutputStmt : Stmt {
  OutputStmt(int l, ExprPtr e) : Stmt(StmtKind::kOutput, l), value(std::move(e)) {}
  const ExprPtr value;
};

struct IfStmt : Stmt {
  explicit IfStmt(int l) : Stmt(StmtKind::kIf, l) {}
  std::vector<std::pair<ExprPtr, Body>> branches;
  Body otherwise;
};

struct ForStmt : Stmt {
  explicit ForStmt(int l) : Stmt(StmtKind::kFor, l) {}
  Target target;
  ExprPtr items, condition;  // condition may be null
  bool recursive = false;
  Body body, otherwise;
};

struct SetStmt : Stmt {
  explicit SetStmt(int l) : Stmt(StmtKind::kSet, l) {}
  Target target;
  ExprPtr value;
};

struct SetBlockStmt : Stmt {
  explicit SetBlockStmt(int l) : Stmt(StmtKind::kSetBlock, l) {}
  Target target;
  std::vector<Suffix> filters;
  Body body;
};

struct Parameter {
  std::string_view name;
  ExprPtr otherwise;  // null without default
};

// A macro; also the body of a call block, whose name is "caller".
struct MacroStmt : Stmt {
  explicit MacroStmt(int l) : Stmt(StmtKind::kMacro, l) {}
  std::string_view name;
  std::vector<Parameter> parameters;
  bool uses_varargs = false,
       uses_kwargs = false;  // the body names `varargs`, `kwargs`: more arguments are welcome
  Body body;
};

struct CallBlockStmt : Stmt {
  explicit CallBlockStmt(int l) : Stmt(StmtKind::kCallBlock, l), caller(l) {}
  ExprPtr call;
  MacroStmt caller;
};

struct FilterBlockStmt : Stmt {
  explicit FilterBlockStmt(int l) : Stmt(StmtKind::kFilterBlock, l) {}
  std::vector<Suffix> filters;
  Body body;
};

// with a = 1, b = 2; also generation blocks, which bind nothing.
struct WithStmt : Stmt {
  explicit WithStmt(int l, bool g = false) : Stmt(StmtKind::kWith, l), is_generation(g) {}
  const bool is_generation;  // what it writes is what the model is to say
  std::vector<std::pair<Target, ExprPtr>> bindings;
  Body body;
};

struct JumpStmt : Stmt {
  JumpStmt(StmtKind k, int l) : Stmt(k, l) {}
};

}  // namespace minnow::jinja
