// JSON schemas (2020-12) as grammars. docs/structured-output.md says what is supported.
#pragma once

#include "base/json.h"
#include "text/grammar/byte_graph.h"

namespace minnow::grammar {

struct SchemaForm {
  bool compact = false;  // see ConstraintSpec
  bool copies = false;
};

// The values that the schema allows, written with properties in the order in which the schema names them, others after
// them. Throws kUnsupported for keywords that cannot be held to exactly, naming keyword and JSON pointer; kInvalidInput
// for what is not a schema; kLimit.
Grammar schema_grammar(const OrderedJson& schema, SchemaForm form, Budget& budget);

}  // namespace minnow::grammar
