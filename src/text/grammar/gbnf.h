// GBNF, the grammar language of llama.cpp.
#pragma once

#include <string_view>

#include "text/grammar/grammar.h"

namespace minnow::grammar {

// Rules `name ::= alternatives` with "literals", [classes], names, ( ), |, ., *, +, ?, {m,n} and # comments; the whole text
// is what `root` stands for. Throws kInvalidInput and kUnsupported (tokens as symbols), with line and column.
Grammar parse_gbnf(std::string_view text);

}  // namespace minnow::grammar
