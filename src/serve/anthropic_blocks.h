// Messages of the Anthropic API as chat templates want them.
#pragma once

#include <string>
#include <vector>

#include "serve/fields.h"

namespace minnow {

// "system" and "messages": contents as text, tool_use blocks as calls, tool_result blocks as messages of the tool, thinking blocks as
// reasoning_content; blocks of the assistant that are of Anthropic's service, such as redacted_thinking, are left out and named in `unused`
// ("messages.redacted_thinking"); turns of the same role that follow each other are one. Messages of the system before
// any other are part of the system text; later ones, which templates refuse, are text of the user's turn. Throws RequestError for anything else: images and
// documents among them.
OrderedJson read_anthropic_messages(const RequestFields& body, std::vector<std::string>& unused);

// "cache_control" of a request, a tool or a block: {"type": "ephemeral"}. Prompts are remembered with or without it. Throws RequestError.
void check_cache_control(const RequestFields& holder);

}  // namespace minnow
