// Items of /v1/responses: what a conversation consists of there, and the chat that a model sees of it.
#pragma once

#include <functional>
#include <string>

#include "serve/fields.h"
#include "serve/openai_objects.h"

namespace minnow {

struct ItemSources {
  // An item that this server has said or stored, by its id; null when there is none.
  std::function<OrderedJson(const std::string& id)> find = {};
  MakeId make_id = random_id;  // of items that come without one
};

// "input": a string, or items. Each in full, as GET …/input_items shows them: message, function_call, custom_tool_call, outputs of both,
// and reasoning; references are replaced by what they refer to. Throws RequestError for other kinds, and for images and files.
OrderedJson read_items(const RequestFields& body, const ItemSources& sources);

// Messages as read_messages gives them. `instructions` is the first, with a system message that follows; empty: there are none. A call
// that is incomplete and whose arguments are but a part of JSON is left out, as is an incomplete one of a custom tool.
OrderedJson messages_of_items(const OrderedJson& items, const std::string& instructions);

// Items of answers; `status` is in_progress, completed or incomplete.
OrderedJson message_item(const std::string& id, std::string_view status, OrderedJson content);
OrderedJson output_text(std::string_view text, OrderedJson logprobs);
OrderedJson call_item(const std::string& id, std::string_view status, const ToolCall& call);
OrderedJson custom_call_item(const std::string& id, std::string_view status, const ToolCall& call);  // with the input that its arguments have
OrderedJson reasoning_item(const std::string& id, std::string_view status, const std::string& text, bool encoded);

}  // namespace minnow
