#include "text/grammar/constraint_spec.h"

#include "base/error.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "text/grammar/automaton.h"
#include "text/grammar/gbnf.h"
#include "text/grammar/json_schema.h"
#include "text/grammar/json_text.h"
#include "text/grammar/regex.h"
#include "text/grammar/shape_grammar.h"

namespace minnow::grammar {
namespace {

Grammar with_root(Grammar g, ExprId body, const char* name) {
  g.set_root(g.add_rule(name, body));
  return g;
}

Grammar choices_grammar(const std::vector<std::string>& choices, Budget& budget) {
  if (choices.empty()) fail(ErrorCode::kInvalidInput, "choice: there is nothing to choose from");
  std::size_t bytes = 0;
  for (const std::string& text : choices) {
    if (text.empty()) fail(ErrorCode::kInvalidInput, "choice: an empty text cannot be chosen");
    if (!is_valid_utf8(text)) fail(ErrorCode::kInvalidInput, "choice: a text is not valid UTF-8");
    bytes += text.size();
  }
  if (bytes > limits::kMaxGrammarBytes) fail(ErrorCode::kLimit, "choice: {} bytes, more than {}", bytes, limits::kMaxGrammarBytes);
  Grammar g;
  const ExprId body = g.graph(std::make_shared<const ByteGraph>(graph_of_texts(choices, budget)));
  return with_root(std::move(g), body, "choice");
}

Grammar make_grammar(const ConstraintSpec& spec, const TokenVocabulary* vocabulary, Budget& budget) {
  using Kind = ConstraintSpec::Kind;
  if (spec.text.size() > limits::kMaxGrammarBytes) {
    fail(ErrorCode::kLimit, "the grammar or schema has {} bytes, more than {}", spec.text.size(), limits::kMaxGrammarBytes);
  }
  Grammar g;
  switch (spec.kind) {
    case Kind::kNone: break;
    case Kind::kJson:
    case Kind::kObject: {
      JsonText json(g, spec.compact);
      const ExprId body = spec.kind == Kind::kJson ? json.value() : json.object();
      return with_root(std::move(g), body, "JSON");
    }
    case Kind::kSchema: return schema_grammar(parse_ordered_json(spec.text, "schema"), {.compact = spec.compact, .copies = spec.copies}, budget);
    case Kind::kRegex: {
      const ExprId body = g.graph(std::make_shared<const ByteGraph>(regex_graph(spec.text, {}, budget)));
      return with_root(std::move(g), body, "regular expression");
    }
    case Kind::kChoice: return choices_grammar(spec.choices, budget);
    case Kind::kGrammar: return parse_gbnf(spec.text);
    case Kind::kShape: return shape_grammar(spec, vocabulary, budget);
  }
  fail(ErrorCode::kInternal, "a constraint of no kind cannot be compiled");
}

}  // namespace

std::shared_ptr<const Automaton> compile_automaton(const ConstraintSpec& spec, const TokenVocabulary* vocabulary) {
  Budget budget;
  return std::make_shared<const Automaton>(make_grammar(spec, vocabulary, budget), budget);
}

}  // namespace minnow::grammar
