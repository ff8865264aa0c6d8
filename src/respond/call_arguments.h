// Shapes of arguments that a family writes one by one, each behind its name.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "text/chat_output/output_format.h"
#include "text/chat_output/tool_schemas.h"
#include "text/grammar/text_shape.h"

namespace minnow {

// Shapes in short.
TextShape text_shape(std::string text);
TextShape mark_shape(std::string_view text);
TextShape regex_shape(std::string_view expression);
TextShape sequence_of(std::vector<TextShape> parts);
TextShape choice_of(std::vector<TextShape> parts);
TextShape optional_shape(TextShape part);
// White space as models write it around JSON and marks, or none.
TextShape space_shape();
// JSON of the schema at this place, a JSON pointer; without any the constraint is refused, and names the place.
TextShape json_shape(const std::string& place);

// What one tool may be called with.
struct CallArguments {
  struct Argument {
    std::string name;
    std::string place;  // of its schema
    bool is_required;
    chat_output::ArgumentType type;  // as a reader of answers takes it
  };
  std::vector<Argument> named;  // in the schema's order
  bool is_any = false;          // any others, too
};

// Of a tool whose schema stands at `place`. Throws kUnsupported for what says more of the arguments than their names, their own schemas and
// which are required, with that place.
CallArguments arguments_of(const OrderedJson& parameters, const std::string& place, const chat_output::ToolSchemas& types, const std::string& tool);

// The same for tools that are not held to their schemas.
inline CallArguments any_arguments() { return {.named = {}, .is_any = true}; }

// <parameter=k>v</parameter>, for each: Payload::kTagged.
TextShape tagged_arguments(const CallArguments& arguments, const ArgumentTags& tags);

// k=v, k=v with values in JSON; `any_value`: the place of a schema for any.
struct ListedForm {
  std::string assign, any_value;
};
TextShape listed_arguments(const CallArguments& arguments, const ListedForm& form);

}  // namespace minnow
