#include "serve/ollama_call.h"

#include <algorithm>
#include <utility>

#include "base/utf8.h"
#include "serve/sampling_fields.h"

namespace minnow {
namespace {

OllamaFormatOptions format_of(const OllamaTurn& turn, std::vector<TokenId> prompt) {
  OllamaFormatOptions format{.is_chat = turn.is_chat, .model = turn.call.model, .logprobs = turn.call.n_logprobs >= 0};
  format.returns_context = turn.returns_context;
  format.prompt = std::move(prompt);
  format.started = turn.call.started;
  format.load_nanoseconds = unix_nanoseconds_now() - turn.call.started;
  format.now = unix_nanoseconds_now;
  if (format.logprobs) format.is_end = end_test(*turn.model);
  return format;
}

// The tokens that may be made so that prompt and answer fit the context that the request asks for.
int64_t room_for_answer(const OllamaTurn& turn, int64_t n_prompt, int64_t max_tokens) {
  const int64_t n_ctx = turn.options.n_ctx;
  if (n_prompt >= n_ctx) {
    throw RequestError("options.num_ctx", fmt::format("the prompt has {} tokens, but option \"num_ctx\" is {}", n_prompt, n_ctx),
                       "shorten the prompt or raise num_ctx: prompts are never cut");
  }
  const int64_t room = n_ctx - n_prompt;
  return max_tokens < 0 ? room : std::min(room, max_tokens);
}

// Bounds the request and gives its prompt, which is worked out only where something depends on it.
template <typename Request>
std::vector<TokenId> fit(const OllamaTurn& turn, const Responder& responder, Request& request) {
  if (turn.options.n_ctx == 0 && !turn.returns_context) return {};
  std::vector<TokenId> prompt = responder.prompt(request);
  if (turn.options.n_ctx > 0) request.max_tokens = room_for_answer(turn, static_cast<int64_t>(prompt.size()), request.max_tokens);
  return turn.returns_context ? std::move(prompt) : std::vector<TokenId>();
}

std::unique_ptr<PreparedAnswer> with_headers(std::unique_ptr<PreparedAnswer> answer, const std::vector<std::string>& unused) {
  add_unused(*answer, unused);
  return answer;
}

template <typename Request>
std::unique_ptr<PreparedAnswer> answer(OllamaTurn turn, Request request) {
  std::vector<TokenId> prompt = fit(turn, turn.model->responder(), request);
  const std::vector<std::string> unused = turn.options.unused;
  AnswerPlan plan{.format = std::make_unique<OllamaFormat>(format_of(turn, std::move(prompt))), .stream = turn.call.stream};
  plan.prompt_field = turn.is_chat ? "messages" : "prompt";
  plan.model = std::move(turn.model);
  std::vector<Request> requests;
  requests.push_back(std::move(request));
  return with_headers(prepare_answers(std::move(plan), std::move(requests)), unused);
}

template <typename Request>
void set_all(Request& request, const OllamaTurn& turn) {
  request.sampling = turn.options.sampling;
  request.max_tokens = turn.options.max_tokens;
  request.stop = turn.options.stop;
  request.constraint = turn.call.format;
  request.n_logprobs = turn.call.n_logprobs;
  request.cache_salt = turn.cache_salt;
}

}  // namespace

std::string ollama_model_name(const RequestFields& body) {
  std::string name = body.text("model", body.text("name"));
  if (name.empty()) throw RequestError("model", "model is required");
  return name;
}

KeepAlive read_keep_alive_of(const HttpRequest& http, const RequestFields& body, std::vector<std::string>& unused) {
  const KeepAlive said = read_keep_alive(body);
  if (!said || http.caller.manages) return said;
  unused.emplace_back("keep_alive");
  return std::nullopt;
}

OllamaCall read_ollama_call(const HttpRequest& http, const RequestFields& body) {
  OllamaCall call;
  call.started = unix_nanoseconds_now();
  call.model = ollama_model_name(body);
  call.stream = body.boolean("stream", true);
  call.unloads = read_keep_alive(body) == std::chrono::nanoseconds(0);
  call.keep_alive = read_keep_alive_of(http, body, call.unused);
  call.think = read_ollama_think(body);
  call.format = read_ollama_format(body);
  call.n_logprobs = read_ollama_logprobs(body);
  // A prompt is never cut and a context never moved on: what does not fit is refused, and an answer ends where it is full.
  for (const char* name : {"truncate", "shift"}) {
    if (body.boolean(name, false)) call.unused.emplace_back(name);
  }
  if (body.boolean("_debug_render_only", false)) body.refuse("_debug_render_only", "is not supported", "POST /apply-template renders a chat");
  return call;
}

ModelEntry ollama_entry(const HttpRequest& http, const std::string& name, Services& services) {
  try {
    ModelEntry entry = services.models.find(name);
    if (http.caller.may_use(entry.name)) return entry;
  } catch (const Error& error) {
    // The nearest name may be that of a model that this caller may not use.
    if (error.code() != ErrorCode::kNotFound || http.caller.models.empty()) throw;
  }
  throw Error(ErrorCode::kNotFound, fmt::format("model '{}' not found", to_valid_utf8(name)));
}

HttpResponse load_or_unload(const HttpRequest& http, const OllamaCall& call, bool is_chat, Services& services) {
  if (call.unloads) {
    const ModelEntry entry = ollama_entry(http, call.model, services);
    if (!http.caller.manages) {
      return error_response(Dialect::kOllama, 403, "this API key does not have the scope 'manage', which taking a model out of memory needs");
    }
    services.models.unload(entry.name);
    return ollama_load_answer(is_chat, call.model, "unload", unix_nanoseconds_now());
  }
  model_for(http, call.model, services, call.keep_alive);
  HttpResponse response = ollama_load_answer(is_chat, call.model, "load", unix_nanoseconds_now());
  if (!call.unused.empty()) response.headers.emplace_back(kUnusedOptionsHeader, unused_options_text(call.unused));
  return response;
}

OllamaTurn begin_turn(const HttpRequest& http, const RequestFields& body, OllamaCall call, Services& services) {
  OllamaTurn turn{.call = std::move(call)};
  turn.model = model_for(http, turn.call.model, services, turn.call.keep_alive);
  turn.options = read_ollama_options(body, default_sampling(Dialect::kOllama, turn.model->model().metadata));
  turn.options.unused.insert(turn.options.unused.end(), turn.call.unused.begin(), turn.call.unused.end());
  const int64_t n_ctx = turn.model->n_ctx();
  // Clients send sizes that they never fill. As much as is loaded is given, which the answer's header tells; a prompt that does not
  // fit is refused, not cut.
  if (turn.options.n_ctx > n_ctx && n_ctx > 0) {
    turn.options.n_ctx = 0;
    turn.options.unused.emplace_back("num_ctx");
  }
  turn.cache_salt = cache_salt(http, {});
  return turn;
}

void set_options(ChatRequest& request, const OllamaTurn& turn) { set_all(request, turn); }
void set_options(TextRequest& request, const OllamaTurn& turn) { set_all(request, turn); }

void set_thinking(ChatRequest& request, const OllamaTurn& turn, const ResponderCapabilities& can) {
  const OllamaThink& think = turn.call.think;
  if (think.on.value_or(false) && !can.thinking) {
    throw RequestError("think", fmt::format("\"{}\" does not support thinking", turn.call.model));
  }
  if (!can.thinking) return;
  request.thinking = think.on.value_or(true);
  if (!think.level.empty()) request.template_variables["reasoning_effort"] = think.level == "max" ? "high" : think.level;
}

std::unique_ptr<PreparedAnswer> answer_turn(OllamaTurn turn, ChatRequest request) { return answer(std::move(turn), std::move(request)); }
std::unique_ptr<PreparedAnswer> answer_turn(OllamaTurn turn, TextRequest request) { return answer(std::move(turn), std::move(request)); }

std::unique_ptr<PreparedAnswer> answer_turn(OllamaTurn turn, ChatRequest request, std::shared_ptr<Responder> responder) {
  std::vector<TokenId> prompt = fit(turn, *responder, request);
  auto prepared = std::make_unique<PreparedAnswer>();
  prepared->format = std::make_unique<OllamaFormat>(format_of(turn, std::move(prompt)));
  prepared->stream = turn.call.stream;
  prepared->max_tokens = request.max_tokens;
  prepared->model = std::move(turn.model);
  prepared->start = [into = prepared.get(), request = std::move(request), responder](const std::function<void()>& on_event) mutable {
    request.on_event = on_event;
    request.max_unread_bytes = max_unread_bytes(into->stream, 1);
    into->answers.push_back(responder->respond(std::exchange(request, {})));
  };
  return with_headers(std::move(prepared), turn.options.unused);
}

}  // namespace minnow
