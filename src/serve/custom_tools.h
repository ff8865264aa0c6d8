// Tools of OpenAI's that take free text ({"type": "custom"}): to the model they are functions of one text, "input".
#pragma once

#include <string>
#include <string_view>

#include "serve/fields.h"

namespace minnow {

struct CustomTool {
  OrderedJson function;      // as read_function gives it
  bool has_grammar = false;  // its text is told to the model, but not held to
};

// {"name", "description", "format"}; the grammar of a format may be flat (/v1/responses) or in an object of its own (chats). Throws
// RequestError.
CustomTool read_custom_tool(const RequestFields& tool);

// What a call of one carries, and what becomes of it. Arguments that are not as they should be are taken as far as they tell an input: the
// only text that they have, the beginning of one where the room ended, else all of them.
OrderedJson custom_arguments(std::string_view input);
std::string custom_input(std::string_view arguments);

}  // namespace minnow
