// What an answer is to be held to, as a request says it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "text/grammar/text_shape.h"

namespace minnow {

struct ConstraintSpec {
  enum class Kind : uint8_t {
    kNone,
    kJson,     // any JSON value
    kObject,   // any JSON object
    kSchema,   // text: a JSON schema (docs/structured-output.md says which)
    kRegex,    // text: a regular expression, for the whole answer
    kChoice,   // choices: one of them, as it is
    kGrammar,  // text: GBNF, as llama.cpp has it
    kShape,    // shape: other text with JSON in it; text: a document that has the schemas of the JSON
  };
  Kind kind = Kind::kNone;
  std::string text;
  std::vector<std::string> choices;
  // JSON without white space. Otherwise there may be a space, or a line end and up to kMaxIndent spaces, after { [ , : and
  // before ] }.
  bool compact = false;
  static constexpr int kMaxIndent = 16;
  // Of a schema: texts that it marks {"type": "string", "x-copied": true}, or "in order" instead of true, are to be words of a message.
  // Which message, is said for each answer: TokenConstraint::copying_from. Otherwise the mark is a note.
  bool copies = false;
  TextShape shape = {};
  // Of a shape: a character of ASCII that no string of the JSON in it has as it is; 0: none. Where JSON ends at a mark, that mark's first.
  char json_without = 0;

  bool operator==(const ConstraintSpec&) const = default;
};

namespace grammar {

class Automaton;
class TokenVocabulary;

// Throws as ConstraintCompiler::compile does. The vocabulary says which marks of a shape are tokens; null: none is.
std::shared_ptr<const Automaton> compile_automaton(const ConstraintSpec& spec, const TokenVocabulary* vocabulary = nullptr);

}  // namespace grammar
}  // namespace minnow
