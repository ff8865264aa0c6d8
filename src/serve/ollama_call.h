// What /api/generate and /api/chat have in common, from the body to the answer that is about to be given.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "respond/responder.h"
#include "serve/ollama_fields.h"
#include "serve/ollama_format.h"
#include "serve/prepare_answer.h"
#include "serve/services.h"

namespace minnow {

struct OllamaCall {
  int64_t started = 0;  // nanoseconds since 1970
  std::string model;    // as the request names it
  bool stream = true;
  KeepAlive keep_alive;
  bool unloads = false;             // keep_alive is 0, whoever says so
  std::vector<std::string> unused;  // fields without an effect
  OllamaThink think;
  ConstraintSpec format;
  int n_logprobs = -1;
};
// Throws RequestError, also when no model is named.
OllamaCall read_ollama_call(const HttpRequest& http, const RequestFields& body);

// The model of a field "model" (or "name", as it was called), never empty.
std::string ollama_model_name(const RequestFields& body);
// The model of that name, if the caller may use it, without loading it: else kNotFound.
ModelEntry ollama_entry(const HttpRequest& http, const std::string& name, Services& services);

// "keep_alive" as it counts for this caller: whoever may not manage cannot say how long a model stays in memory, which others use
// too. It is checked all the same, and named in `unused` then.
KeepAlive read_keep_alive_of(const HttpRequest& http, const RequestFields& body, std::vector<std::string>& unused);

// Of a request without a prompt: loads the model, or with keep_alive 0 unloads it, which a caller must be allowed.
HttpResponse load_or_unload(const HttpRequest& http, const OllamaCall& call, bool is_chat, Services& services);

// A model that is to answer a call.
struct OllamaTurn {
  OllamaCall call;
  ModelLease model;
  OllamaOptions options;
  bool is_chat = false;
  bool returns_context = false;
  std::string cache_salt = {};
};
OllamaTurn begin_turn(const HttpRequest& http, const RequestFields& body, OllamaCall call, Services& services);

// Sampling, length, format and the like of the turn.
void set_options(ChatRequest& request, const OllamaTurn& turn);
void set_options(TextRequest& request, const OllamaTurn& turn);
// Refuses a think that the model cannot, and says it to the template.
void set_thinking(ChatRequest& request, const OllamaTurn& turn, const ResponderCapabilities& can);
// Prompt and answer keep to the context that the request asks for, if it is smaller than what the model was loaded with. Throws
// RequestError for a prompt that does not fit in: nothing is cut. The prompt is given to the format where that returns it.
std::unique_ptr<PreparedAnswer> answer_turn(OllamaTurn turn, ChatRequest request);
std::unique_ptr<PreparedAnswer> answer_turn(OllamaTurn turn, TextRequest request);
// By a responder of its own instead of the model's.
std::unique_ptr<PreparedAnswer> answer_turn(OllamaTurn turn, ChatRequest request, std::shared_ptr<Responder> responder);

}  // namespace minnow
