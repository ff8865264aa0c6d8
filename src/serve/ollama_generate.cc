// POST /api/generate: a text to go on from, or a chat of one message.
#include "base/limits.h"
#include "serve/ollama_call.h"
#include "serve/ollama_routes.h"
#include "serve/ollama_template.h"

namespace minnow {
namespace {

struct Prompt {
  std::string text, system, chat_template;
  std::string suffix;
  bool raw = false;
  std::vector<TokenId> context;  // of an earlier answer
};

Prompt read_prompt(const RequestFields& body, std::string_view model) {
  Prompt p{.text = body.text("prompt"), .system = body.text("system"), .chat_template = body.text("template")};
  p.suffix = body.text("suffix");
  p.raw = body.boolean("raw", false);
  p.context = body.token_ids("context", limits::kMaxPromptTokens);
  refuse_images(body, model);
  if (p.raw && !(p.system.empty() && p.chat_template.empty() && p.context.empty())) {
    throw RequestError("raw", "raw mode does not support template, system, or context");
  }
  if (!p.suffix.empty() && !(p.system.empty() && p.chat_template.empty() && p.context.empty() && !p.raw)) {
    throw RequestError("suffix", "a suffix does not go together with raw, system, template or context");
  }
  return p;
}

// Plain text: there is nothing that the model could be told to think or how to behave by.
void refuse_chat_fields(const OllamaTurn& turn, const Prompt& prompt, std::string_view why) {
  if (turn.call.think.on.value_or(false)) throw RequestError("think", fmt::format("think has no effect {}", why), "leave it out");
  if (!prompt.system.empty()) throw RequestError("system", fmt::format("system has no effect {}", why), "leave it out, or give a template");
}

std::unique_ptr<PreparedAnswer> answer_text(OllamaTurn turn, Prompt prompt, const ResponderCapabilities& can) {
  const bool is_infill = !prompt.suffix.empty();
  if (is_infill && !can.insert) throw RequestError("suffix", fmt::format("\"{}\" does not support insert", turn.call.model));
  refuse_chat_fields(turn, prompt, prompt.raw ? "in raw mode" : is_infill ? "with a suffix" : "without a chat template");
  TextRequest request;
  set_options(request, turn);
  request.prompt = std::move(prompt.text);
  if (is_infill) request.suffix = std::move(prompt.suffix);
  if (!prompt.context.empty()) {
    request.add_special = false;  // they are at the beginning of the context
    const std::vector<TokenId> more = turn.model->responder().prompt(request);
    prompt.context.insert(prompt.context.end(), more.begin(), more.end());
    request.prompt = std::move(prompt.context);
  }
  return answer_turn(std::move(turn), std::move(request));
}

std::unique_ptr<PreparedAnswer> answer_chat(OllamaTurn turn, Prompt prompt, const ResponderCapabilities& can) {
  ChatRequest request;
  set_options(request, turn);
  if (!prompt.system.empty()) request.messages.push_back({{"role", "system"}, {"content", prompt.system}});
  request.messages.push_back({{"role", "user"}, {"content", prompt.text}});
  request.before = std::move(prompt.context);
  if (prompt.chat_template.empty()) {
    set_thinking(request, turn, can);
    return answer_turn(std::move(turn), std::move(request));
  }
  const std::string jinja = jinja_of_ollama_template(prompt.chat_template, {.has_system = !prompt.system.empty()});
  auto responder = std::make_shared<LocalResponder>(turn.model->engine(), jinja);
  set_thinking(request, turn, responder->capabilities());
  return answer_turn(std::move(turn), std::move(request), std::move(responder));
}

Outcome generate(const HttpRequest& http, Services& services) {
  const OrderedJson json = parse_ollama_body(http);
  const RequestFields body(json);
  OllamaCall call = read_ollama_call(http, body);
  Prompt prompt = read_prompt(body, call.model);
  if (prompt.text.empty() && prompt.suffix.empty()) return load_or_unload(http, call, false, services);
  OllamaTurn turn = begin_turn(http, body, std::move(call), services);
  turn.returns_context = !prompt.raw;
  const ResponderCapabilities can = turn.model->responder().capabilities();
  const bool is_text = prompt.raw || !prompt.suffix.empty() || (!can.chat && prompt.chat_template.empty());
  if (is_text) return answer_text(std::move(turn), std::move(prompt), can);
  return answer_chat(std::move(turn), std::move(prompt), can);
}

}  // namespace

void add_ollama_generate_routes(Routes& routes) {
  routes.push_back({"POST", "/api/generate", Dialect::kOllama, Scope::kInfer, generate});
  routes.push_back({"POST", "/api/chat", Dialect::kOllama, Scope::kInfer, ollama_chat});
}

}  // namespace minnow
