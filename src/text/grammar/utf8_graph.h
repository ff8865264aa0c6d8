// The characters of a class as an automaton over the bytes of UTF-8.
#pragma once

#include "text/grammar/byte_graph.h"
#include "text/grammar/char_class.h"

namespace minnow::grammar {

// One character of the class, which is normalized and not empty. As small as it can be: what many repetitions of a class have to copy.
ByteGraph utf8_graph(const CharClass& characters);

}  // namespace minnow::grammar
