// Any JSON as "input" of /v1/responses, without a body around it: refused, or items that are read as the same when they are sent again, as
// clients do that keep the conversation.
#include "check_request.h"
#include "serve/response_items.h"

namespace {

using namespace minnow;
using fuzzing::require;

// What is referred to: any id that begins with "msg".
OrderedJson stored_item(const std::string& id) {
  return id.starts_with("msg") ? message_item(id, "completed", OrderedJson::array({output_text("ho", OrderedJson::array())})) : OrderedJson();
}

void check(const RequestFields& body) {
  int next = 0;
  const ItemSources sources{.find = stored_item, .make_id = [&](std::string_view prefix) { return std::string(prefix) + std::to_string(++next); }};
  const OrderedJson items = read_items(body, sources);
  require(!items.empty() && items.size() <= limits::kMaxChatMessages);
  fuzzing::check_json(items);
  const OrderedJson again = {{"input", items}};
  require(read_items(RequestFields(again), {}) == items);
  fuzzing::check_messages(messages_of_items(items, {}));
  const OrderedJson messages = messages_of_items(items, "be brief");
  fuzzing::check_messages(messages);
  require(messages.front().at("role") == "system");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzzing::read_or_refuse(Dialect::kOpenAi, [&] {
    OrderedJson body = OrderedJson::object();
    body["input"] = parse_ordered_json({reinterpret_cast<const char*>(data), size}, "fuzz");
    check(RequestFields(body));
  });
  return 0;
}
