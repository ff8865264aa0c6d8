// What a JSON schema allows, worked out: its alternatives, and of each the types, numbers, strings and values.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "text/grammar/byte_graph.h"
#include "text/grammar/number_range.h"
#include "text/grammar/schema_reader.h"

namespace minnow::grammar {

// Bits of a set of types. A number is an integer or a fraction.
enum TypeBit : unsigned {
  kNullType = 1,
  kBooleanType = 2,
  kObjectType = 4,
  kArrayType = 8,
  kIntegerType = 16,
  kFractionType = 32,
  kStringType = 64,
  kAllTypes = 127
};

struct CountRange {
  uint32_t min = 0, max = UINT32_MAX;
};

enum class StringForm : uint8_t {
  kJson,   // the inside of the quotes; characters escaped only where they must be
  kPlain,  // the text itself
};

class SchemaLogic {
 public:
  SchemaLogic(SchemaReader& reader, Budget& budget) : reader_(reader), budget_(budget) {}

  // The alternatives of a conjunction, each flat: nothing in its schemas applies in place any more. None when no value is
  // allowed. Throws for oneOf whose alternatives may overlap, for references in circles, and past
  // limits::kMaxSchemaBranches.
  std::vector<Conjunction> branches(const Conjunction& all);

  // The rest is of flat conjunctions.
  unsigned types(const Conjunction& flat) const;
  NumberRange numbers(const Conjunction& flat) const;
  CountRange counts(const Conjunction& flat, const char* min_key, const char* max_key) const;
  bool limits_strings(const Conjunction& flat) const;  // by more than their length
  ByteGraph strings(const Conjunction& flat, StringForm form = StringForm::kJson);
  std::vector<std::string> required(const Conjunction& flat) const;
  Conjunction property(const Conjunction& flat, const std::string& name);
  bool key_is_allowed(const Conjunction& flat, const std::string& name);
  // The values of enum and const that everything else allows; nullopt when there is neither.
  std::optional<std::vector<const OrderedJson*>> values(const Conjunction& flat);

  bool fits(const OrderedJson& value, const Conjunction& all, int depth = 0);
  // Whether it is certain that no value fulfils both.
  bool disjoint(const Conjunction& a, const Conjunction& b, int depth = 0);

  const ByteGraph& pattern(const OrderedJson& schema, const std::string& expression, StringForm form = StringForm::kJson);
  SchemaReader& reader() { return reader_; }

 private:
  struct Open;
  void open_up(Open state, std::vector<Conjunction>& out, int depth);
  void prove_one(const OrderedJson& schema, const Conjunction& context);
  // listed: which schema's enum or const the value is of.
  bool fits_flat(const OrderedJson& value, const Conjunction& flat, int depth, const OrderedJson* listed = nullptr);
  static bool same(const OrderedJson& a, const OrderedJson& b);
  bool repeats(const OrderedJson& array);
  std::vector<const ByteGraph*> patterns(const Conjunction& flat, StringForm form);  // of format, too
  bool fits_object(const OrderedJson& value, const Conjunction& flat, int depth);
  bool disjoint_flat(const Conjunction& a, const Conjunction& b, int depth);
  bool disjoint_objects(const Conjunction& a, const Conjunction& b, int depth);

  SchemaReader& reader_;
  Budget& budget_;
  std::map<std::pair<std::string, StringForm>, ByteGraph> patterns_;
  bool proving_ = false;
};

}  // namespace minnow::grammar
