#include "serve/openai_response_format.h"

#include "serve/response_items.h"

namespace minnow {
namespace {

using Kind = ChatOutputEvent::Kind;

bool is_whole(FinishReason reason) { return reason == FinishReason::kEndOfText || reason == FinishReason::kStopString; }
std::string_view status_of_end(FinishReason reason) { return is_whole(reason) ? "completed" : "incomplete"; }

}  // namespace

ResponseFormat::ResponseFormat(ResponseFormatOptions options)
    : options_(std::move(options)), response_(options_.response), text_logprobs_(OrderedJson::array()) {}

void ResponseFormat::send(std::string_view type, std::string_view fields, std::string& out) {
  out += fmt::format("event: {0}\ndata: {{\"type\":\"{0}\",\"sequence_number\":{1},{2}}}\n\n", type, sequence_++, fields);
}

void ResponseFormat::send_response(std::string_view type, std::string& out) { send(type, "\"response\":" + json_text(response_), out); }

void ResponseFormat::send_item(std::string_view type, const OrderedJson& item, std::string& out) {
  send(type, fmt::format(R"("output_index":{},"item":{})", response_["output"].size(), json_text(item)), out);
}

std::string ResponseFormat::place(std::string_view part_index) const {
  std::string keys = fmt::format(R"("item_id":{},"output_index":{})", json_text(item_id_), response_["output"].size());
  if (!part_index.empty()) keys += fmt::format(R"(,"{}":0)", part_index);
  return keys;
}

void ResponseFormat::begin(std::string& out) {
  send_response("response.created", out);
  send_response("response.in_progress", out);
}

void ResponseFormat::open(Open kind, std::string_view prefix, std::string& out) {
  close("completed", out);
  open_ = kind;
  item_id_ = options_.make_id(prefix);
  text_.clear();
  text_logprobs_ = OrderedJson::array();
}

void ResponseFormat::close(std::string_view status, std::string& out) {
  switch (open_) {
    case Open::kNothing: break;
    case Open::kReasoning: close_reasoning(status, out); break;
    case Open::kMessage: close_message(status, out); break;
    case Open::kCall: close_call(status, out); break;
  }
  open_ = Open::kNothing;
}

void ResponseFormat::close_reasoning(std::string_view status, std::string& out) {
  const std::string keys = place("summary_index");
  const std::string text = json_text(text_);
  send("response.reasoning_summary_text.done", keys + ",\"text\":" + text, out);
  send("response.reasoning_summary_part.done", keys + R"(,"part":{"type":"summary_text","text":)" + text + "}", out);
  OrderedJson item = reasoning_item(item_id_, status, text_, options_.encode_reasoning);
  send_item("response.output_item.done", item, out);
  response_["output"].push_back(std::move(item));
}

void ResponseFormat::close_message(std::string_view status, std::string& out) {
  const std::string keys = place("content_index");
  OrderedJson part = output_text(text_, std::move(text_logprobs_));
  send("response.output_text.done", fmt::format(R"({},"text":{},"logprobs":{})", keys, json_text(text_), json_text(part["logprobs"])), out);
  send("response.content_part.done", keys + ",\"part\":" + json_text(part), out);
  OrderedJson item = message_item(item_id_, status, OrderedJson::array({std::move(part)}));
  send_item("response.output_item.done", item, out);
  response_["output"].push_back(std::move(item));
}

// With the name that the client knows.
OrderedJson ResponseFormat::call_json(const std::string& id, std::string_view status, const ToolCall& call) const {
  OrderedJson item = is_custom(call) ? custom_call_item(id, status, call) : call_item(id, status, call);
  const auto grouped = options_.grouped.find(call.name);
  if (grouped == options_.grouped.end()) return item;
  item["name"] = grouped->second.name;
  item["namespace"] = grouped->second.group;
  return item;
}

void ResponseFormat::send_custom_input(const std::string& input, std::string& out) {
  const std::string text = json_text(input);
  if (!input.empty()) send("response.custom_tool_call_input.delta", place({}) + ",\"delta\":" + text, out);
  send("response.custom_tool_call_input.done", place({}) + ",\"input\":" + text, out);
}

void ResponseFormat::close_call(std::string_view status, std::string& out) {
  if (!are_arguments(call_.arguments)) status = "incomplete";
  OrderedJson item = call_json(item_id_, status, call_);
  if (is_custom(call_)) {
    send_custom_input(item["input"].get<std::string>(), out);
  } else {
    send("response.function_call_arguments.done",
         fmt::format(R"({},"name":{},"arguments":{})", place({}), json_text(item["name"]), json_text(call_.arguments)), out);
  }
  send_item("response.output_item.done", item, out);
  response_["output"].push_back(std::move(item));
}

void ResponseFormat::reasoning(std::string_view text, std::string& out) {
  if (!options_.include_reasoning) return;
  if (open_ != Open::kReasoning) {
    open(Open::kReasoning, "rs_", out);
    send_item("response.output_item.added", reasoning_item(item_id_, "in_progress", {}, options_.encode_reasoning), out);
    send("response.reasoning_summary_part.added", place("summary_index") + R"(,"part":{"type":"summary_text","text":""})", out);
  }
  text_ += text;
  send("response.reasoning_summary_text.delta", place("summary_index") + ",\"delta\":" + json_text(text), out);
}

void ResponseFormat::content(std::string_view text, std::string& out) {
  if (open_ != Open::kMessage) {
    open(Open::kMessage, "msg_", out);
    send_item("response.output_item.added", message_item(item_id_, "in_progress", OrderedJson::array()), out);
    send("response.content_part.added", place("content_index") + ",\"part\":" + json_text(output_text({}, OrderedJson::array())), out);
  }
  text_ += text;
  OrderedJson logprobs = logprobs_json(logprobs_);
  logprobs_.clear();
  if (text.empty() && logprobs.empty()) return;
  send("response.output_text.delta",
       fmt::format(R"({},"delta":{},"logprobs":{})", place("content_index"), json_text(text), json_text(logprobs)), out);
  for (OrderedJson& entry : logprobs) text_logprobs_.push_back(std::move(entry));
}

void ResponseFormat::call_begin(const ChatOutputEvent& event, std::string& out) {
  open(Open::kCall, options_.custom.contains(event.text) ? "ctc_" : "fc_", out);
  call_ = {.id = event.id.empty() ? options_.make_id("call_") : event.id, .name = event.text, .arguments = {}};
  send_item("response.output_item.added", call_json(item_id_, "in_progress", call_), out);
}

void ResponseFormat::output(const ChatOutputEvent& event, std::string& out) {
  switch (event.kind) {
    case Kind::kContent: content(event.text, out); break;
    case Kind::kReasoning: reasoning(event.text, out); break;
    case Kind::kCallBegin: call_begin(event, out); break;
    case Kind::kCallArguments:
      call_.arguments += event.text;
      if (!is_custom(call_)) send("response.function_call_arguments.delta", place({}) + ",\"delta\":" + json_text(event.text), out);
      break;
    case Kind::kCallEnd: close("completed", out); break;
    case Kind::kCallBroken: close("incomplete", out); break;
  }
}

void ResponseFormat::event(int /*index*/, const ChatEvent& event, std::string& out) {
  if (options_.logprobs) logprobs_.insert(logprobs_.end(), event.logprobs.begin(), event.logprobs.end());
  if (event.done) drop_end(logprobs_, event.reason, event.stop_token, options_.is_end);
  for (const ChatOutputEvent& e : event.output) output(e, out);
  if (!event.done) return;
  last_ = event;
  if (options_.include_stop && !event.stop_string.empty()) content(event.stop_string, out);
  if (open_ == Open::kMessage && !logprobs_.empty()) content({}, out);
  if (open_ == Open::kNothing && response_["output"].empty()) content({}, out);  // nothing was said: an empty message
  close(status_of_end(event.reason), out);
}

void ResponseFormat::finish(FinishReason reason, const Usage& usage) {
  response_["status"] = status_of_end(reason);
  response_["completed_at"] = is_whole(reason) ? OrderedJson(options_.now()) : OrderedJson();
  if (!is_whole(reason)) response_["incomplete_details"] = {{"reason", "max_output_tokens"}};
  response_["usage"] = usage.response_json();
  if (options_.ended) options_.ended(response_);
}

void ResponseFormat::end(std::string& out) {
  Usage usage{.generated = last_.stats.generated_tokens, .reasoning = last_.reasoning_tokens};
  usage.add_prompt(last_.stats);
  finish(last_.reason, usage);
  send_response(is_whole(last_.reason) ? "response.completed" : "response.incomplete", out);
}

void ResponseFormat::error(const Error& error, std::string& out) {
  close("incomplete", out);
  response_["status"] = "failed";
  response_["error"] = {{"code", status_of(error) < 500 ? "invalid_prompt" : "server_error"}, {"message", error.what()}};
  send_response("response.failed", out);
}

OrderedJson ResponseFormat::output_of(const ChatReply& reply, std::string_view status) {
  OrderedJson output = OrderedJson::array();
  const std::string text = reply.content + (options_.include_stop ? reply.stop_string : std::string());
  const bool says_nothing = text.empty() && reply.calls.empty();
  if (options_.include_reasoning && !reply.reasoning.empty()) {
    // Where the room ended within the reasoning, that is what is not whole.
    const std::string_view own_status = says_nothing ? status : "completed";
    output.push_back(reasoning_item(options_.make_id("rs_"), own_status, reply.reasoning, options_.encode_reasoning));
  }
  if (!text.empty() || (says_nothing && output.empty())) {
    std::vector<TokenLogprob> logprobs = options_.logprobs ? reply.logprobs : std::vector<TokenLogprob>();
    drop_end(logprobs, reply.reason, reply.stop_token, options_.is_end);
    OrderedJson part = output_text(text, logprobs_json(logprobs));
    output.push_back(message_item(options_.make_id("msg_"), status, OrderedJson::array({std::move(part)})));
  }
  for (ToolCall call : reply.calls) {
    if (call.id.empty()) call.id = options_.make_id("call_");
    // The room may have ended within the last one, or the model.
    output.push_back(call_json(options_.make_id(is_custom(call) ? "ctc_" : "fc_"), are_arguments(call.arguments) ? "completed" : "incomplete", call));
  }
  return output;
}

HttpResponse ResponseFormat::whole(const std::vector<ChatReply>& replies) {
  const ChatReply& reply = replies.at(0);
  response_["output"] = output_of(reply, status_of_end(reply.reason));
  Usage usage;
  usage.add_prompt(reply.stats);
  usage.add_choice(reply);
  finish(reply.reason, usage);
  return {.body = json_text(response_)};
}

}  // namespace minnow
