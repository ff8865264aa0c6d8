#include "serve/openai_response_request.h"

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <set>

#include "base/limits.h"
#include "base/utf8.h"
#include "serve/openai_messages.h"
#include "serve/response_format.h"

namespace minnow {
namespace {

constexpr int64_t kMaxInt = std::numeric_limits<int32_t>::max();
constexpr int64_t kMaxTopLogprobs = 20;

// What answers can be asked to have as well. There is nothing here that most of them could show.
constexpr std::array<std::string_view, 8> kIncludes = {
    "file_search_call.results", "web_search_call.results", "web_search_call.action.sources", "message.input_image.image_url",
    "computer_call_output.output.image_url", "code_interpreter_call.outputs", "reasoning.encrypted_content", "message.output_text.logprobs"};

void refuse_unsupported(const RequestFields& body) {
  if (body.boolean("background", false)) {
    body.refuse("background", "is not supported", "leave it out, and read the answer as it comes with stream");
  }
  for (const std::string_view name : {"conversation", "prompt", "context_management", "moderation", "messages"}) {
    if (body.has(name)) body.refuse(name, "is not supported", name == "messages" ? "use input, or /v1/chat/completions" : "leave it out");
  }
  if (body.boolean("return_token_ids", false)) body.refuse("return_token_ids", "is not supported here", "use /v1/chat/completions");
  if (body.integer("n", 1, 1, kMaxInt) != 1) body.refuse("n", "must be 1", "use /v1/chat/completions for more choices");
}

// What came before, by previous_response_id.
OrderedJson items_before(const RequestFields& body, const StoredContext& stored) {
  const std::string id = body.text("previous_response_id");
  if (id.empty()) return OrderedJson::array();
  const ResponseStore::Entry entry = stored.store.find(stored.tenant, id);
  if (!entry) {
    throw Error(ErrorCode::kNotFound, "previous_response_id: there is no such response",
                "responses are stored for a while, and only with store: true; send the whole conversation as input");
  }
  return parse_ordered_json(entry->items, "stored response");
}

// Stored items by their ids. A response that several are of is read once.
class StoredItems {
 public:
  explicit StoredItems(const StoredContext& stored) : stored_(stored) {}

  OrderedJson find(const std::string& id) {
    const ResponseStore::Entry entry = stored_.store.find_item(stored_.tenant, id);
    if (!entry) return nullptr;
    const auto [items, is_new] = responses_.try_emplace(entry->id);
    if (is_new) {
      for (OrderedJson& item : parse_ordered_json(entry->items, "stored response")) {
        const std::string own = item["id"].get<std::string>();
        items->second.try_emplace(own, std::move(item));
      }
    }
    const auto item = items->second.find(id);
    return item == items->second.end() ? OrderedJson() : item->second;
  }

