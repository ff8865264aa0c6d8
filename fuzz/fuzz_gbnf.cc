// Any text as a grammar: refused, or a grammar whose random texts are never stuck. The first byte seeds the texts.
#include <cstdlib>

#include "text/grammar/test_match.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  try {
    const auto automaton = minnow::grammar::test::compile(minnow::ConstraintSpec::Kind::kGrammar, text);
    minnow::Random random(data[0]);
    minnow::grammar::Matcher matcher(automaton);
    for (int i = 0; i < 32 && !matcher.is_complete(); ++i) {
      const auto first = static_cast<uint8_t>(random.next());
      bool found = false;
      for (unsigned k = 0; k < 256 && !found; ++k) found = matcher.advance(static_cast<uint8_t>(first + k));
      if (!found) std::abort();  // stuck in the middle of a text
    }
  } catch (const minnow::Error& e) {
    if (e.code() == minnow::ErrorCode::kInternal) std::abort();
  }
  return 0;
}
