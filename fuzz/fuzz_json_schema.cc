// Any text as a JSON schema: refused, or its random texts are whole JSON.
#include <cstdlib>

#include "base/json.h"
#include "text/grammar/test_match.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  try {
    const auto automaton = minnow::grammar::test::compile(minnow::ConstraintSpec::Kind::kSchema, text);
    minnow::Random random(size);
    const std::string made = minnow::grammar::test::random_text(automaton, random, 40);
    if (minnow::Json::parse(made, nullptr, false).is_discarded()) std::abort();
  } catch (const minnow::Error& e) {
    if (e.code() == minnow::ErrorCode::kInternal) std::abort();
  }
  return 0;
}
