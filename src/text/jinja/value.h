// The values of a template: what Python has, as far as chat templates use it.
#pragma once

#include <cstdint>
#include <string_view>

#include "text/jinja/arena.h"

namespace minnow::jinja {

struct Builtin;
struct MacroStmt;
struct List;
struct Dict;
struct Namespace;
struct Callable;
struct Loop;
struct Scope;

enum class Kind : uint8_t {
  kUndefined,
  kNone,
  kBool,
  kInt,
  kFloat,
  kString,
  kList,  // list, tuple and everything else that is iterated; see ListKind
  kDict,
  kNamespace,
  kCallable,
  kLoop,
};

// Why an undefined value is undefined; decides the message of the error that using it gives.
enum class Missing : uint8_t { kVariable, kAttribute, kForbidden, kNeighbour };

// 16 bytes, trivially copyable. Strings are UTF-8 views of the template, of the caller's JSON or of the
// arena, so copies, slices and trims are free; lists and dicts are references, as in Python.
class Value {
 public:
  Value() = default;
  static Value none() { return Value(Kind::kNone); }
  static Value boolean(bool b);
  static Value integer(int64_t i);
  static Value real(double f);
  // At most 4 GiB, which the arena and the checks on inputs make sure of.
  static Value string(std::string_view text, bool safe = false);
  static Value list(List* list);
  static Value dict(Dict* dict);
  static Value space(Namespace* ns);
  static Value callable(Callable* callable);
  static Value loop(Loop* loop);
  // `name` as the template wrote it; `owner` is the kind that lacks the attribute.
  static Value undefined(std::string_view name, Missing why = Missing::kVariable,
                         Kind owner = Kind::kUndefined);

  Kind kind() const { return kind_; }
  bool is(Kind kind) const { return kind_ == kind; }
  bool is_undefined() const { return kind_ == Kind::kUndefined; }
  bool is_none() const { return kind_ == Kind::kNone; }
  bool is_string() const { return kind_ == Kind::kString; }
  bool is_integral() const { return kind_ == Kind::kInt || kind_ == Kind::kBool; }
  bool is_number() const { return is_integral() || kind_ == Kind::kFloat; }

  // Each is meaningful for its kind only.
  bool as_bool() const { return i_ != 0; }
  int64_t as_int() const { return i_; }  // also of a bool: 0 or 1
  double as_real() const { return f_; }
  double as_number() const { return kind_ == Kind::kFloat ? f_ : static_cast<double>(i_); }
  std::string_view as_text() const { return {text_, size_}; }
  bool is_safe() const { return is_string() && detail_ != 0; }  // |safe or |escape made it: Python's Markup
  List& as_list() const { return *list_; }
  Dict& as_dict() const { return *dict_; }
  Namespace& as_namespace() const { return *namespace_; }
  Callable& as_callable() const { return *callable_; }
  Loop& as_loop() const { return *loop_; }
  std::string_view missing_name() const { return {text_, size_}; }
  Missing missing_why() const { return static_cast<Missing>(detail_); }
  Kind missing_owner() const { return owner_; }

  // Python's `is`, for kinds where identity can be seen.
  bool same_as(const Value& other) const;

 private:
  explicit Value(Kind kind) : kind_(kind), i_(0) {}

  Kind kind_ = Kind::kUndefined;
  uint8_t detail_ = 0;
  Kind owner_ = Kind::kUndefined;
  uint32_t size_ = 0;
  union {
    int64_t i_;
    double f_;
    const char* text_ = "";
    List* list_;
    Dict* dict_;
    Namespace* namespace_;
    Callable* callable_;
    Loop* loop_;
  };
};
static_assert(sizeof(Value) == 16);

enum class ListKind : uint8_t {
  kList,
  kTuple,
  kGroup,  // a tuple of |groupby: its two items are also called grouper and list
  kRange,
  kGenerator,  // what lazy filters give in Python: no length, no index, true even when empty, read once
  kDictKeys,
  kDictValues,
  kDictItems,
};

struct List {
  ListKind kind = ListKind::kList;
  bool consumed = false;  // kGenerator: already read
  ArenaVector<Value> items;
};

struct DictEntry {
  Value key, value;
};

// In order of insertion. Lookup is linear and charged to the steps: chats have small objects.
struct Dict {
  ArenaVector<DictEntry> entries;
};

struct Binding {
  std::string_view name;
  Value value;
};

struct Namespace {
  ArenaVector<Binding> attributes;
};

struct Callable {
  const Builtin* builtin = nullptr;  // a global function or a method
  Value self;                        // the object of the method
  const MacroStmt* macro = nullptr;  // or a macro, or the body of a call block
  Scope* closure = nullptr;          // where the macro was defined
};

}  // namespace minnow::jinja
