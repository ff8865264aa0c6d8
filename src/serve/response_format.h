// The form that an answer is to have, in the words of the OpenAI API, of vLLM and of llama-server.
#pragma once

#include "serve/fields.h"
#include "text/grammar/constraint_spec.h"

namespace minnow {

// One of: response_format (text, json_object, json_schema), structured_outputs and guided_json, guided_regex, guided_choice,
// guided_grammar (vLLM), grammar and json_schema (llama-server); an empty grammar is none. Throws RequestError when two are given, or one of another kind.
ConstraintSpec read_response_format(const RequestFields& body);

// {"type": "text" | "json_object" | "json_schema", ...}; the schema of the last kind stands within "json_schema", or beside the type as
// /v1/responses has it in text.format.
ConstraintSpec read_format_object(const RequestFields& format);

// A JSON schema: an object, true or false; or its text. Throws RequestError naming the field.
ConstraintSpec schema_constraint(const RequestFields& fields, std::string_view name);

}  // namespace minnow
