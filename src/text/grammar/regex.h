// Regular expressions as automata: the part of JavaScript's and PCRE's syntax that describes regular languages. What does
// not (back references), looks around or changes modes is refused by name.
#pragma once

#include <string_view>

#include "text/grammar/byte_graph.h"

namespace minnow::grammar {

struct RegexOptions {
  // JSON schema's "pattern": the match may lie anywhere in the text, the text is the inside of a JSON string, and where
  // the dialects differ JavaScript's counts. Else the whole text must match, and PCRE's counts.
  bool schema = false;
  bool plain = false;  // with `schema`: the text itself, not the inside of a JSON string
};

// Throws kInvalidInput (syntax), kUnsupported, kLimit; with the byte of the expression where it is.
ByteGraph regex_graph(std::string_view pattern, RegexOptions options, Budget& budget);

}  // namespace minnow::grammar
