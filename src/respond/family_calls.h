// Calls that a model decides on, in the words of its family: what is said from where one begins on is held to the schemas of the tools.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "engine/engine.h"
#include "text/chat_output/output_format.h"
#include "text/grammar/token_constraint.h"

namespace minnow {

class Tokenizer;

struct FamilyCalls {
  const OutputFormat& format;  // can_hold_calls()
  const Tokenizer& tokenizer;  // of the compiler
  const OrderedJson& tools;    // as in the OpenAI API, not empty
  // Of these, those that are called with arguments that their schemas allow; others with any object.
  const std::vector<std::string>& strict;
  std::string_view prompt = {};  // or its end: where the answer begins
  bool several = true;         // false: one call at each place where calls begin
};

// Both throw kInvalidInput for tools without a name that can be called, and what ConstraintCompiler::compile throws, naming the tool;
// kUnsupported, too, for what the family's way of writing arguments cannot be held to.

// For answers that are free but for their calls.
HeldCalls held_calls(ConstraintCompiler& compiler, const FamilyCalls& what);
// Calls and the words around them, nothing else. Wants a format of which can_tell_calls_from_json().
std::shared_ptr<const TokenConstraint> hold_to_family_calls(ConstraintCompiler& compiler, const FamilyCalls& what);
// What such a text may begin with.
std::vector<std::string> beginnings_of_calls(const OutputFormat& format);

}  // namespace minnow
