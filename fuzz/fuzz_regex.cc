// Any text as a regular expression: refused, or what its automaton lets through is what its graph accepts, and never stuck.
// As the "pattern" of a schema (an odd first byte): whatever may end is a JSON string. The first byte seeds the texts as well.
#include <cstdlib>

#include "base/json.h"
#include "base/utf8.h"
#include "text/grammar/regex.h"
#include "text/grammar/test_match.h"

namespace {

using namespace minnow::grammar;

std::shared_ptr<const Automaton> automaton_of(const ByteGraph& graph, Budget& budget) {
  Grammar grammar;
  const ExprId body = grammar.graph(std::make_shared<const ByteGraph>(graph));
  grammar.set_root(grammar.add_rule("regular expression", body));
  return std::make_shared<const Automaton>(std::move(grammar), budget);
}

// Goes on by bytes that may come, and gives the text to `check` after each.
template <typename F>
void walk(const std::shared_ptr<const Automaton>& automaton, uint8_t seed, F&& check) {
  minnow::Random random(seed);
  Matcher matcher(automaton);
  std::string text;
  check(matcher, text);
  for (int i = 0; i < 32 && !matcher.is_complete(); ++i) {
    const auto first = static_cast<uint8_t>(random.next());
    bool found = false;
    for (unsigned k = 0; k < 256 && !found; ++k) {
      const auto byte = static_cast<uint8_t>(first + k);
      found = matcher.advance(byte);
      if (found) text += static_cast<char>(byte);
    }
    if (!found) std::abort();  // stuck in the middle of a text
    check(matcher, text);
  }
}

void as_whole_text(const std::string& expression, uint8_t seed) {
  Budget budget;
  const ByteGraph graph = regex_graph(expression, {}, budget);
  walk(automaton_of(graph, budget), seed, [&](Matcher& matcher, const std::string& text) {
    if (matcher.may_end() != accepts(graph, text)) std::abort();
  });
}

void as_pattern(const std::string& expression, uint8_t seed) {
  if (!minnow::is_valid_utf8(expression)) return;  // no JSON has it
  const std::string schema = minnow::Json{{"type", "string"}, {"pattern", expression}}.dump();
  walk(test::compile(test::Kind::kSchema, schema), seed, [](Matcher& matcher, const std::string& text) {
    if (matcher.may_end() && !minnow::Json::parse(text, nullptr, false).is_string()) std::abort();
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string expression(reinterpret_cast<const char*>(data) + 1, size - 1);
  try {
    if ((data[0] & 1) != 0) {
      as_pattern(expression, data[0]);
    } else {
      as_whole_text(expression, data[0]);
    }
  } catch (const minnow::Error& e) {
    if (e.code() == minnow::ErrorCode::kInternal) std::abort();
  }
  return 0;
}
