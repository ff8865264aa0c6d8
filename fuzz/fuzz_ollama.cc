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

void check_options(const RequestFields& body, const SamplingParams& defaults) {
  const OllamaOptions options = read_ollama_options(body, defaults);
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
  static const SamplingParams kDefaults = default_sampling(Dialect::kOllama, GgufMetadata("fuzz"));
  static auto handlers = fuzzing::Handlers::of_null_model();
  const auto json = fuzzing::body_of(Dialect::kOllama, data, size);
  if (!json) return 0;
  const RequestFields body(*json);
  fuzzing::read_or_refuse(Dialect::kOllama, [&] { check_call(body); });
  fuzzing::read_or_refuse(Dialect::kOllama, [&] { check_options(body, kDefaults); });
  fuzzing::read_or_refuse(Dialect::kOllama, [&] { check_messages(body); });
  for (const char* path : {"/api/chat", "/api/generate", "/api/embed", "/api/embeddings"}) handlers.post(path, data, size);
  return 0;
}
