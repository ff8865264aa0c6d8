// Texts that are made of parts (text_shape.h) as grammars.
#pragma once

#include "text/grammar/byte_graph.h"
#include "text/grammar/constraint_spec.h"

namespace minnow::grammar {

// Of a spec of kind kShape. Throws as schema_grammar and regex_graph.
Grammar shape_grammar(const ConstraintSpec& spec, const TokenVocabulary* vocabulary, Budget& budget);

}  // namespace minnow::grammar
