// Any bytes as the bodies of /v1/messages and /v1/messages/count_tokens: refused, or a chat within its bounds.
#include "ask_handlers.h"
#include "serve/anthropic_request.h"
#include "serve/sampling_fields.h"

namespace {

using namespace minnow;
using fuzzing::require;

void check(const RequestFields& body, const AnthropicModel& model, bool with_answer) {
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
  static const SamplingParams kDefaults = default_sampling(Dialect::kAnthropic, GgufMetadata("fuzz"));
  static auto handlers = fuzzing::Handlers::of_null_model();
  const auto json = fuzzing::body_of(Dialect::kAnthropic, data, size);
  if (!json) return 0;
  const RequestFields body(*json);
  const AnthropicModel able{.name = "m", .can = {.chat = true, .tools = true, .thinking = true, .insert = true}, .sampling = kDefaults};
  const AnthropicModel unable{.name = "m", .can = {.chat = true}, .sampling = kDefaults};
  fuzzing::read_or_refuse(Dialect::kAnthropic, [&] { check(body, able, true); });
  fuzzing::read_or_refuse(Dialect::kAnthropic, [&] { check(body, able, false); });
  fuzzing::read_or_refuse(Dialect::kAnthropic, [&] { check(body, unable, true); });
  handlers.post("/v1/messages", data, size);
  handlers.post("/v1/messages/count_tokens", data, size);
  return 0;
}
