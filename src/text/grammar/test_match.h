// For tests: whole texts against a grammar.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "base/random.h"
#include "text/grammar/automaton.h"
#include "text/grammar/constraint_spec.h"
#include "text/grammar/matcher.h"

namespace minnow::grammar::test {

using Kind = ConstraintSpec::Kind;

inline std::shared_ptr<const Automaton> compile(Kind kind, std::string text, bool compact = false) {
  return compile_automaton({.kind = kind, .text = std::move(text), .compact = compact});
}

inline bool matches(const std::shared_ptr<const Automaton>& automaton, std::string_view text) {
  Matcher matcher(automaton);
  return matcher.advance(text) && matcher.may_end();
}

// The error's text; empty when it compiles.
inline std::string refusal(Kind kind, std::string text) {
  try {
    compile(kind, std::move(text));
    return {};
  } catch (const Error& e) {
    return e.what();
  }
}

// A text of the grammar: random bytes of those that may come, with a growing wish to end. Past `enough` bytes it takes
// what closes, if that may come. Throws when that leads nowhere: an end may hang on one rare byte.
inline std::string random_text(const std::shared_ptr<const Automaton>& automaton, Random& random, std::size_t enough) {
  Matcher m(automaton);
  std::string out;
  while (true) {
    const bool hurry = out.size() > enough;
    if (m.may_end() && (hurry || random.below(6) == 0)) return out;
    const std::bitset<256> possible = m.next_bytes();
    std::string choices;
    for (int byte = 0; byte < 256; ++byte) {
      if (possible[static_cast<std::size_t>(byte)]) choices += static_cast<char>(byte);
    }
    if (choices.empty()) return out;
    std::size_t pick = random.below(choices.size());
    if (hurry) {
      const std::size_t closing = choices.find_first_of("\"]}");
      if (closing != std::string::npos && random.below(8) != 0) pick = closing;
    } else if (random.below(2) == 0) {
      for (int tries = 0; tries < 4 && static_cast<uint8_t>(choices[pick]) >= 0x80; ++tries) pick = random.below(choices.size());
    }
    m.advance(static_cast<uint8_t>(choices[pick]));
    out += choices[pick];
    if (out.size() > 100 * enough) fail(ErrorCode::kInternal, "a random text finds no end");
  }
}

}  // namespace minnow::grammar::test
