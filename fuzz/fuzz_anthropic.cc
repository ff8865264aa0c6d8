// Any bytes as the bodies of /v1/messages and /v1/messages/count_tokens: refused, or a chat within its bounds.
#include "ask_handlers.h"
#include "serve/anthropic_request.h"
#include "serve/sampling_fields.h"

namespace {

using namespace minnow;
using fuzzing::require;

void check(const RequestFields& body, const ResponderCapabilities& can, bool with_answer) {
  static const SamplingParams kDefaults = default_sampling(Dialect::kAnthropic, GgufMetadata("fuzz"));
  const AnthropicModel model{.name = "m", .can = can, .sampling = kDefaults};
  const ChatRequest request = read_anthropic(body, model, with_answer).request;
  fuzzing::check_chat(request);
  require(request.thinking.has_value() && request.stop_tokens.empty());
  if (with_answer) require(request.max_tokens > 0);
  // A system message is the first, and results follow calls.
  for (std::size_t i = 1; i < request.messages.size(); ++i) require(request.messages[i].at("role") != "system");
  require(request.messages.front().at("role") != "tool");
  require(fuzzing::are_same(request, read_anthropic(body, model, with_answer).request));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static auto handlers = fuzzing::Handlers::of_null_model();
  const bool is_read = fuzzing::read_body(
      Dialect::kAnthropic, data, size, [](const RequestFields& body) { check(body, fuzzing::kAble, true); },
      [](const RequestFields& body) { check(body, fuzzing::kAble, false); }, [](const RequestFields& body) { check(body, {.chat = true}, true); });
  if (is_read) handlers.post({"/v1/messages", "/v1/messages/count_tokens"}, data, size);
  return 0;
}
