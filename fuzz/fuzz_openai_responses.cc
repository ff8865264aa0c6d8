// Any bytes as the body of /v1/responses, after one that is stored as resp_1 and has the items msg_a, rs_a and fc_a: refused, or a
// conversation within its bounds, of items that can be stored and found.
#include "ask_handlers.h"
#include "serve/openai_response_request.h"

namespace {

using namespace minnow;
using fuzzing::require;

const std::string kTenant = "t";

const ResponseStore& store_with_earlier() {
  static const auto kStore = [] {
    const OrderedJson items = {message_item("msg_a", "completed", OrderedJson::array({output_text("ho", OrderedJson::array())})),
                               reasoning_item("rs_a", "completed", "hm", true),
                               call_item("fc_a", "completed", {.id = "call_a", .name = "f", .arguments = "{\"n\":1}"})};
    auto store = std::make_unique<ResponseStore>();
    store->put(kTenant, {.id = "resp_1", .response = "{}", .items = items.dump(), .input_begin = 0, .input_end = 0, .item_ids = {"msg_a", "rs_a", "fc_a"}});
    return store;
  }();
  return *kStore;
}

void check(const RequestFields& body, const ResponderCapabilities& can) {
  static const SamplingParams kDefaults = default_sampling(Dialect::kOpenAi, GgufMetadata("fuzz"));
  const auto read = [&] { return read_response(body, {.sampling = kDefaults, .can = can}, {store_with_earlier(), kTenant}); };
  const ResponseFields fields = read();
  const ChatRequest& request = fields.request;
  fuzzing::check_chat(request);
  require(request.max_tokens >= -1 && request.max_tokens <= INT32_MAX);
  require(fields.input_begin < fields.items.size() && fields.items.size() <= limits::kMaxChatMessages);
  for (const OrderedJson& item : fields.items) require(item.at("id").is_string() && item.at("type").is_string());
  fuzzing::check_json(fields.items);
  fuzzing::check_json(fields.format.response);
  require(fuzzing::are_same(request, read().request));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static auto handlers = fuzzing::Handlers::of_null_model();
  const bool is_read = fuzzing::read_body(
      Dialect::kOpenAi, data, size, [](const RequestFields& body) { check(body, fuzzing::kAble); },
      [](const RequestFields& body) { check(body, fuzzing::kUnable); });
  if (is_read) handlers.post({"/v1/responses"}, data, size);
  return 0;
}
