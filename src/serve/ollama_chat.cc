// POST /api/chat.
#include "serve/ollama_call.h"
#include "serve/openai_messages.h"

#include "serve/ollama_routes.h"

namespace minnow {
namespace {

ChatRequest read_request(const RequestFields& body, OllamaTurn& turn, OrderedJson messages) {
  const ResponderCapabilities can = turn.model->responder().capabilities();
  const std::string& model = turn.call.model;
  if (!can.chat) throw RequestError("model", fmt::format("\"{}\" does not support chat", model), "it has no chat template; use /api/generate");
  ChatRequest request;
  request.messages = std::move(messages);
  set_options(request, turn);
  set_thinking(request, turn, can);
  ToolFields tools = read_tools(body);
  turn.options.unused.insert(turn.options.unused.end(), tools.unused.begin(), tools.unused.end());
  request.tool_choice = tools.choice;
  request.tool_name = std::move(tools.name);
  request.parallel_tool_calls = tools.parallel;
  if (tools.tools.is_null() || tools.choice == ToolChoice::kNone) return request;
  if (!can.tools && tools.choice == ToolChoice::kAuto) throw RequestError("tools", fmt::format("\"{}\" does not support tools", model));
  if (tools.choice == ToolChoice::kAuto && request.constraint.kind != ConstraintSpec::Kind::kNone && !may_call_instead(can, request.constraint)) {
    body.refuse("tools", "an answer that is held to this format cannot call tools of this model", "leave out the tools or the format");
  }
  request.strict_tools = std::move(tools.strict);
  request.tools = std::move(tools.tools);
  return request;
}

}  // namespace

Outcome ollama_chat(const HttpRequest& http, Services& services) {
  const OrderedJson json = parse_ollama_body(http);
  const RequestFields body(json);
  OllamaCall call = read_ollama_call(http, body);
  OrderedJson messages = read_ollama_messages(body, call.model);
  if (messages.empty()) return load_or_unload(http, call, true, services);
  OllamaTurn turn = begin_turn(http, body, std::move(call), services);
  turn.is_chat = true;
  ChatRequest request = read_request(body, turn, std::move(messages));
  if (is_strict_unused(request, turn.model->responder().capabilities())) turn.options.unused.emplace_back("strict");
  return answer_turn(std::move(turn), std::move(request));
}

}  // namespace minnow