 private:
  const StoredContext& stored_;
  std::map<std::string, std::map<std::string, OrderedJson>> responses_;  // items by id, of responses by id
};

// Templates show the output of a call behind the call.
void check_outputs(const OrderedJson& items) {
  std::set<std::string> called;
  for (const OrderedJson& item : items) {
    const auto& type = item["type"].get_ref<const std::string&>();
    const bool is_custom = type == "custom_tool_call_output";
    if (type == "function_call" || type == "custom_tool_call") called.insert(item["call_id"].get<std::string>());
    if (!is_custom && type != "function_call_output") continue;
    const auto& id = item["call_id"].get_ref<const std::string&>();
    if (called.contains(id)) continue;
    throw RequestError("input", fmt::format("No tool call found for {} call output with call_id {}.", is_custom ? "custom tool" : "function", to_valid_utf8(id)));
  }
}

void read_items_and_messages(ResponseFields& fields, const RequestFields& body, const StoredContext& stored) {
  fields.items = items_before(body, stored);
  fields.input_begin = fields.items.size();
  StoredItems stored_items(stored);
  const ItemSources sources{.find = [&](const std::string& id) { return stored_items.find(id); }};
  for (OrderedJson& item : read_items(body, sources)) fields.items.push_back(std::move(item));
  if (fields.items.size() > limits::kMaxChatMessages) {
    body.refuse("input", fmt::format("with what came before these are {} items, allowed: {}", fields.items.size(),
                                     limits::kMaxChatMessages));
  }
  check_outputs(fields.items);
  fields.request.messages = messages_of_items(fields.items, body.text("instructions"));
}

void read_logprobs(ResponseFields& fields, const RequestFields& body) {
  const std::vector<std::string> include = body.texts("include", 64);
  for (const std::string& name : include) {
    const bool is_known = std::find(kIncludes.begin(), kIncludes.end(), name) != kIncludes.end();
    if (!is_known) body.refuse("include", fmt::format("each must be one of: {}", fmt::join(kIncludes, ", ")));
  }
  const auto has = [&](std::string_view name) { return std::find(include.begin(), include.end(), name) != include.end(); };
  const int64_t top = body.integer("top_logprobs", 0, 0, kMaxTopLogprobs);
  fields.format.logprobs = top > 0 || has("message.output_text.logprobs");
  if (fields.format.logprobs) fields.request.n_logprobs = static_cast<int>(top);
  fields.format.encode_reasoning = has("reasoning.encrypted_content");
}

// Tools as /v1/responses shows them; none is strict where that has no effect.
OrderedJson tools_json(const RequestFields& body, bool strict_is_unused) {
  OrderedJson tools = OrderedJson::array();
  for (const OrderedJson& tool : body.array("tools", limits::kMaxTools)) {
    const RequestFields fields(tool, element_path(body.path("tools"), tools.size()));
    if (fields.text("type", "function") != "function") {
      tools.push_back(tool);
      continue;
    }
    const RequestFields holder = fields.has("function") ? fields.object("function") : fields;
    const OrderedJson function = read_function(holder);
    const OrderedJson* strict = holder.find("strict");
    tools.push_back({{"type", "function"},
                     {"name", function["name"]},
                     {"description", function.contains("description") ? function["description"] : OrderedJson()},
                     {"parameters", function["parameters"]},
                     {"strict", strict && strict_is_unused ? OrderedJson(false) : strict ? *strict : OrderedJson()}});
  }
  return tools;
}

OrderedJson given(const RequestFields& body, std::string_view name, OrderedJson otherwise = nullptr) {
  const OrderedJson* value = body.find(name);
  return value ? *value : std::move(otherwise);
}

// What the response says of its request.
OrderedJson response_json(const ResponseFields& fields, const RequestFields& body, bool strict_is_unused) {
  const RequestFields reasoning = body.object("reasoning"), text = body.object("text");
  const SamplingParams& sampling = fields.request.sampling;
  OrderedJson response = {
      {"id", ""}, {"object", "response"}, {"created_at", 0}, {"status", "in_progress"}, {"background", false}, {"completed_at", nullptr},
      {"error", nullptr}, {"incomplete_details", nullptr}, {"instructions", given(body, "instructions")},
      {"max_output_tokens", given(body, "max_output_tokens")}, {"max_tool_calls", given(body, "max_tool_calls")}, {"model", ""},
      {"output", OrderedJson::array()}, {"parallel_tool_calls", fields.request.parallel_tool_calls},
      {"previous_response_id", given(body, "previous_response_id")}, {"prompt_cache_key", given(body, "prompt_cache_key")},
      {"reasoning", {{"effort", given(reasoning, "effort")}, {"summary", given(reasoning, "summary")}}},
      {"safety_identifier", given(body, "safety_identifier")}, {"service_tier", "default"}, {"store", fields.store},
      {"temperature", given(body, "temperature", sampling.temperature)}, {"text", {{"format", given(text, "format", {{"type", "text"}})}}},
      {"tool_choice", given(body, "tool_choice", "auto")}, {"tools", tools_json(body, strict_is_unused)},
      {"top_logprobs", std::max(0, fields.request.n_logprobs)}, {"top_p", given(body, "top_p", sampling.top_p)},
      {"presence_penalty", given(body, "presence_penalty", 0)}, {"frequency_penalty", given(body, "frequency_penalty", 0)},
      {"truncation", body.choice("truncation", "disabled", {"auto", "disabled"})}, {"usage", nullptr}, {"metadata", read_metadata(body)}};
  if (body.has("user")) response["user"] = body.text("user");
  return response;
}

}  // namespace

ResponseFields read_response(const RequestFields& body, const ModelFacts& model, const StoredContext& stored) {
  check_chats(body, model);
  refuse_unsupported(body);
  ResponseFields fields;
  ChatRequest& request = fields.request;
  read_items_and_messages(fields, body, stored);
  SamplingFields sampling = read_sampling(body, model.sampling);
  sampling.max_tokens = body.integer("max_output_tokens", sampling.max_tokens, 1, kMaxInt);
  fields.format.include_stop = sampling.include_stop;
  set_sampling(request, std::move(sampling));
  const RequestFields text = body.object("text");
  request.constraint = text.has("format") ? read_format_object(text.object("format")) : read_response_format(body);
  if (text.choice("verbosity", "medium", {"low", "medium", "high"}) != "medium") fields.unused.emplace_back("text.verbosity");
  ToolFields tools = set_tools(request, body, model);
  fields.unused.insert(fields.unused.end(), tools.unused.begin(), tools.unused.end());
  fields.format.grouped = std::move(tools.grouped);
  fields.format.custom = std::move(tools.custom);
  const RequestFields reasoning = body.object("reasoning");
  if (!set_effort(request, reasoning, "effort", model)) fields.unused.emplace_back("reasoning.effort");
  // What the model thinks is shown whole.
  for (const std::string_view name : {"summary", "generate_summary"}) reasoning.optional_text(name);
  set_template_variables(request, body);
  read_logprobs(fields, body);
  fields.stream = body.boolean("stream", false);
  fields.store = body.boolean("store", true);
  fields.format.include_reasoning = body.boolean("include_reasoning", true);
  body.optional_integer("max_tool_calls", 1, kMaxInt);  // of built-in tools, which there are none of
  read_service_fields(body, fields.unused);
  if (body.choice("truncation", "disabled", {"auto", "disabled"}) == "auto") fields.unused.emplace_back("truncation");  // what is too long is refused
  body.object("stream_options").optional_boolean("include_obfuscation");
  fields.format.response = response_json(fields, body, is_strict_unused(request, model.can));
  return fields;
}

}  // namespace minnow
