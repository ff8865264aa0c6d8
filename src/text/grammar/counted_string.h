// JSON strings of so many characters.
#pragma once

#include "text/grammar/byte_graph.h"

namespace minnow::grammar {

inline constexpr std::string_view kEscapeLetters = "\"/\\bfnrt";  // after a backslash; by their bytes

struct CountedString {
  uint32_t min = 0, max = kUnbounded;
  RuleId wide = 0;  // a rule of one character past ASCII, in UTF-8
  RuleId unit = 0;  // a rule of what may follow a backslash beside one letter: u and hexadecimal digits
};

// Quotes included, with two states for each character: what is longer than a byte or an escape of one letter is a call. States that
// differ only in how far the bounds are say so (ByteGraph::State::alike), so that they can share a mask. min is at most max.
ByteGraph counted_string(const CountedString& string, Budget& budget);

}  // namespace minnow::grammar
