// A JSON schema read strictly: every keyword is known or refused, references lead to places, and what applies in one place
// (allOf, $ref, anyOf, oneOf) is taken apart into alternatives.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/json.h"

namespace minnow::grammar {

// Schemas that all apply to one value.
using Conjunction = std::vector<const OrderedJson*>;

enum class KeywordUse : uint8_t { kAssertion, kAnnotation };
struct Keyword {
  std::string_view name;
  KeywordUse use;
};
// All that are accepted; the first are those that limit values.
std::vector<Keyword> schema_keywords();

class SchemaReader {
 public:
  // The schema has to outlive it. Throws kUnsupported for dialects that are not known.
  explicit SchemaReader(const OrderedJson& root);

  // "#/properties/a": for errors.
  std::string pointer(const OrderedJson& place) const;
  [[noreturn]] void unsupported(const OrderedJson& schema, std::string_view keyword, std::string_view why) const;
  [[noreturn]] void invalid(const OrderedJson& schema, std::string_view keyword, std::string_view must) const;

  // Throws unless each keyword is known and its value of the right kind.
  void check(const OrderedJson& schema);
  // The same conjunction in the schemas that stand for all equal ones; what only refers to another schema is that one.
  Conjunction canonical(const Conjunction& all);
  // The schema that a $ref names.
  const OrderedJson& resolve(const OrderedJson& schema) const;

  using Matches = std::function<bool(const OrderedJson& schema, const std::string& pattern)>;
  // What the value of a property has to fulfil, or an item; matches: whether its name matches a pattern of
  // patternProperties. A schema that is `false` among it means that none is allowed.
  Conjunction property(const Conjunction& flat, const std::string& name, const Matches& matches) const;
  // The same for a name that no schema has among its properties.
  Conjunction other_property(const Conjunction& flat, const Matches& matches) const;
  Conjunction item(const Conjunction& flat, std::size_t index) const;

 private:
  Conjunction property(const Conjunction& flat, const std::string* name, const Matches& matches) const;
  struct Origin {
    const OrderedJson* parent;
    std::string step;
  };
  void refuse_inexact(const OrderedJson& schema, const std::string& keyword, const OrderedJson& value) const;
  uint64_t index(const OrderedJson& value);
  bool only_refers(const OrderedJson& schema) const;
  const OrderedJson* canonical(const OrderedJson* schema);

  const OrderedJson& root_;
  bool ref_stands_alone_ = false;  // drafts before 2019-09 ignore what stands beside $ref
  std::unordered_map<const OrderedJson*, Origin> origins_;
  std::unordered_map<const OrderedJson*, uint64_t> hashes_;  // of what they hold
  std::unordered_map<uint64_t, const OrderedJson*> canonical_;
  std::unordered_set<const OrderedJson*> checked_;
};

}  // namespace minnow::grammar
