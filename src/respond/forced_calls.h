// What calls of tools that a request demands are held to, and how such answers are read. They are JSON, whatever the model's family
// writes otherwise, as vLLM does it.
#pragma once

#include <memory>
#include <string>

#include "base/json.h"
#include "respond/answer_reader.h"
#include "text/grammar/token_constraint.h"

namespace minnow {

// `tools` as in the OpenAI API. One that names no parameters has no arguments. All throw kInvalidInput for
// tools without a name that can be called, and what ConstraintCompiler::compile throws, naming the tool.

// The arguments of the tool of that name; throws kInvalidInput when there is none.
std::shared_ptr<const TokenConstraint> hold_to_call(ConstraintCompiler& compiler, const OrderedJson& tools, const std::string& name);
// [{"name":"f","arguments":{…}},…] without white space; one such object unless `several`. Throws kInvalidInput without tools.
std::shared_ptr<const TokenConstraint> hold_to_calls(ConstraintCompiler& compiler, const OrderedJson& tools, bool several);

// Readers of such answers. Where the answer is cut off, its last call has no end: it has the arguments so far, a part of JSON. What is no
// beginning of a call says nothing, since nobody asked for it.
std::unique_ptr<AnswerReader> call_reader(const std::string& name);
std::unique_ptr<AnswerReader> calls_reader(const OrderedJson& tools);

}  // namespace minnow
