// Any bytes as the body of /v1/chat/completions: refused, or a request within its bounds, whose messages and tools are read as the same
// when they are sent again.
#include "ask_handlers.h"
#include "serve/openai_chat_request.h"
#include "serve/openai_messages.h"

namespace {

using namespace minnow;
using fuzzing::require;

void check(const RequestFields& body, const ModelFacts& model) {
  const ChatFields fields = read_chat(body, model);
  const ChatRequest& request = fields.request;
  fuzzing::check_chat(request);
  require(fields.n >= 1 && fields.n <= limits::kMaxChoices && fields.format.n_choices == fields.n);
  require(request.max_tokens >= -1 && request.min_tokens >= 0);
  require(fuzzing::are_same(request, read_chat(body, model).request));
  const OrderedJson again = {{"messages", request.messages}, {"tools", request.tools}};
  require(read_messages(RequestFields(again)) == request.messages);
  require(read_tools(RequestFields(again)).tools == request.tools);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const SamplingParams kDefaults = default_sampling(Dialect::kOpenAi, GgufMetadata("fuzz"));
  static auto handlers = fuzzing::Handlers::of_null_model();
  const auto json = fuzzing::body_of(Dialect::kOpenAi, data, size);
  if (!json) return 0;
  const RequestFields body(*json);
  const ModelFacts able{.sampling = kDefaults, .can = {.chat = true, .tools = true, .thinking = true, .insert = true}};
  const ModelFacts unable{.sampling = kDefaults, .can = {}};
  fuzzing::read_or_refuse(Dialect::kOpenAi, [&] { check(body, able); });
  fuzzing::read_or_refuse(Dialect::kOpenAi, [&] { check(body, unable); });
  handlers.post("/v1/chat/completions", data, size);
  handlers.post("/v1/chat/completions/input_tokens", data, size);
  return 0;
}
