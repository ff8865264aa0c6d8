// Any bytes as the body of /v1/chat/completions: refused, or a request within its bounds, whose messages and tools are read as the same
// when they are sent again.
#include "ask_handlers.h"
#include "serve/openai_chat_request.h"
#include "serve/openai_messages.h"

namespace {

using namespace minnow;
using fuzzing::require;

void check(const RequestFields& body, const ResponderCapabilities& can) {
  static const SamplingParams kDefaults = default_sampling(Dialect::kOpenAi, GgufMetadata("fuzz"));
  const ModelFacts model{.sampling = kDefaults, .can = can};
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
  static auto handlers = fuzzing::Handlers::of_null_model();
  const bool is_read = fuzzing::read_body(
      Dialect::kOpenAi, data, size, [](const RequestFields& body) { check(body, fuzzing::kAble); },
      [](const RequestFields& body) { check(body, fuzzing::kUnable); });
  if (is_read) handlers.post({"/v1/chat/completions", "/v1/chat/completions/input_tokens"}, data, size);
  return 0;
}
