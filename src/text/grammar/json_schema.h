// JSON schemas (2020-12) as grammars. docs/structured-output.md says what is supported.
#pragma once

#include <memory>
#include <optional>

#include "base/json.h"
#include "text/grammar/byte_graph.h"

namespace minnow::grammar {

struct SchemaForm {
  bool compact = false;  // see ConstraintSpec
  bool copies = false;
  std::optional<uint8_t> without = {};  // a byte of ASCII that stands nowhere: strings may have it escaped
};

// The values that the schema allows, written with properties in the order in which the schema names them, others after
// them. Throws kUnsupported for keywords that cannot be held to exactly, naming keyword and JSON pointer; kInvalidInput
// for what is not a schema; kLimit.
Grammar schema_grammar(const OrderedJson& schema, SchemaForm form, Budget& budget);

class SchemaCompiler;

// Values of the schemas within one document, as expressions of a grammar that has more than them. All three have to outlive it; its
// functions throw as schema_grammar.
class SchemaValues {
 public:
  SchemaValues(const OrderedJson& document, SchemaForm form, Grammar& grammar, Budget& budget);
  ~SchemaValues();

  enum class Types : uint8_t { kAll, kAllButStrings };
  ExprId value(const OrderedJson& schema, Types types = Types::kAll);
  // The strings that the schema allows, without quotes and escapes.
  ByteGraph plain_strings(const OrderedJson& schema);
  // Adds the rules that these expressions call. Once, at the end.
  void finish();

 private:
  std::unique_ptr<SchemaCompiler> compiler_;
};

}  // namespace minnow::grammar
