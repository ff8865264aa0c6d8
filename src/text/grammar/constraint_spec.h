// What an answer is to be held to, as a request says it.
#pragma once

#include <memory>
#include <string>
#include <vector>

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

  bool operator==(const ConstraintSpec&) const = default;
};

namespace grammar {

class Automaton;

// Throws as ConstraintCompiler::compile does.
std::shared_ptr<const Automaton> compile_automaton(const ConstraintSpec& spec);

}  // namespace grammar
}  // namespace minnow
