// Any bytes as the bodies of /api/chat, /api/generate, /api/embed and /api/embeddings: refused, or within their bounds.
#include "ask_handlers.h"
#include "serve/ollama_call.h"
#include "serve/ollama_fields.h"
#include "serve/sampling_fields.h"

namespace {

using namespace minnow;
using fuzzing::require;

void check_call(const RequestFields& body) {
  const OllamaCall call = read_ollama_call(HttpRequest(), body);
  require(!call.model.empty());
  require(!call.keep_alive || call.keep_alive->count() >= -1);
  require(call.think.on.value_or(false) || call.think.level.empty());
  require(call.n_logprobs >= -1 && call.n_logprobs <= limits::kMaxLogprobs);
  fuzzing::check_constraint(call.format);
}

void check_options(const RequestFields& body) {
  static const SamplingParams kDefaults = default_sampling(Dialect::kOllama, GgufMetadata("fuzz"));
  const OllamaOptions options = read_ollama_options(body, kDefaults);
  fuzzing::check_sampling(options.sampling);
  fuzzing::check_stop(options.stop);
  require(options.max_tokens >= -1 && options.max_tokens <= INT32_MAX && options.n_ctx >= 0 && options.n_ctx <= INT32_MAX);
  // It is a header's value.
  const std::string text = unused_options_text(options.unused);
  require(text.size() <= 4096 && std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; }));
}

void check_messages(const RequestFields& body) {
  const OrderedJson messages = read_ollama_messages(body, "m");
  require(messages.size() <= limits::kMaxChatMessages);
  fuzzing::check_messages(messages);
  require(read_ollama_messages(body, "m") == messages);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static auto handlers = fuzzing::Handlers::of_null_model();
  if (!fuzzing::read_body(Dialect::kOllama, data, size, check_call, check_options, check_messages)) return 0;
  handlers.post({"/api/chat", "/api/generate", "/api/embed", "/api/embeddings"}, data, size);
  return 0;
}
